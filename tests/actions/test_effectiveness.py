"""A recovery must last: what fails again soon after a retry had worked was not mended [S7]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from actions import planning, sending, services, verification
from actions.history import runs_of
from actions.models import Action
from ai.models import Outcome
from ai.services import analyse
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from incidents.detecting.detection import detect
from incidents.models import Incident
from safety.models import AutomationPolicy
from safety.services import ensure_default_rules
from tenants.models import Workflow
from tests.actions.target import Target
from tests.builders import an_event, trust

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Life = Callable[..., Incident]


@pytest.fixture
def life(workflow: Workflow, target: Target) -> Life:
    """What an event brings about, minutes after noon: it is detected, decided and retried.

    An admin keeps the retry on its highest rung, whatever came of it.
    """
    ensure_default_rules()
    # Sure enough to run by itself whatever came before, and at once.
    AutomationPolicy.objects.create(
        tenant=workflow.tenant, confidence_threshold=0.01, cooldown_seconds=1
    )

    def live(kind: str, minutes: float, order: str = "7") -> Incident:
        now = NOON + timedelta(minutes=minutes)
        with time_machine.travel(now, tick=False):
            an_event(workflow, kind, resource_type="order", resource_id=order, received_at=now)
            work.run_due("detect", detect)
            trust(Incident.objects.get())
            work.run_due("verify", verification.verify)
            work.run_due("analyse", analyse)
            work.run_due("plan", planning.plan)
            Action.objects.filter(status="planned").update(due_at=now)
            sending.run_due()
        return Incident.objects.get()

    return live


def results() -> list[str]:
    return list(Outcome.objects.order_by("at").values_list("result", flat=True))


def test_what_fails_again_soon_was_not_mended(life: Life) -> None:
    """The outcome turns, the timeline tells it, and the next decision counts a failure."""
    life("failure", 0)
    life("success", 1)
    assert results() == ["succeeded"]
    incident = life("failure", 11)
    assert results() == ["recurred"]
    texts = incident.timeline.values_list("text", flat=True)
    told = "The last retry did not last: order 7 failed again 10 min later. Counts as failed"
    assert told in texts
    decision = incident.decisions.order_by("-id")[0]
    history = decision.inputs["history"]
    assert (history["succeeded"], history["failed"], history["recurred"]) == (0, 1, 1)
    assert decision.inputs["ineffective"] == 1
    tried = incident.signature, "retry"
    assert runs_of(incident.tenant, [tried])[tried].outcomes == [False]


@pytest.mark.parametrize(("minutes", "order"), [(62, "7"), (11, "8")])
def test_a_new_occurrence_is_not_held_against_it(life: Life, minutes: float, order: str) -> None:
    """The same order after the hour, another order within it."""
    life("failure", 0)
    life("success", 1)
    life("failure", minutes, order)
    assert results() == ["succeeded"]


def test_three_that_did_not_last_call_a_person_until_one_acts(life: Life, target: Target) -> None:
    """Each retry works and it comes back: the fourth failure is not retried but escalated."""
    for minutes in (0, 10, 20):
        life("failure", minutes)
        life("success", minutes + 1)
    assert len(target.calls) == 3
    incident = life("failure", 30)
    assert results() == ["recurred"] * 3
    assert (len(target.calls), incident.recovery) == (3, "escalated")
    decision = incident.decisions.order_by("-id")[0]
    assert decision.type == "escalate"
    assert "worked 3 times in 24 hours and it came back" in decision.reasoning

    with time_machine.travel(NOON + timedelta(minutes=31), tick=False):
        now = datetime.now(UTC)
        actor = Actor("person", "anna")
        services.request_action(incident=incident, kind="retry", actor=actor, now=now)
        sending.run_due()
    assert len(target.calls) == 4
    life("success", 32)
    incident = life("failure", 40)
    assert incident.decisions.order_by("-id")[0].inputs["ineffective"] == 1
    assert len(target.calls) == 5


def test_it_forgets_after_a_day(life: Life, target: Target) -> None:
    for minutes in (0, 10, 20):
        life("failure", minutes)
        life("success", minutes + 1)
    incident = life("failure", 20 + 24 * 60)
    assert incident.decisions.order_by("-id")[0].inputs["ineffective"] == 0
    assert len(target.calls) == 4
