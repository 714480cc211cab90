"""Breakers as rows: exact however many count at once, with their history [S3 P10]."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry, Work
from awfdrs_site.kernel.problem import Problem
from incidents.detecting.detection import detect
from safety import breakers
from safety.breakers import Call
from safety.models import BreakerChange, BreakerState, Vendor
from safety.services import ensure_default_rules
from tenants.models import Tenant
from tests import processes
from tests.builders import a_tenant, a_workflow, an_event
from tests.threads import at_once

ANNA = Actor("person", "anna")


@pytest.fixture
def tenant(db: None) -> Tenant:
    return a_tenant()


def a_vendor(tenant: Tenant, **fields: object) -> Vendor:
    return Vendor.objects.create(**{"tenant": tenant, "name": "Stripe"} | fields)


def a_call(tenant_id: UUID, at: datetime, outcome: str | None = "failure", **more: object) -> Call:
    return Call(tenant_id, "stripe", at, outcome, **more)  # type: ignore[arg-type]


def state_of(vendor: Vendor) -> str:
    return Vendor.objects.get(pk=vendor.pk).breaker_state


def steps_of(vendor: Vendor) -> list[tuple[str, str, str]]:
    changes = vendor.breaker_changes.order_by("at", "id")
    return [(change.before, change.after, change.why) for change in changes]


@pytest.mark.django_db(transaction=True)
def test_nine_failures_leave_it_closed_and_the_tenth_opens_it() -> None:
    """Nine workers count one each at the same moment, then one more does.

    Seen red without the row lock in `_locked`: reports were lost, and it stayed closed.
    """
    tenant = a_tenant()
    vendor, now = a_vendor(tenant), timezone.now()

    def count(_: int) -> None:
        breakers.record_calls([a_call(tenant.pk, now)], now)

    assert at_once(9, count) == [None] * 9
    assert state_of(vendor) == "closed"
    count(9)
    assert state_of(vendor) == "open"
    assert steps_of(vendor) == [("closed", "open", "10 of 10 calls in 60 s failed.")]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_processes_count_one_breaker() -> None:
    """49 failures each, at a threshold of 99: closed; then one more opens it for both.

    Seen red without the row lock in `_locked`: fewer than 98 were counted.
    """
    tenant = a_tenant()
    vendor = a_vendor(tenant, failure_threshold=1000)
    code = (
        "from uuid import UUID\nfrom django.utils import timezone\nfrom safety import breakers\n"
        "from safety.models import Vendor\nprint('ready', flush=True)\n"
        "while Vendor.objects.get().failure_threshold != 99: pass\n"
        "for _ in range(49):\n"
        "    now = timezone.now()\n"
        f"    call = breakers.Call(UUID('{tenant.pk}'), 'stripe', now, 'failure')\n"
        "    breakers.record_calls([call], now)\n"
    )
    workers = [processes.start(code) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    Vendor.objects.update(failure_threshold=99)
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert state_of(vendor) == "closed"
    counted = Vendor.objects.get(pk=vendor.pk).breaker().seconds
    assert sum(second.failures for second in counted) == 98
    breakers.record_calls([a_call(tenant.pk, timezone.now())], timezone.now())
    assert state_of(vendor) == "open"


def test_one_batch_moves_it_all_the_way_and_tells_each_step(tenant: Tenant) -> None:
    """Events received over ten minutes, detected together: opened, half-open, closed again."""
    vendor, start = a_vendor(tenant, half_open_probes=2), timezone.now() - timedelta(minutes=10)
    calls = [a_call(tenant.pk, start + timedelta(seconds=n)) for n in range(10)]
    calls += [a_call(tenant.pk, start + timedelta(seconds=320 + n), "success") for n in range(2)]
    breakers.record_calls(calls[::-1], timezone.now())
    assert [step[:2] for step in steps_of(vendor)] == [
        ("closed", "open"), ("open", "half_open"), ("half_open", "closed"),
    ]  # fmt: skip
    assert steps_of(vendor)[2][2] == "2 of 2 probes succeeded."
    first = BreakerChange.objects.order_by("at").first()
    assert first is not None
    assert (first.at, first.actor) == (start + timedelta(seconds=9), "automation")
    # Who waits for the vendor is woken once.
    assert Work.objects.filter(stage="release", tenant_id=tenant.pk).count() == 1


def test_what_says_nothing_about_the_vendor_gives_its_probe_back(tenant: Tenant) -> None:
    now = timezone.now()
    vendor = a_vendor(tenant, breaker_state="half_open", breaker_changed_at=now, half_open_probes=1)
    assert breakers.take(vendor, "event:a", now).allowed
    assert not breakers.take(vendor, "event:b", now).allowed
    breakers.record_calls([a_call(tenant.pk, now, None, holder="event:a")], now)
    assert breakers.take(vendor, "event:b", now).allowed
    # A recovery that has no probe out counts by its workflow's events alone.
    breakers.record_calls([a_call(tenant.pk, now, holder="action:1", only_probe=True)], now)
    assert state_of(vendor) == "half_open"


def test_a_slow_success_is_a_failure_where_the_vendor_has_a_limit(tenant: Tenant) -> None:
    vendor, now = a_vendor(tenant, failure_threshold=1, slow_call_ms=500), timezone.now()
    breakers.record_calls([a_call(tenant.pk, now, "success", duration_ms=499.0)], now)
    assert state_of(vendor) == "closed"
    breakers.record_calls([a_call(tenant.pk, now, "success", duration_ms=500.0)], now)
    assert state_of(vendor) == "open"


def test_events_feed_it_when_they_are_detected(tenant: Tenant) -> None:
    """The vendor in any spelling; a declined card is the customer's failure, not the vendor's."""
    ensure_default_rules()
    workflow, vendor = a_workflow(tenant), a_vendor(tenant)
    for _ in range(12):
        an_event(workflow, vendor="STRIPE", error_code="card_declined")
    for _ in range(9):
        an_event(workflow, vendor="STRIPE")
    an_event(workflow, kind="info", vendor="STRIPE")
    work.run_due("detect", detect)
    assert state_of(vendor) == "closed"
    an_event(workflow, vendor="stripe")
    work.run_due("detect", detect)
    assert state_of(vendor) == "open"


def test_a_vendor_that_fails_is_found_by_its_first_failure(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = a_workflow(tenant)
    monkeypatch.setattr(breakers, "MOST_VENDORS_FOUND", 1)
    an_event(workflow, "success", vendor="adyen")
    work.run_due("detect", detect)
    assert not Vendor.objects.exists()
    for name in ("adyen", "another"):
        for _ in range(10):
            an_event(workflow, vendor=name)
        work.run_due("detect", detect)
    assert list(Vendor.objects.values_list("name", "breaker_state")) == [("adyen", "open")]


def test_a_person_trips_and_resets_it_with_a_reason(tenant: Tenant) -> None:
    vendor, now = a_vendor(tenant), timezone.now()

    def by_hand(to: str, reason: str = "Vendor said so") -> Vendor:
        return breakers.set_by_hand(vendor=vendor, to=to, reason=reason, actor=ANNA, now=now)

    for to, reason in (("open", " "), ("open", "x" * 301), ("half_open", "x" * 301), ("", "x")):
        with pytest.raises(Problem) as refusal:
            by_hand(to, reason)
        assert refusal.value.code == "validation_error"
    assert by_hand("open").breaker_state == "open"
    assert by_hand("open").breaker_state == "open"
    assert by_hand("closed").breaker_state == "closed"
    assert steps_of(vendor) == [
        ("closed", "open", "Vendor said so"), ("open", "closed", "Vendor said so"),
    ]  # fmt: skip
    entries = AuditEntry.objects.filter(subject_type="safety.vendor").order_by("pk")
    assert [(e.actor, e.verb, e.comment) for e in entries] == [
        ("anna", "breaker_open", "Vendor said so"), ("anna", "breaker_closed", "Vendor said so"),
    ]  # fmt: skip
    with pytest.raises(Problem) as refusal:
        by_hand("half_open")
    assert refusal.value.code == "invalid_transition"
    assert refusal.value.extra["legal"] == ["disabled", "forced_open", "open"]
    # What failed before the reset and is detected after it does not open it again.
    early = now - timedelta(seconds=1)
    breakers.record_calls([a_call(tenant.pk, early) for _ in range(20)], now)
    assert state_of(vendor) == "closed"


def test_a_person_asks_for_probes_at_once_and_needs_no_reason(tenant: Tenant) -> None:
    now = timezone.now()
    vendor = a_vendor(tenant, breaker_state="open", breaker_changed_at=now)
    probed = breakers.set_by_hand(vendor=vendor, to="half_open", reason="", actor=ANNA, now=now)
    assert breakers.look(probed, now).state == "half_open"
    assert steps_of(vendor) == [("open", "half_open", breakers.PROBE_NOW)]
    entry = AuditEntry.objects.get(verb="breaker_half_open")
    assert (entry.actor, entry.comment) == ("anna", breakers.PROBE_NOW)
    # What it held is looked for: some of it makes the probes.
    assert Work.objects.filter(stage="release", tenant_id=tenant.pk).count() == 1


def test_buttons_and_refusals_go_by_the_same_table(tenant: Tenant) -> None:
    """What `steps_by_hand` offers is taken, and what it does not offer is refused."""
    now = timezone.now()
    for state in BreakerState.values:
        for to in set(BreakerState.values) - {state}:
            vendor = a_vendor(tenant, breaker_state=state, breaker_changed_at=now)
            offered = to in breakers.steps_by_hand(vendor, now)
            try:
                set_to = breakers.set_by_hand(
                    vendor=vendor, to=to, reason="x", actor=ANNA, now=now
                ).breaker_state
            except Problem as refusal:
                assert refusal.status == 409
                set_to = state
            assert (set_to == to) == offered
            vendor.delete()


def test_the_database_keeps_no_open_breaker_without_its_time(tenant: Tenant) -> None:
    """It could never half-open, and what it holds would be put off for ever."""
    for state in ("open", "half_open", "forced_open", "disabled"):
        with pytest.raises(IntegrityError, match="vendor_breaker_since"), transaction.atomic():
            a_vendor(tenant, breaker_state=state)


def test_another_tenants_vendor_of_that_name_stays_as_it_is(tenant: Tenant) -> None:
    mine, theirs, now = a_vendor(tenant), a_vendor(a_tenant()), timezone.now()
    breakers.record_calls([a_call(tenant.pk, now) for _ in range(10)], now)
    assert (state_of(mine), state_of(theirs)) == ("open", "closed")
