"""Counts beside the events: always what a plain count gives, whatever happens in between."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from ingestion import counts
from ingestion.counts import Window
from ingestion.models import Event, EventCount, FreshCount
from tenants.models import Tenant, Workflow
from tests.builders import an_event
from tests.cast import Cast

MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 3, 29, 1, 30, 17, tzinfo=UTC)
WINDOWS = [
    Window(NOW.replace(hour=0, second=0), MINUTE),
    Window(NOW.replace(hour=0, second=0), 10 * MINUTE),
    Window(NOW.replace(hour=0, minute=31, second=0), 5 * MINUTE),
    Window(NOW.replace(day=28, hour=22, minute=0, second=0), 120 * MINUTE),
]


def counted(tenant: Tenant, **narrowed: Any) -> list[Counter[Any]]:
    """What `read` says of WINDOWS: (step, kind) to a number."""
    return [
        sum(
            (
                Counter(
                    {
                        (step.workflow_id, step.at, "all"): step.events,
                        (step.workflow_id, step.at, "failure"): step.failures,
                        (step.workflow_id, step.at, "success"): step.successes,
                    }
                )
                for step in steps
            ),
            Counter(),
        )
        for steps in counts.read(tenant, *WINDOWS, **narrowed)
    ]


def plainly(tenant: Tenant, each: bool = False, workflow: Workflow | None = None) -> list[Any]:
    """The same from the events themselves."""
    found: list[Counter[Any]] = [Counter() for _ in WINDOWS]
    for event in Event.objects.filter(tenant=tenant):
        for window, counter in zip(WINDOWS, found, strict=True):
            if event.received_at < window.since or (workflow and event.workflow != workflow):
                continue
            at = window.since + (event.received_at - window.since) // window.step * window.step
            who = event.workflow_id if each else None
            counter[who, at, "all"] += 1
            if event.kind in ("failure", "success"):
                counter[who, at, event.kind] += 1
    return found


def retained() -> None:
    """What follows in this transaction removes events as retention may."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL awfdrs.retention = 'on'")


@pytest.mark.parametrize("seed", range(5))
def test_it_says_what_a_plain_count_says(cast: Cast, seed: int) -> None:
    """Events of any time, folded and removed in any order. Red without the trigger of DELETE, with
    `at > since`, and with a fold that sets instead of adding."""
    chance = random.Random(seed)
    retained()
    for _ in range(60):
        roll = chance.random()
        if roll < 0.75:
            an_event(
                chance.choice([cast.capture, cast.contacts, cast.routing]),
                chance.choice(["failure", "success", "change", "info"]),
                received_at=NOW - timedelta(seconds=chance.choice([0, 17, 77, 3600, 5417, 9000])),
            )
        elif roll < 0.9:
            counts.fold()
        else:
            Event.objects.filter(kind=chance.choice(["failure", "change"])).delete()
    for tenant in (cast.meridian, cast.northwind):
        assert counted(tenant) == plainly(tenant)
        assert counted(tenant, each=True) == plainly(tenant, each=True)
    assert counted(cast.meridian, workflow=cast.contacts) == plainly(
        cast.meridian, workflow=cast.contacts
    )


@contextmanager
def held_open(like: Event, **changes: Any) -> Iterator[psycopg.Connection[Any]]:
    """Another process's transaction that has stored a copy of the event and not committed yet."""
    columns = [f.column for f in Event._meta.concrete_fields]
    changes = {"id": "gen_random_uuid()", "idempotency_key": "'late'"} | changes
    values = ", ".join(changes.get(column, column) for column in columns)
    params = connection.get_connection_params()
    params.pop("cursor_factory", None)
    params.pop("context", None)
    with psycopg.connect(**params) as other:
        other.execute(
            f"INSERT INTO ingestion_event ({', '.join(columns)})"
            f" SELECT {values} FROM ingestion_event WHERE id = %s",  # type: ignore[arg-type]
            [like.pk],
        )
        yield other


def in_all(tenant: Tenant) -> int:
    [steps] = counts.read(tenant, Window(NOW.replace(hour=0, second=0), 10 * MINUTE))
    return sum(step.events for step in steps)


@pytest.mark.parametrize("tidy", [counts.fold, counts.rebuild])
def test_what_commits_late_is_counted_once(committed_cast: Cast, tidy: Any) -> None:
    """An event whose transaction was open while its minute was folded, or all counted anew.

    Red with a reader that takes the minutes folded for closed, and with a rebuild that leaves what
    is fresh.
    """
    tenant = committed_cast.meridian
    event = an_event(committed_cast.capture, received_at=NOW)
    with held_open(event) as other:
        an_event(committed_cast.capture, received_at=NOW)
        tidy()
        assert in_all(tenant) == 2
        other.commit()
        assert in_all(tenant) == 3
    counts.fold()
    assert in_all(tenant) == 3
    assert not FreshCount.objects.exists()


def test_one_folds_at_a_time_and_nobody_waits(committed_cast: Cast) -> None:
    """Red without the look at what the lock says."""
    event = an_event(committed_cast.capture, received_at=NOW)
    with held_open(event) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [counts._LOCK])
        assert counts.fold() == 0
        assert FreshCount.objects.count() == 1
        other.rollback()
    assert counts.fold() == 1
    assert in_all(committed_cast.meridian) == 1


def test_what_is_empty_is_not_kept(cast: Cast) -> None:
    """Red without the DELETE of rows with nothing in them."""
    retained()
    an_event(cast.capture, received_at=NOW)
    kept = an_event(cast.contacts, received_at=NOW)
    counts.fold()
    assert EventCount.objects.count() == 6
    Event.objects.exclude(pk=kept.pk).delete()
    counts.fold()
    assert set(EventCount.objects.values_list("workflow_id", flat=True)) == {cast.contacts.pk}


def test_it_can_be_counted_anew(cast: Cast) -> None:
    for minutes in (0, 1, 75):
        an_event(cast.capture, received_at=NOW - minutes * MINUTE)
    counts.fold()
    EventCount.objects.update(events=7)
    FreshCount.objects.create(
        tenant_id=cast.meridian.pk,
        workflow_id=cast.capture.pk,
        at=NOW,
        events=9,
        failures=9,
        successes=0,
    )
    call_command("recount", stdout=io.StringIO())
    assert counted(cast.meridian) == plainly(cast.meridian)


def test_a_batch_of_a_minute_is_one_row(cast: Cast) -> None:
    """So a burst does not make the list of fresh counts as long as that of events."""
    events = [an_event(cast.capture, received_at=NOW) for _ in range(3)]
    FreshCount.objects.all().delete()
    copies = [
        Event(**{f.attname: getattr(event, f.attname) for f in Event._meta.concrete_fields})
        for event in events
    ]
    for number, copy in enumerate(copies):
        copy.pk, copy.idempotency_key = Event._meta.pk.get_default(), f"copy-{number}"
    Event.objects.bulk_create(copies)
    assert FreshCount.objects.get().events == 3


def test_a_refused_event_is_not_counted(cast: Cast) -> None:
    """What a conflict keeps out never was: the trigger sees rows that were stored alone."""
    event = an_event(cast.capture, received_at=timezone.now())
    FreshCount.objects.all().delete()
    with transaction.atomic():
        Event.objects.bulk_create([event], ignore_conflicts=True)
    assert not FreshCount.objects.exists()
