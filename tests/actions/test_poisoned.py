"""One action that makes the stage stumble holds up no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from actions import asking, sending
from actions.catalog import kinds
from actions.catalog.kind import Order, Outcome, Send
from actions.models import Action
from tests.actions.target import Target

pytestmark = pytest.mark.django_db


def stumble_over(poisoned: Action, method: str, patch: pytest.MonkeyPatch) -> None:
    retry = kinds()["retry"]
    real: Callable[..., Outcome | Send] = getattr(retry, method)

    def asked(order: Order, parameters: Any) -> Outcome | Send:
        if order.action.pk == poisoned.pk:
            raise RuntimeError("a fault of ours")
        return real(order, parameters)

    patch.setattr(retry, method, asked)


def test_it_sends_what_is_due_after_a_send_that_fails(
    planned: Callable[..., Action], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red without the boundary in `sending.run_due`: the second was not sent."""
    first, second = planned(), planned()
    stumble_over(first, "run", monkeypatch)
    sending.run_due()
    assert [call["key"] for call in target.calls] == [str(second.pk)]
    assert Action.objects.get(pk=first.pk).status == "claimed"


def test_it_asks_about_what_is_in_doubt_after_a_question_that_fails(
    planned: Callable[..., Action], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red without the boundary in `asking.run_due`: the second was not asked about."""
    target.answers = ["drop"]
    first, second = planned(), planned()
    sending.run_due()
    stumble_over(first, "ask", monkeypatch)
    Action.objects.update(due_at=timezone.now())
    asking.run_due(timezone.now())
    states = dict(Action.objects.values_list("pk", "status"))
    assert states == {first.pk: "unknown", second.pk: "verifying"}
