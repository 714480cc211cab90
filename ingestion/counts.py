"""How many events there were, without counting them: steps of time that are kept as sums.

A trigger writes what each statement adds to a minute (`FreshCount`) in the transaction of the
events themselves: an event and its count become visible together, however late that is, and no
sender waits for another. `fold` moves these into `EventCount`; whoever reads adds both up, in one
snapshot, so a figure is what a plain count would give. See docs/decisions/0034.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from tenants.models import Tenant, Workflow

# In minutes; each divides the next, and the last divides an hour.
STEPS = (1, 10, 60)
FOLDED_AT_ONCE = 5_000
# Any number no other advisory lock of this database uses: "COUNT" in ASCII.
_LOCK = 0x434F554E54

_SUMS = "sum(events), sum(failures), sum(successes)"
_ADD = """
    ON CONFLICT (tenant_id, step_minutes, at, workflow_id) DO UPDATE
    SET events = c.events + excluded.events, failures = c.failures + excluded.failures,
        successes = c.successes + excluded.successes
"""
_INTO = f"""
    INSERT INTO ingestion_eventcount AS c
        (tenant_id, step_minutes, at, workflow_id, events, failures, successes)
    SELECT tenant_id, step, date_bin(step * interval '1 minute', at, 'epoch'), workflow_id, {_SUMS}
    FROM gone, unnest(ARRAY{list(STEPS)}) AS step GROUP BY 1, 2, 3, 4 ORDER BY 2, 3
"""  # noqa: S608
_FOLD = f"""
    WITH gone AS (
        DELETE FROM ingestion_freshcount WHERE id IN (
            SELECT id FROM ingestion_freshcount ORDER BY id LIMIT {FOLDED_AT_ONCE})
        RETURNING *
    ), folded AS ({_INTO} {_ADD} RETURNING c.events, c.at)
    SELECT (SELECT count(*) FROM gone), min(at) FROM folded WHERE events = 0
"""  # noqa: S608
_REBUILD = f"""
    WITH fresh AS (DELETE FROM ingestion_freshcount), gone AS (
        SELECT tenant_id, workflow_id, date_bin('1 minute', received_at, 'epoch') AS at,
               count(*) AS events, count(*) FILTER (WHERE kind = 'failure') AS failures,
               count(*) FILTER (WHERE kind = 'success') AS successes
        FROM ingestion_event GROUP BY 1, 2, 3
    ) {_INTO}
"""  # noqa: S608
_READ = """
    SELECT w.n - 1, {who}, date_bin(w.step, at, w.since), {sums}
    FROM unnest(%(kept)s::int[], %(since)s::timestamptz[], %(step)s::interval[])
        WITH ORDINALITY AS w(kept, since, step, n),
    LATERAL (
        SELECT workflow_id, at, events, failures, successes FROM ingestion_eventcount
        WHERE tenant_id = %(tenant)s AND step_minutes = w.kept AND at >= w.since {of}
        UNION ALL
        SELECT workflow_id, at, events, failures, successes FROM ingestion_freshcount
        WHERE tenant_id = %(tenant)s AND at >= w.since {of}
    ) AS counted GROUP BY 1, 2, 3 HAVING sum(events) > 0
"""


@dataclass(frozen=True)
class Window:
    """A stretch of time up to now in equal steps: a whole number of minutes each, the first from
    `since`, which is a round time of such a step, or of 1, 10 or 60 minutes that divide it."""

    since: datetime
    step: timedelta

    @property
    def kept(self) -> int:
        """The longest kept step, in minutes, that the window can be read in."""
        epoch = datetime.fromtimestamp(0, UTC)
        return max(
            kept
            for kept in STEPS
            if not self.step % timedelta(minutes=kept)
            and not (self.since - epoch) % timedelta(minutes=kept)
        )


@dataclass(frozen=True)
class Step:
    """What came in during a step that begins `at`: from one workflow, or (None) from any."""

    workflow_id: UUID | None
    at: datetime
    events: int
    failures: int
    successes: int


def read(
    tenant: Tenant, *windows: Window, workflow: Workflow | None = None, each: bool = False
) -> list[list[Step]]:
    """The tenant's events in each window, in no order, steps without any left out. One query.

    Of `workflow` alone if it is named; `each`: every workflow by itself.
    """
    sql = _READ.format(
        sums=_SUMS,
        who="workflow_id" if each else "NULL::uuid",
        of="AND workflow_id = %(workflow)s" if workflow else "",
    )
    values = {
        "tenant": tenant.pk,
        "workflow": workflow.pk if workflow else None,
        "kept": [window.kept for window in windows],
        "since": [window.since for window in windows],
        "step": [window.step for window in windows],
    }
    found: list[list[Step]] = [[] for _ in windows]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for number, *step in cursor.fetchall():
            found[number].append(Step(*step))
    return found


def fold() -> int:
    """Put what is fresh into the kept steps; return how many rows that were. Stage `count`.

    One process at a time: an advisory lock, tried and not waited for, as others have nothing to do.
    """
    done = 0
    while batch := _fold_batch():
        done += batch
    return done


def _fold_batch() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_FOLD)
        folded, empty_since = cursor.fetchone()
        if empty_since is not None:
            # Retention has taken the last events of some step.
            cursor.execute(
                "DELETE FROM ingestion_eventcount WHERE events = 0 AND at >= %s", [empty_since]
            )
    return int(folded)


def rebuild() -> int:
    """Count all stored events anew; return how many rows are kept. Nobody waits for it but `fold`.

    The statement that counts the events also removes what is fresh: in one snapshot, so what is
    committed meanwhile is neither lost nor counted twice.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("DELETE FROM ingestion_eventcount")
        cursor.execute(_REBUILD)
        return int(cursor.rowcount)
