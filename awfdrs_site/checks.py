"""Mistakes in the environment as system checks, and the refusal to start while there is one."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def environment_is_valid(**_: Any) -> list[CheckMessage]:
    return [Error(mistake.text, id=mistake.id) for mistake in settings.ENV_MISTAKES]


def require_valid_environment() -> None:
    """End the process with code 2 and one line a mistake, if there is any.

    The servers call it: neither daphne nor celery runs system checks by itself.
    """
    for mistake in settings.ENV_MISTAKES:
        print(f"{mistake.id}: {mistake.text}", file=sys.stderr)
    if settings.ENV_MISTAKES:
        raise SystemExit(2)
