"""Recoveries and breakers: probes, holding back, and letting go a few a second [S3 P10]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from actions import gatekeeping, sending, verification
from actions.controls import releasing
from actions.models import Action
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from incidents.detecting.detection import detect
from incidents.models import Incident, TimelineEntry
from safety import breakers
from safety.models import BreakerState, Vendor
from tenants.models import Workflow
from tests import processes
from tests.actions.target import Target
from tests.builders import an_event
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)
Planned = Callable[..., Action]
WORKERS = 20


@pytest.fixture
def vendor(workflow: Workflow) -> Vendor:
    return Vendor.objects.create(tenant=workflow.tenant, name="stripe")


def in_state(vendor: Vendor, state: str, **fields: object) -> Vendor:
    Vendor.objects.filter(pk=vendor.pk).update(
        breaker_state=state, breaker_changed_at=timezone.now(), **fields
    )
    return Vendor.objects.get(pk=vendor.pk)


def many(planned: Planned, count: int) -> list[Action]:
    """As many planned retries of one vendor, each of its own resource."""
    actions = [planned() for _ in range(count)]
    Incident.objects.update(vendor="stripe")
    return actions


def statuses() -> Counter[str]:
    return Counter(Action.objects.filter(kind="retry").values_list("status", flat=True))


def test_of_twenty_workers_exactly_three_call_a_half_open_vendor(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    """Seen red without the row locks: more than three calls."""
    many(planned, WORKERS)
    in_state(vendor, BreakerState.HALF_OPEN, half_open_probes=3)
    outcomes = at_once(WORKERS, lambda _: sending.run_due())
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert len(target.calls) == 3
    assert statuses() == {"verifying": 3, "planned": WORKERS - 3}
    vendor.refresh_from_db()
    assert len(vendor.breaker().leases) == 3


@pytest.mark.slow
def test_two_processes_of_ten_workers_make_three_calls(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    many(planned, WORKERS)
    in_state(vendor, BreakerState.HALF_OPEN, half_open_probes=3)
    code = (
        "from concurrent.futures import ThreadPoolExecutor\nfrom actions import sending\n"
        "with ThreadPoolExecutor(10) as pool:\n"
        "    [f.result() for f in [pool.submit(sending.run_due) for _ in range(10)]]\n"
    )
    workers = [processes.start(code) for _ in range(2)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    assert len(target.calls) == 3
    assert statuses() == {"verifying": 3, "planned": WORKERS - 3}


def test_an_open_breaker_holds_a_recovery_and_tells_it_once(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    [action] = many(planned, 1)
    open_now = in_state(vendor, BreakerState.OPEN, open_seconds=300)
    for _ in range(2):
        sending.run_due()
        held = Action.objects.get(pk=action.pk)
        assert (held.status, held.receipt["outcome"]) == ("planned", "defer")
        assert held.due_at == open_now.half_open_at()
        Action.objects.filter(pk=action.pk).update(due_at=timezone.now())
    assert target.calls == []
    told = TimelineEntry.objects.filter(text__contains="stripe is open")
    assert told.count() == 1
    vendor.refresh_from_db()
    assert vendor.calls_saved == 1


def test_a_send_looks_at_what_came_in_and_nobody_has_counted(
    planned: Planned, target: Target, vendor: Vendor, workflow: Workflow
) -> None:
    """Seen red without the look in `gatekeeping.judge_and_take`: the vendor was called."""
    [action] = many(planned, 1)
    for _ in range(10):
        an_event(workflow, vendor="Stripe")
    sending.run_due()
    assert target.calls == []
    assert Action.objects.get(pk=action.pk).receipt["outcome"] == "defer"
    vendor.refresh_from_db()
    assert vendor.breaker_state == "open"


@pytest.mark.parametrize(
    ("state", "words"),
    [("forced_open", "stripe is kept open by hand"), ("disabled", None)],
)
def test_what_a_person_holds_open_or_lets_pass(
    planned: Planned, target: Target, vendor: Vendor, state: str, words: str | None
) -> None:
    [action] = many(planned, 1)
    in_state(vendor, state)
    sending.run_due()
    assert len(target.calls) == (0 if words else 1)
    if words:
        checks = {c["name"]: c for c in Action.objects.get(pk=action.pk).receipt["checks"]}
        assert words in checks["circuit_breaker"]["reason"]


def test_probe_now_sends_as_many_of_the_held_as_there_are_probes(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    """Long before its time, on a person's word; the others stay held, and go when it is closed."""
    many(planned, 5)
    in_state(vendor, BreakerState.OPEN, half_open_probes=2)
    sending.run_due()
    work.run_due("release", releasing.release)
    sending.run_due()
    assert target.calls == []
    actor, now = Actor("person", "anna"), timezone.now()
    breakers.set_by_hand(vendor=vendor, to="half_open", reason="", actor=actor, now=now)
    work.run_due("release", releasing.release)
    # The second probe starts a little after the first; let it be due.
    soon = Action.objects.filter(due_at__lt=now + timedelta(seconds=5))
    assert soon.update(due_at=now) == 2
    sending.run_due()
    assert len(target.calls) == 2
    assert statuses() == {"verifying": 2, "planned": 3}


def test_a_verified_probe_closes_it_and_is_counted_once(
    planned: Planned, target: Target, vendor: Vendor, workflow: Workflow
) -> None:
    """The success event settles the probe; the verification that follows adds nothing."""
    many(planned, 2)
    in_state(vendor, BreakerState.HALF_OPEN, half_open_probes=2)
    sending.run_due()
    an_event(workflow, "success", vendor="stripe", resource_type="order", resource_id="7")
    work.run_due("detect", detect)
    work.run_due("verify", verification.verify)
    vendor.refresh_from_db()
    breaker = vendor.breaker()
    assert (breaker.state, breaker.passed, len(breaker.leases)) == ("half_open", 1, 1)
    # This one names no vendor: the verification settles the probe.
    an_event(workflow, "success", resource_type="order", resource_id="8")
    work.run_due("detect", detect)
    work.run_due("verify", verification.verify)
    vendor.refresh_from_db()
    assert vendor.breaker_state == "closed"
    assert statuses() == {"succeeded": 2}


def test_a_probe_without_success_in_time_opens_it_again(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    [action] = many(planned, 1)
    in_state(vendor, BreakerState.HALF_OPEN)
    sending.run_due()
    late = Action.objects.get(pk=action.pk).verify_until
    assert late is not None
    verification.verify([action.incident_id], late + timedelta(seconds=1))
    vendor.refresh_from_db()
    assert vendor.breaker_state == "open"


def test_an_engine_that_refuses_gives_the_probe_back(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    many(planned, 1)
    target.answers = [404]
    in_state(vendor, BreakerState.HALF_OPEN)
    sending.run_due()
    vendor.refresh_from_db()
    assert (vendor.breaker_state, vendor.breaker().leases) == ("half_open", ())


def test_a_vendor_that_is_back_gets_a_few_a_second(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    actions = many(planned, 12)
    in_state(vendor, BreakerState.OPEN, release_per_second=4)
    sending.run_due()
    actor, now = Actor("person", "anna"), timezone.now()
    breakers.set_by_hand(vendor=vendor, to="closed", reason="It is back", actor=actor, now=now)
    work.run_due("release", releasing.release)
    due = sorted(Action.objects.filter(status="planned").values_list("due_at", flat=True))
    assert len(due) == len(actions)
    for first in due:
        assert len([at for at in due if first <= at < first + timedelta(seconds=0.999)]) <= 4
    assert due[-1] < timezone.now() + timedelta(seconds=1.5 * 12 / 4)


def test_of_held_recoveries_that_are_due_at_once_only_a_few_start(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    """Workers that come late, and many of them, start no more a second; the others keep their turn.

    Seen red without `gatekeeping._turn`: all 12 at once.
    """
    many(planned, 12)
    in_state(vendor, BreakerState.OPEN, release_per_second=4)
    sending.run_due()
    in_state(vendor, BreakerState.CLOSED)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for started in (4, 8, 12):
            Action.objects.filter(status="planned").update(due_at=timezone.now())
            outcomes = at_once(WORKERS, lambda _: sending.run_due())
            assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
            assert len(target.calls) == started
            turn = timezone.now() + gatekeeping.RELEASE_WINDOW
            assert {one.due_at for one in Action.objects.filter(status="planned")} <= {turn}
            clock.shift(gatekeeping.RELEASE_WINDOW)
