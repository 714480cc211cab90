"""Pressing the kill switch in shadow, and what was in flight when it was pressed [S6].

Nothing is held back: see decisions/0020. Works on all tenants; for operators alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from actions.controls.stopping import OUT, within_reach
from actions.models import Action
from awfdrs_site.kernel.actor import Actor
from safety.models import KillSwitch
from safety.services import press_in_shadow

DRILL = Actor("machine", "stop drill")
LOOK_SECONDS = 0.1


@dataclass
class Drill:
    """`seconds`: each press from the call to its commit. `out`: what each found in flight, with
    the time of the first press that did."""

    seconds: list[float] = field(default_factory=list)
    out: dict[UUID, datetime] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def press(drill: Drill, switch: KillSwitch) -> None:
    """Press once and note how long it took; raises what a real stop would."""
    now, began = timezone.now(), time.perf_counter()
    press_in_shadow(switch=switch, actor=DRILL, now=now)
    drill.seconds.append(time.perf_counter() - began)
    out = Action.objects.filter(within_reach(switch), status__in=OUT)
    if switch.tenant_id is not None:
        out = out.filter(tenant=switch.tenant_id)
    for action_id in out.values_list("pk", flat=True):
        drill.out.setdefault(action_id, now)


def settle_times(drill: Drill, patience_seconds: float) -> tuple[list[float], int]:
    """Seconds from the press to the end of each action that was out; and how many still are."""
    deadline = time.monotonic() + patience_seconds
    rows = Action.objects.filter(pk__in=drill.out)
    while rows.filter(finished_at=None).exists() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    ended = rows.exclude(finished_at=None).values_list("pk", "finished_at")
    seconds = [(at - drill.out[pk]).total_seconds() for pk, at in ended if at is not None]
    return seconds, len(drill.out) - len(seconds)
