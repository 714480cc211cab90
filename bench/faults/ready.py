"""Loaded once by the process from which the workers are forked, so that each starts in no time."""

import django

django.setup()

from bench.faults import worker  # noqa: E402, F401  (needs Django set up)
