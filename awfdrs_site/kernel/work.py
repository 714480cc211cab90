"""Work rows: enqueue in one transaction, do and delete in another.

A handler only touches the database, so "done" and "deleted" are one commit. Work that talks to the
outside (sending an action) keeps its own row, lease and fencing token: see actions/sending.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from awfdrs_site.kernel import correlation, handoff
from awfdrs_site.kernel.models import Work

log = structlog.get_logger(__name__)

# A handler gets the subjects of one claim; what it returns is looked at again at that time.
Postponed = Mapping[UUID, datetime]
Handler = Callable[[Sequence[UUID], datetime], Postponed]

BATCH = 200
MAX_PAUSE_SECONDS = 300


def enqueue(stage: str, tenant_id: UUID, subjects: Iterable[UUID], due_at: datetime) -> None:
    """Give `stage` these subjects, in the caller's transaction; rings its doorbell on commit.

    One statement for all subjects. It never waits for a worker; see `Work` for duplicates.
    """
    sender = correlation.current()
    rows = [
        Work(stage=stage, tenant_id=tenant_id, subject_id=pk, due_at=due_at, correlation_id=sender)
        for pk in subjects
    ]
    Work.objects.bulk_create(rows)
    if rows and due_at <= timezone.now():
        handoff.ring_on_commit(stage)


def run_due(stage: str, handler: Handler, *, batch: int = BATCH) -> int:
    """Do the stage's due work until none is left; return how many subjects were handled.

    Locks: its work rows (SKIP LOCKED, so any number of workers share the stage), then whatever the
    handler locks. A batch that fails is done again one by one, so one bad row stops no other.
    """
    done = 0
    while claimed := _run_batch(stage, handler, batch):
        done += claimed
    return done


def _run_batch(stage: str, handler: Handler, batch: int) -> int:
    rows: list[Work] = []
    try:
        with transaction.atomic():
            rows = _claim(stage, batch)
            if rows:
                _do(rows, handler)
    except Exception as error:
        if not rows:
            raise
        log.warning("batch_failed", stage=stage, size=len(rows), error=repr(error))
        for row in rows:
            _run_alone(row, handler)
    return len(rows)


def _claim(stage: str, batch: int) -> list[Work]:
    due = Work.objects.filter(stage=stage, due_at__lte=timezone.now()).order_by("due_at", "id")
    return list(due.select_for_update(skip_locked=True)[:batch])


def _do(rows: Sequence[Work], handler: Handler) -> None:
    by_subject = {row.subject_id: row for row in rows}
    with _bound(rows):
        postponed = handler(list(by_subject), timezone.now())
    kept = {by_subject[subject].pk: due_at for subject, due_at in postponed.items()}
    for pk, due_at in kept.items():
        Work.objects.filter(pk=pk).update(due_at=due_at)
    Work.objects.filter(pk__in=[row.pk for row in rows if row.pk not in kept]).delete()


def _bound(rows: Sequence[Work]) -> AbstractContextManager[None]:
    """The ids all the rows have in common; the empty id where they differ."""
    ids, tenants = {row.correlation_id for row in rows}, {row.tenant_id for row in rows}
    return correlation.bound(
        ids.pop() if len(ids) == 1 else "", tenants.pop() if len(tenants) == 1 else ""
    )


def _run_alone(row: Work, handler: Handler) -> None:
    try:
        with transaction.atomic():
            mine = Work.objects.select_for_update(skip_locked=True).filter(pk=row.pk).first()
            if mine is not None and mine.due_at <= timezone.now():
                _do([mine], handler)
    except Exception as error:
        # The row stays and is tried again, later and later: nothing is lost, and it shows.
        with _bound([row]):
            log.exception("work_failed", stage=row.stage, subject_id=str(row.subject_id))
        pause = timedelta(seconds=min(MAX_PAUSE_SECONDS, 2 ** min(row.attempts, 10)))
        Work.objects.filter(pk=row.pk).update(
            attempts=row.attempts + 1, last_error=repr(error)[:1000], due_at=timezone.now() + pause
        )
