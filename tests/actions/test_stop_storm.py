"""Stop means stop, under load and when the switches cannot be read [S6 P7]."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from actions import sending
from actions.models import Action
from awfdrs_site.kernel.actor import Actor
from incidents.models import FailingResource, Incident
from safety.services import engage_switch, release_switch
from safety.switches import SWITCH_LOCK
from tenants.models import Workflow
from tests.actions.target import Target
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)
Planned = Callable[..., Action]
ANNA = Actor("person", "anna")
TOGGLES = 60
SENDERS = 4
SUPPLY = 100
PATIENCE_SECONDS = 30
_numbers = itertools.count(1)


def supply(workflow: Workflow, count: int) -> None:
    """As many retries that alice asked for, due at once, each of an incident of its own."""
    now = timezone.now()
    numbers = [next(_numbers) for _ in range(count)]
    incidents = Incident.objects.bulk_create(
        Incident(
            tenant=workflow.tenant,
            workflow=workflow,
            number=number,
            signature=f"storm-{number}",
            signature_kind="code",
            signature_text="timeout",
            title="Timed out",
            status="actioned",
            first_seen_at=now,
            last_seen_at=now,
            opened_at=now,
        )
        for number in numbers
    )
    FailingResource.objects.bulk_create(
        FailingResource(
            incident=incident,
            resource_type="order",
            resource_id=str(incident.number),
            failed_at=now,
        )
        for incident in incidents
    )
    Action.objects.bulk_create(
        Action(
            tenant=workflow.tenant,
            incident=incident,
            kind="retry",
            created_at=now,
            due_at=now,
            decided_by_name="alice",
            decided_at=now,
        )
        for incident in incidents
    )


def await_(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.002)


def marked() -> set[str]:
    """The keys of all that was ever marked as being sent."""
    return {str(pk) for pk in Action.objects.exclude(sent_at=None).values_list("pk", flat=True)}


@pytest.mark.slow
def test_sixty_stops_under_load_let_nothing_new_start(workflow: Workflow, target: Target) -> None:
    """Four senders with work always due; 60 times stop and resume, each seen to bite [P7].

    No clocks are compared: what may still arrive at the engine after "stop" has returned is what
    was marked when it returned, and nothing is marked until the release. Seen red without
    `lock_switches_shared` in `sending.start`, and without `lock_switches_exclusive` in
    `engage_switch`.
    """
    over, late = threading.Event(), list[str]()
    due = Action.objects.filter(status="planned")

    def toggle() -> None:
        if due.count() < SUPPLY // 2:
            supply(workflow, SUPPLY)
        now = timezone.now()
        switch = engage_switch(tenant=None, scope="global", actor=ANNA, now=now, reason="storm")
        under_way = marked()
        await_(switch.skipped.exists)
        arrived = {call["key"] for call in list(target.calls)}
        late.extend((marked() | arrived) - under_way)
        release_switch(switch=switch, reason="on", actor=ANNA, now=timezone.now())
        await_(lambda: len(marked()) > len(under_way))

    def act(number: int) -> None:
        if number:
            while not over.is_set():
                sending.run_due()
            return
        try:
            for _ in range(TOGGLES):
                toggle()
        finally:
            over.set()
            due.update(status="cancelled")

    supply(workflow, SUPPLY)
    assert at_once(SENDERS + 1, act) == [None] * (SENDERS + 1)
    assert late == []
    assert len(target.calls) >= TOGGLES
    assert {call["key"] for call in target.calls} == marked()


@contextmanager
def table_locked() -> Iterator[None]:
    """Another session keeps everyone from the table of switches."""
    with elsewhere("LOCK TABLE safety_killswitch IN ACCESS EXCLUSIVE MODE"):
        yield


@contextmanager
def lock_taken() -> Iterator[None]:
    """Another session holds the switch lock, as somebody does who is stopping and hangs."""
    with elsewhere(f"SELECT pg_advisory_xact_lock({SWITCH_LOCK})"):
        yield


@contextmanager
def elsewhere(sql: str) -> Iterator[None]:
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
            taken.set()
            done.wait(PATIENCE_SECONDS)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(PATIENCE_SECONDS)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '300ms'")
            yield
            cursor.execute("RESET lock_timeout")
    finally:
        done.set()
        thread.join()


@contextmanager
def table_gone() -> Iterator[None]:
    """Reading the switches is an error."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE safety_killswitch RENAME TO elsewhere")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO safety_killswitch")


@pytest.mark.parametrize("trouble", [table_locked, lock_taken, table_gone])
def test_it_sends_nothing_while_the_switches_cannot_be_read(
    planned: Planned, target: Target, trouble: Callable[[], contextmanager[None]]
) -> None:
    """Unreadable counts as engaged; once they can be read, the same action is sent, once.

    Seen red with the read in `gatekeeping.judge_action` answering "none" where it fails (table
    locked or gone), and without `lock_switches_shared` in `sending.start` (lock taken).
    """
    action = planned()
    with trouble(), pytest.raises(DatabaseError):
        sending.run_due()
    assert target.calls == []
    assert Action.objects.get(pk=action.pk).sent_at is None
    sending.take_back_lost(timezone.now() + 2 * sending.LEASE)
    sending.run_due()
    assert [call["key"] for call in target.calls] == [str(action.pk)]
