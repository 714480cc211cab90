"""Driving recoveries through the stages, and steps for their plans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from actions import asking, sending
from actions.models import Action, Recovery
from actions.plans import stage
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from incidents.detecting.detection import detect
from safety.models import KillSwitch
from tenants.models import Workflow
from tests.builders import an_event

ANNA = Actor("person", "anna")
# What the fixture `begin` is.
Begin = Callable[..., Recovery]
PAUSE = "key: pause, kind: pause_workflow, with: {seconds: 600}"
RESUME = "key: resume, kind: resume_workflow"
RETRY = "key: again, kind: retry"
BROKEN = 'key: b, kind: notify, with: {text: "${steps.pause.nothing}"}, on_failure: roll_back'


def drive(recovery: Recovery, rounds: int = 12) -> Recovery:
    """Let the stages do all that is due, and ask about what is being waited for."""
    for _ in range(rounds):
        work.run_due("recover", stage.recover)
        Action.objects.filter(status="planned").update(due_at=timezone.now())
        sending.run_due()
        Action.objects.filter(status="verifying").update(due_at=timezone.now())
        asking.run_due(timezone.now())
    recovery.refresh_from_db()
    return recovery


def later(**fields: Any) -> None:
    """Let the actions that are being waited for have been sent so much earlier."""
    ago = timezone.now() - timedelta(**fields)
    Action.objects.filter(status="verifying").update(sent_at=ago)


def engaged() -> list[KillSwitch]:
    return [switch for switch in KillSwitch.objects.all() if switch.is_engaged(timezone.now())]


def event(workflow: Workflow, kind: str, **fields: Any) -> None:
    an_event(workflow, kind, **fields)
    work.run_due("detect", detect)
