"""Recoveries count against their vendor's limit of calls, and wait where nobody can count [S4]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from actions import sending
from actions.models import Action
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.redis_client import client_of, redis_client
from incidents.models import Incident, TimelineEntry
from safety import limiter
from safety.models import Vendor
from safety.services import engage_switch
from safety.window import SharedWindow
from tenants.models import Workflow
from tests.actions.target import Target
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)
Planned = Callable[..., Action]


@pytest.fixture(autouse=True)
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[limiter._Link]:
    """A link to Redis that has not noticed anything yet, and empty windows."""
    link = limiter._Link()
    monkeypatch.setattr(limiter, "_link", link)
    redis_client().flushdb()
    yield link


@pytest.fixture
def vendor(workflow: Workflow) -> Vendor:
    return Vendor.objects.create(tenant=workflow.tenant, name="stripe", requests_per_minute=3)


def many(planned: Planned, count: int) -> list[Action]:
    """As many planned retries of one vendor, each of its own resource."""
    actions = [planned() for _ in range(count)]
    Incident.objects.update(vendor="stripe")
    return actions


def statuses() -> Counter[str]:
    return Counter(Action.objects.filter(kind="retry").values_list("status", flat=True))


def calls(vendor: Vendor) -> int:
    return limiter.look(limiter.calls_of(vendor, timezone.now())).uses[0].used


def check_of(action: Action) -> dict[str, Any]:
    """The rate limit's line of the stored receipt."""
    receipt = Action.objects.get(pk=action.pk).receipt
    return next(check for check in receipt["checks"] if check["name"] == "rate_limit")


def test_of_twelve_workers_exactly_three_call_a_vendor_limited_to_three(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    """Seen red with the hit left out of `judge_and_take`, so that all only look: 12 calls."""
    many(planned, 12)
    outcomes = at_once(12, lambda _: sending.run_due())
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert len(target.calls) == 3
    assert statuses() == {"verifying": 3, "planned": 9}
    held = Action.objects.filter(status="planned", due_at__gt=timezone.now())
    assert held.count() == 9
    assert calls(vendor) == 3


def test_what_was_held_goes_once_the_window_frees(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    """Put off to when one more is free, told once, sent then."""
    [action] = many(planned, 1)
    for _ in range(3):
        limiter.take(limiter.calls_of(vendor, timezone.now()))
    for _ in range(2):
        sending.run_due()
        held = Action.objects.get(pk=action.pk)
        assert (held.status, held.receipt["outcome"]) == ("planned", "defer")
        assert timedelta() < held.due_at - timezone.now() <= timedelta(seconds=60)
        Action.objects.filter(pk=action.pk).update(due_at=timezone.now())
    assert target.calls == []
    assert TimelineEntry.objects.filter(text__contains="3 of 3 calls to stripe").count() == 1
    redis_client().flushdb()
    sending.run_due()
    assert len(target.calls) == 1
    assert check_of(action)["numbers"] == {"calls_last_minute": 0, "calls_per_minute": 3}


def test_a_step_that_another_check_stops_is_not_counted(
    planned: Planned, target: Target, vendor: Vendor
) -> None:
    """Seen red with the hit taken before the gate judged."""
    [action] = many(planned, 1)
    anna = Actor("person", "anna")
    engage_switch(
        tenant=vendor.tenant, scope="tenant", reason="drill", actor=anna, now=timezone.now()
    )
    sending.run_due()
    assert statuses() == {"blocked": 1}
    assert check_of(action)["verdict"] == "pass"
    assert (calls(vendor), target.calls) == (0, [])


def test_nothing_is_sent_while_nobody_can_count(
    planned: Planned, target: Target, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis gone: put off for seconds, not sent on a local share; back: sent.

    Seen red with `limiter.take` in the place of `ask_shared`.
    """
    [action] = many(planned, 1)
    nobody = SharedWindow(client_of("redis://127.0.0.1:1"))
    with monkeypatch.context() as patched:
        patched.setattr(limiter, "_shared", lambda: nobody)
        sending.run_due()
    held = Action.objects.get(pk=action.pk)
    assert (held.status, held.receipt["outcome"], target.calls) == ("planned", "defer", [])
    assert held.due_at - timezone.now() <= timedelta(seconds=5)
    assert check_of(action)["numbers"]["calls_last_minute"] is None
    monkeypatch.setattr(limiter, "_link", limiter._Link())
    Action.objects.filter(pk=action.pk).update(due_at=timezone.now())
    sending.run_due()
    assert len(target.calls) == 1


def test_a_vendor_nobody_limits_needs_no_count(
    planned: Planned, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to count against, so Redis may be gone."""
    many(planned, 1)
    nobody = SharedWindow(client_of("redis://127.0.0.1:1"))
    monkeypatch.setattr(limiter, "_shared", lambda: nobody)
    sending.run_due()
    assert len(target.calls) == 1
