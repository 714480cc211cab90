"""The way of an event, stage by stage. A stage commits its row; the row is the next one's work.

POST /api/v1/events → ingestion.services.ingest      writes Event + Work(detect)
detect    event    → incident, timeline              writes Work(analyse), Work(verify)
analyse   incident → Decision                        writes Work(plan)
plan      decision → Action through the gate         the planned Action is the next work
send      action   → one call, at most once          writes Work(verify), Work(recover)
recover   recovery → its plan's next steps, or its end
verify    incident → succeeded | next attempt | escalated
release   breaker  → held recoveries, a few a second, once a vendor is back
expire    action   → an approval nobody gave: escalated
page      page     → one notice to one channel, at least once
replay    what-if run → its report
count     fresh counts of events → the steps of time that charts read
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from django.db import close_old_connections
from django.utils import timezone

from actions import asking, planning, sending, services, verification
from actions.controls import releasing
from actions.escalation import sending as paging
from actions.plans.stage import recover
from actions.whatif import stage as whatif_stage
from ai.services import analyse
from awfdrs_site.health import worker_beat
from awfdrs_site.kernel import work
from incidents.detecting.detection import detect
from ingestion import counts

STAGES: dict[str, Callable[[], int]] = {
    "detect": partial(work.run_due, "detect", detect),
    # One subject a transaction: `detect` locks incidents in the order of their signatures, and a
    # batch of these would lock them in the order they are due.
    "analyse": partial(work.run_due, "analyse", analyse, batch=1),
    "plan": partial(work.run_due, "plan", planning.plan, batch=1),
    "send": lambda: sending.run_due() + asking.run_due(timezone.now()),
    "recover": partial(work.run_due, "recover", recover, batch=1),
    "verify": partial(work.run_due, "verify", verification.verify, batch=1),
    "release": partial(work.run_due, "release", releasing.release),
    "expire": partial(work.run_due, "expire", services.expire, batch=1),
    "page": paging.run_due,
    "replay": whatif_stage.run_due,
    "count": counts.fold,
}


# Half of a worker's threads: a backlog, or engines that hang, leave the others their turn.
_places = {stage: threading.BoundedSemaphore(2) for stage in STAGES}


def run(stage: str) -> int:
    """Do everything due in one stage; return how much that was.

    0 when enough threads of this process are at it: they, or the next sweep, find what is due.
    """
    worker_beat()
    if not _places[stage].acquire(blocking=False):
        return 0
    try:
        return STAGES[stage]()
    finally:
        _places[stage].release()
        close_old_connections()


def run_all(rounds: int = 20) -> int:
    """Drive every stage in this process until nothing is due (seed data, tests, drills)."""
    total = 0
    for _ in range(rounds):
        done = sum(stage() for stage in STAGES.values())
        total += done
        if not done:
            break
    return total
