"""An action slows the calls to a vendor for a time; its undo, or a person, ends that [A1 S4]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from actions import sending
from actions.catalog import kind_named
from actions.catalog.kind import Order
from actions.controls.limits_in_use import limits_in_use
from actions.models import Action, Recovery
from actions.reversing import reverse
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.redis_client import redis_client
from incidents.models import Incident
from safety import limiter
from safety.breakers import set_by_hand
from safety.limits_in_use import LimitInUse
from safety.models import AutomationPolicy, Vendor
from safety.throttling import unthrottle
from tenants.models import Workflow
from tests.actions.driving import BROKEN, PAUSE, RETRY, Begin, drive
from tests.actions.target import Target
from tests.threads import at_once

ANNA = Actor("person", "anna")
THROTTLE = "key: slow, kind: throttle, with: {per_minute: 3, seconds: 600}"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty ones."""
    monkeypatch.setattr(limiter, "_link", limiter._Link())
    redis_client().flushdb()
    yield


@pytest.fixture
def vendor(workflow: Workflow) -> Vendor:
    AutomationPolicy.objects.create(cooldown_seconds=0)
    return Vendor.objects.create(tenant=workflow.tenant, name="stripe", requests_per_minute=600)


def per_minute(vendor: Vendor, **later: Any) -> int:
    """What the vendor may get so much later."""
    vendor.refresh_from_db()
    return vendor.calls_per_minute(timezone.now() + timedelta(**later))


def gauge(vendor: Vendor, kind: str = "vendor_calls") -> LimitInUse:
    return next(row for row in limits_in_use(vendor.tenant, timezone.now()) if row.kind == kind)


def test_it_slows_the_calls_for_its_time(begin: Begin, vendor: Vendor) -> None:
    """Calls alone: as many events that name the vendor are taken in as before."""
    recovery = drive(begin(THROTTLE, vendor="Stripe"))
    assert recovery.status == "completed"
    assert (per_minute(vendor), per_minute(vendor, seconds=601)) == (3, 600)
    shown = gauge(vendor)
    assert shown.limit == 3 and shown.throttle is not None
    assert (shown.throttle.by, shown.throttle.per_minute) == (recovery.incident.label, 3)
    events = gauge(vendor, "vendor_events")
    assert (events.limit, events.throttle) == (600, None)
    assert limiter.events_naming(vendor).most == 600


@pytest.mark.django_db(transaction=True)
def test_of_twelve_workers_exactly_three_call_a_vendor_throttled_to_three(
    begin: Begin, planned: Callable[..., Action], target: Target, vendor: Vendor
) -> None:
    """Seen red with the vendor's own limit in `Vendor.calls_per_minute`: 12 calls."""
    drive(begin(THROTTLE, vendor="stripe"))
    waiting = [planned() for _ in range(12)]
    Incident.objects.update(vendor="stripe")
    outcomes = at_once(12, lambda _: sending.run_due())
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert len(target.calls) == 3
    held = Action.objects.filter(pk__in=[one.pk for one in waiting], status="planned")
    [check] = [c for c in held[0].receipt["checks"] if c["name"] == "rate_limit"]
    assert "3 of 3 calls to stripe in the last minute, throttled by INC-" in check["reason"]


def test_what_it_holds_goes_at_its_end(
    begin: Begin, planned: Callable[..., Action], target: Target, vendor: Vendor
) -> None:
    """Not a minute after the last call, where the throttle is over sooner."""
    drive(begin(THROTTLE.replace("600", "20"), vendor="stripe"))
    actions = [planned() for _ in range(4)]
    Incident.objects.update(vendor="stripe")
    sending.run_due()
    [held] = Action.objects.filter(pk__in=[one.pk for one in actions], status="planned")
    assert timedelta() < held.due_at - timezone.now() <= timedelta(seconds=20)


def test_the_strictest_counts_and_each_goes_by_itself(begin: Begin, vendor: Vendor) -> None:
    """Seen red without the question of whose it is in `unthrottle`: both were gone."""
    strict = drive(begin(THROTTLE, vendor="stripe", error_code="a"))
    looser = THROTTLE.replace("per_minute: 3", "per_minute: 30")
    loose = drive(begin(looser, vendor="stripe", error_code="b"))
    assert per_minute(vendor) == 3
    take_back(strict)
    assert per_minute(vendor) == 30
    take_back(loose)
    assert per_minute(vendor) == 600


def take_back(recovery: Recovery) -> None:
    reverse(action=recovery.actions.get(step="slow"), actor=ANNA, now=timezone.now())
    drive(recovery)


def test_a_plan_that_fails_ends_what_it_throttled(begin: Begin, vendor: Vendor) -> None:
    """Its kind knows the undo."""
    assert (
        drive(begin(THROTTLE, BROKEN.replace("pause", "slow"), vendor="stripe")).status
        == "rolled_back"
    )
    assert per_minute(vendor) == 600


def test_a_step_ends_the_throttle_of_its_plan(begin: Begin, vendor: Vendor) -> None:
    """And is undone by slowing the calls for the rest of the time."""
    recovery = drive(begin(THROTTLE, "key: free, kind: unthrottle", vendor="stripe"))
    assert (recovery.status, per_minute(vendor)) == ("completed", 600)
    reverse(action=recovery.actions.get(step="free"), actor=ANNA, now=timezone.now())
    drive(recovery)
    assert (per_minute(vendor), per_minute(vendor, seconds=601)) == (3, 600)


def test_a_person_ends_them_all(begin: Begin, vendor: Vendor) -> None:
    """Audited once; taking the action back afterwards finds nothing of its own."""
    recovery = drive(begin(THROTTLE, vendor="stripe"))
    for _ in range(2):
        unthrottle(vendor=vendor, actor=ANNA, now=timezone.now())
    assert per_minute(vendor) == 600
    assert AuditEntry.objects.filter(verb="unthrottled", actor="anna").count() == 1
    take_back(recovery)
    undo = recovery.actions.get(role="undo")
    assert (undo.status, undo.result["detail"]) == (
        "succeeded",
        "No throttle of the vendor is this recovery's",
    )


@pytest.mark.parametrize("step", [THROTTLE, PAUSE])
def test_what_calls_no_vendor_is_not_held_by_one(begin: Begin, vendor: Vendor, step: str) -> None:
    """Neither by its breaker, nor by its limit; nor does it use that up.

    Seen red without `Kind.calls_vendor`: both waited for the breaker.
    """
    set_by_hand(vendor=vendor, to="open", reason="down", actor=ANNA, now=timezone.now())
    recovery = drive(begin(step, RETRY, vendor="stripe"))
    first, retry = recovery.actions.order_by("id")
    assert (first.status, retry.status) == ("succeeded", "planned")
    assert "does not call stripe" in str(first.receipt)
    assert gauge(vendor).used == 0


@pytest.mark.parametrize(("name", "says"), [("", "no vendor is"), ("gone", "known as gone")])
def test_without_a_vendor_it_fails_and_says_so(begin: Begin, name: str, says: str) -> None:
    """The incident names none, or one that nobody keeps a limit for."""
    recovery = begin(THROTTLE, vendor=name)
    Vendor.objects.filter(name="gone").delete()
    assert drive(recovery).status == "failed"
    assert says in recovery.actions.get(step="slow").result["reason"]


def test_its_preview_says_how_slow_and_how_long(begin: Begin, vendor: Vendor) -> None:
    order = Order(drive(begin(THROTTLE, vendor="stripe")).actions.get(), timezone.now())
    kind = kind_named("throttle")
    found = kind.preview(order, kind.read({"per_minute": 3, "seconds": 600}))
    assert found.says == "Lets 3 calls a minute go to stripe for 10 m."


@pytest.mark.parametrize("given", [{}, {"per_minute": 0}, {"seconds": 0}, {"seconds": 86_401}])
def test_it_says_what_is_wrong_with_its_parameters(given: dict[str, Any]) -> None:
    """When the plan is saved."""
    fields = {"per_minute": 1} | given if given else {}
    assert kind_named("throttle").check(fields)
