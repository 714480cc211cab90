"""Stage `replay`: what-if runs that people asked for on the rules page [S10].

A run is taken by a conditional UPDATE and done outside of any transaction, so that its progress is
seen; it writes nothing but its own row. A worker that dies leaves it to the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from actions.models import RunStatus, WhatIfRun
from actions.whatif.drafts import draft_of
from actions.whatif.runs import what_if
from awfdrs_site.kernel import handoff
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.pages import words_of
from awfdrs_site.kernel.problem import Problem
from tenants.models import Tenant

# A run that says nothing for so long has lost its worker.
SILENT = timedelta(seconds=60)
MAX_ATTEMPTS = 3
MOST_EVENTS = 1_000_000
# Reports kept for a tenant; older runs are deleted with the next one.
KEPT = 20


@transaction.atomic
def ask(
    *, tenant: Tenant, draft: Mapping[str, Any], days: int, actor: Actor, now: datetime
) -> WhatIfRun:
    """Leave a replay of the draft to the workers. Raises Problem 400 if the draft cannot be."""
    draft_of(tenant, draft)
    run = WhatIfRun.objects.create(
        tenant=tenant, asked_by=actor.name, created_at=now, touched_at=now, days=days,
        draft=dict(draft),
    )  # fmt: skip
    kept = WhatIfRun.objects.filter(tenant=tenant).order_by("-pk").values("pk")[:KEPT]
    WhatIfRun.objects.filter(tenant=tenant).exclude(pk__in=kept).delete()
    handoff.ring_on_commit("replay")
    return run


def run_due() -> int:
    """Do the runs that wait, or whose worker was lost; return how many that were."""
    done = 0
    while (run := _claim(timezone.now())) is not None:
        _do(run)
        done += 1
    return done


def _claim(now: datetime) -> WhatIfRun | None:
    """The run that waits longest; whoever raises its number first has it."""
    lost = Q(status=RunStatus.RUNNING, touched_at__lt=now - SILENT)
    due = WhatIfRun.objects.filter(Q(status=RunStatus.WAITING) | lost)
    for run in due.select_related("tenant").order_by("created_at")[:10]:
        run.attempts += 1
        fields: dict[str, Any] = {"status": RunStatus.RUNNING, "touched_at": now}
        if run.attempts > MAX_ATTEMPTS:
            words = "Three workers were lost over it."
            fields |= {"status": RunStatus.FAILED, "error": words, "finished_at": now}
        mine = due.filter(pk=run.pk, attempts=run.attempts - 1)
        if mine.update(attempts=run.attempts, **fields) and run.attempts <= MAX_ATTEMPTS:
            return run
    return None


def _do(run: WhatIfRun) -> None:
    def progress(done: int, total: int) -> None:
        _write(run, done=done, total=total)

    try:
        rules = draft_of(run.tenant, run.draft)
        report = what_if(
            run.tenant, rules, run.days, run.created_at, most_events=MOST_EVENTS, progress=progress
        )
    except Problem as problem:
        _write(run, status=RunStatus.FAILED, error=words_of(problem), finished_at=timezone.now())
        return
    count = report["events"]
    _write(
        run, status=RunStatus.DONE, report=report, done=count, total=count,
        finished_at=timezone.now(),
    )  # fmt: skip


def _write(run: WhatIfRun, **fields: Any) -> None:
    mine = WhatIfRun.objects.filter(pk=run.pk, attempts=run.attempts, status=RunStatus.RUNNING)
    mine.update(touched_at=timezone.now(), **fields)
