"""Celery as the doorbell: tasks take no data, only "look now" (architecture, rule 2)."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "awfdrs_site.settings")

SWEEP_SECONDS = 1.0

app = Celery("awfdrs")
app.config_from_object("django.conf:settings", namespace="CELERY")


@signals.worker_init.connect
@signals.beat_init.connect
def refuse_a_bad_environment(**_: Any) -> None:
    from awfdrs_site.checks import require_valid_environment

    require_valid_environment()


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Connected, Celery leaves the logging of settings.py alone."""


@app.task(name="awfdrs.look", ignore_result=True)
def look(stage: str) -> None:
    """Do what is due in the stage; whoever rings, and however often, it is done once."""
    from awfdrs_site import stages

    stages.run(stage)


@app.on_after_finalize.connect
def sweep(sender: Celery, **_: Any) -> None:
    """Look every second even if no doorbell rang: a lost message costs latency only."""
    from awfdrs_site.kernel.handoff import EXPIRES_SECONDS
    from awfdrs_site.stages import STAGES

    for stage in STAGES:
        ring = look.s(stage)
        sender.add_periodic_task(SWEEP_SECONDS, ring, expires=EXPIRES_SECONDS, name=stage)
