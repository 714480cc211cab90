"""An approval can be taken back until it starts something: for five seconds at least [A4]."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from actions import deciding, sending
from actions.models import Action
from awfdrs_site.kernel.problem import Problem
from tests.actions.target import Target
from tests.actions.test_guards import ANNA, Planned
from tests.threads import at_once

pytestmark = pytest.mark.django_db


def approved(planned: Planned) -> Action:
    action = planned(confidence=0.5)
    return deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now())


def take_back(action: Action) -> Action:
    return deciding.take_back(action=action, actor=ANNA, now=timezone.now())


def test_it_starts_five_seconds_after_the_approval(planned: Planned, target: Target) -> None:
    """Due then, by the row; a worker that looks before finds nothing."""
    action = approved(planned)
    assert action.decided_at is not None
    assert action.due_at == action.decided_at + timedelta(seconds=5)
    sending.run_due()
    assert target.calls == []


def test_what_is_taken_back_waits_again(planned: Planned, target: Target) -> None:
    """As before it was approved, with the expiry it had; it can be decided anew."""
    action = approved(planned)
    expires_at = action.expires_at
    action = take_back(action)
    assert (action.status, action.decided_by_name, action.decided_at) == ("waiting", "", None)
    assert (action.expires_at, action.approved_hash) == (expires_at, "")
    Action.objects.update(due_at=timezone.now())
    sending.run_due()
    assert target.calls == []
    again = deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now())
    assert again.status == "planned"


@pytest.mark.parametrize("status", ["waiting", "claimed", "sending", "succeeded", "rejected"])
def test_what_has_started_or_was_not_approved_stays(planned: Planned, status: str) -> None:
    """409, and nothing changes."""
    action = approved(planned)
    Action.objects.update(status=status)
    with pytest.raises(Problem) as refusal:
        take_back(action)
    assert (refusal.value.status, refusal.value.code) == (409, "invalid_transition")
    action.refresh_from_db()
    assert (action.status, action.decided_by_name) == (status, "anna")


def test_automations_own_retry_is_not_taken_back(planned: Planned) -> None:
    """Nobody approved it; calling it off is cancelling."""
    action = planned(confidence=0.95)
    assert action.status == "planned"
    with pytest.raises(Problem):
        take_back(action)


@pytest.mark.django_db(transaction=True)
def test_it_is_taken_back_or_sent_never_both(planned: Planned, target: Target) -> None:
    """A worker and a person at the same moment, ten times: the row lock lets one of them win."""
    for _ in range(10):
        action = approved(planned)
        Action.objects.filter(pk=action.pk).update(due_at=timezone.now())
        calls = len(target.calls)
        at_once(2, lambda n, a=action: sending.run_due() if n else take_back(a))  # type: ignore[misc]
        action.refresh_from_db()
        assert (action.status, len(target.calls) - calls) in (("waiting", 0), ("verifying", 1))
