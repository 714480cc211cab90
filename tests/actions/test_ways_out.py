"""No state is a dead end, and what people do meanwhile is neither an error nor a false success."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from actions import planning, sending, services, verification
from actions.models import Action
from ai.models import Outcome
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import Work
from awfdrs_site.kernel.problem import Problem
from incidents import services as incident_services
from incidents.detecting.detection import detect
from incidents.models import Incident
from safety.models import AutomationPolicy
from safety.services import engage_switch, release_switch
from tenants.models import Workflow
from tests.actions.conftest import an_incident
from tests.actions.target import Target
from tests.builders import an_event

pytestmark = pytest.mark.django_db
Planned = Callable[..., Action]
ANNA = Actor("person", "anna")


def reread(action: Action) -> Action:
    return Action.objects.get(pk=action.pk)


def run_verify() -> None:
    work.run_due("verify", verification.verify)


def a_retry(incident: Incident) -> Action:
    return services.request_action(incident=incident, kind="retry", actor=ANNA, now=timezone.now())


def test_a_blocked_retry_is_not_run_beside_another(planned: Planned, workflow: Workflow) -> None:
    """A person asked for a retry of their own meanwhile: running the old one is refused, no 500."""
    switch = engage_switch(
        tenant=workflow.tenant, scope="tenant", actor=ANNA, now=timezone.now(), reason="drill"
    )
    blocked = planned()
    release_switch(switch=switch, reason="over", actor=ANNA, now=timezone.now())
    a_retry(blocked.incident)
    with pytest.raises(Problem) as refusal:
        services.run(action=blocked, actor=ANNA, now=timezone.now())
    assert (refusal.value.status, refusal.value.code) == (409, "action_active")
    assert reread(blocked).status == "blocked"


def test_a_persons_second_retry_waits_for_the_cooldown_too(
    workflow: Workflow, target: Target
) -> None:
    """Their first retry of the order was refused a moment ago: the second is put off."""
    incident = an_incident(workflow)
    target.answers = [503]
    a_retry(incident)
    sending.run_due()
    second = a_retry(incident)
    assert second.receipt["outcome"] == "defer"
    assert len(target.calls) == 1


def test_a_retry_of_nothing_is_not_sent(workflow: Workflow, target: Target) -> None:
    """Nothing fails in a reopened incident: an empty list would ask the engine for everything."""
    incident = an_incident(workflow)
    incident.resources.update(recovered_at=timezone.now())
    action = a_retry(incident)
    sending.run_due()
    assert (reread(action).status, target.calls) == ("cancelled", [])
    assert Incident.objects.get().recovery == ""


def test_what_a_person_closes_is_no_success_of_the_retry(planned: Planned, target: Target) -> None:
    """The incident is resolved by hand while its retry is verified: nobody knows if it helped."""
    action = planned()
    sending.run_due()
    incident_services.resolve(
        incident=action.incident, actor=ANNA, now=timezone.now(), comment="By hand"
    )
    run_verify()
    assert reread(action).status == "cancelled"
    assert not Outcome.objects.exists()


def test_an_action_in_doubt_can_be_called_off_by_a_person(planned: Planned, target: Target) -> None:
    """The engine is gone for good: a person ends the asking, and may ask for another retry."""
    target.answers = [500]
    action = planned()
    sending.run_due()
    assert reread(action).status == "unknown"
    services.cancel(action=action, actor=ANNA, now=timezone.now())
    Action.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    sending.run_due()
    assert (reread(action).status, target.asked) == ("cancelled", [])
    assert a_retry(action.incident).status == "planned"


def test_a_retry_that_is_being_verified_cannot_be_called_off(
    planned: Planned, target: Target
) -> None:
    action = planned()
    sending.run_due()
    with pytest.raises(Problem) as refusal:
        services.cancel(action=action, actor=ANNA, now=timezone.now())
    assert (refusal.value.status, refusal.value.code) == (409, "invalid_transition")
    assert reread(action).status == "verifying"


def test_what_a_person_closed_and_opened_again_fails_as_before(
    workflow: Workflow, target: Target
) -> None:
    """Closed by mistake: opened again, the order is known to fail and can be retried."""
    incident = an_incident(workflow)
    incident_services.resolve(incident=incident, actor=ANNA, now=timezone.now(), comment="By hand")
    incident_services.reopen(incident=incident, actor=ANNA, now=timezone.now())
    a_retry(incident)
    sending.run_due()
    [call] = target.calls
    assert call["body"]["resources"] == [{"resource_type": "order", "resource_id": "7"}]


def test_an_escalation_that_comes_late_leaves_the_recovery_as_it_was(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """The retry had worked before on-call was told: people are told, the incident has recovered."""
    action = planned()
    sending.run_due()
    planning.escalate(action.incident, "look", decision=None, now=timezone.now())
    an_event(workflow, "success", resource_type="order", resource_id="7")
    work.run_due("detect", detect)
    run_verify()
    sending.run_due()
    incident = Incident.objects.get()
    assert (incident.status, incident.recovery) == ("resolved", "recovered")
    assert incident.escalated_at is not None


def test_a_limit_lowered_meanwhile_calls_a_person(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """Three attempts were allowed, now it is one: the failed one is the last, and on-call hears."""
    target.answers = [503]
    planned()
    AutomationPolicy.objects.create(tenant=workflow.tenant, max_attempts=1)
    sending.run_due()
    kinds = Action.objects.order_by("created_at").values_list("kind", "status")
    assert list(kinds) == [("retry", "failed"), ("escalate", "succeeded")]


def test_an_approval_that_expires_after_the_end_calls_nobody(planned: Planned) -> None:
    action = planned(confidence=0.5)
    Incident.objects.update(status="ignored")
    services.expire([action.pk], timezone.now() + timedelta(hours=1))
    assert reread(action).status == "expired"
    assert not Action.objects.filter(kind="escalate").exists()


def test_failures_during_a_verification_leave_one_look_at_its_end(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """Other orders go on failing: each is looked at once, the work does not pile up."""
    action = planned()
    sending.run_due()
    for order in range(20, 25):
        an_event(workflow, error_code="code_7", resource_type="order", resource_id=str(order))
        work.run_due("detect", detect)
        run_verify()
    assert reread(action).status == "verifying"
    [left] = Work.objects.filter(stage="verify")
    assert left.due_at == reread(action).verify_until
    Action.objects.update(verify_until=timezone.now())
    Work.objects.filter(stage="verify").update(due_at=timezone.now())
    run_verify()
    assert reread(action).status == "failed"
