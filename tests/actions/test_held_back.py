"""A small share of low-risk cases only waits first: what heals alone? [D5]"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from actions import planning, sending, verification
from actions.models import Action
from ai.models import Outcome
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from incidents.detecting.detection import detect
from incidents.models import Incident
from incidents.services import resolve
from safety.models import AutomationPolicy
from tenants.models import Workflow
from tests.actions.conftest import a_decision, an_incident
from tests.actions.target import Target
from tests.actions.test_trust import words
from tests.builders import an_event

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def policy(workflow: Workflow) -> AutomationPolicy:
    """Every low-risk case is held back: more than a form would allow."""
    return AutomationPolicy.objects.create(tenant=workflow.tenant, held_back_percent=100)


def begin(workflow: Workflow, severity: str = "medium") -> Action:
    with time_machine.travel(NOON, tick=False):
        incident = an_incident(workflow, received_at=NOON)
        Incident.objects.filter(pk=incident.pk).update(severity=severity, opened_at=NOON)
        planning.plan([a_decision(incident).pk], NOON)
    return Action.objects.get(kind="retry")


def at(seconds: float, action: Action, *, heals: bool = False) -> Action:
    """What becomes of it so much later, if the workflow then reports a success."""
    now = NOON + timedelta(seconds=seconds)
    with time_machine.travel(now, tick=False):
        if heals:
            order = {"resource_type": "order", "resource_id": "7"}
            an_event(action.incident.workflow, "success", received_at=now, **order)
            work.run_due("detect", detect)
            work.run_due("verify", verification.verify)
        sending.run_due()
    action.refresh_from_db()
    return action


def remembered() -> list[tuple[str, str, float | None]]:
    rows = Outcome.objects.order_by("pk")
    return list(rows.values_list("action", "result", "seconds_to_recover"))


def test_a_case_that_heals_alone_is_remembered_as_that(workflow: Workflow, target: Target) -> None:
    """Nothing is sent, and the retry has earned nothing by it."""
    action = begin(workflow)
    assert action.due_at == NOON + timedelta(seconds=600)
    at(300, action, heals=True)
    assert (action.status, target.calls) == ("cancelled", [])
    assert remembered() == [("wait", "succeeded", 300.0)]
    assert words(action.incident) == "automatic"


def test_one_that_does_not_runs_as_ever_and_is_remembered_once(
    workflow: Workflow, target: Target
) -> None:
    """Seen red without the call in `sending.start`: nothing was remembered."""
    action = at(599, begin(workflow))
    assert (action.status, target.calls, remembered()) == ("planned", [], [])
    at(601, action)
    assert (action.status, len(target.calls)) == ("verifying", 1)
    at(610, action, heals=True)
    results = [(tried, result) for tried, result, _ in remembered()]
    assert results == [("wait", "failed"), ("retry", "succeeded")]


def test_no_severe_case_waits(workflow: Workflow, target: Target) -> None:
    """Seen red without the look at the severity in `gate_checks.held_back`."""
    action = at(1, begin(workflow, severity="high"))
    assert (action.status, len(target.calls)) == ("verifying", 1)


def test_none_waits_by_default(workflow: Workflow, target: Target) -> None:
    AutomationPolicy.objects.update(held_back_percent=AutomationPolicy().held_back_percent)
    at(1, begin(workflow))
    assert len(target.calls) == 1


def test_what_a_person_ends_shows_nothing(workflow: Workflow, target: Target) -> None:
    action = begin(workflow)
    now = NOON + timedelta(seconds=60)
    actor = Actor("person", "anna")
    resolve(incident=action.incident, actor=actor, now=now, comment="By hand.")
    work.run_due("verify", verification.verify)
    assert (at(61, action).status, remembered()) == ("cancelled", [])
