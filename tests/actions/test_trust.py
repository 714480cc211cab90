"""Trust is earned for a signature and an action, and asked about by the gate [D5 S9]."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from actions import deciding, planning, sending, services, verification
from actions.models import Action
from actions.plans import services as recoveries
from ai.ladder import climbs, set_trust, trust_in
from ai.models import TrustSetting
from ai.services import remember
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from incidents.models import Incident
from safety.models import AutomationPolicy
from safety.selectors import policy_for
from tenants.models import Workflow
from tests.actions.conftest import a_decision, an_incident
from tests.actions.driving import ANNA, PAUSE, Begin, drive, engaged
from tests.actions.target import Target
from tests.builders import a_workflow, trust

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(workflow: Workflow) -> Incident:
    AutomationPolicy.objects.create(tenant=workflow.tenant, cooldown_seconds=0)
    return an_incident(workflow)


def plan(incident: Incident) -> Action:
    """Let a sure decision to retry be planned."""
    planning.plan([a_decision(incident, confidence=0.97).pk], timezone.now())
    return Action.objects.filter(incident=incident, kind="retry").latest("pk")


def check(action: Action) -> dict[str, str]:
    action.refresh_from_db()
    return next(one for one in action.receipt["checks"] if one["name"] == "trust")


def words(incident: Incident, action: str = "retry") -> str:
    policy = policy_for(incident.tenant_id, incident.workflow_id)
    found = trust_in(incident.tenant_id, incident.signature, action, policy)
    return found.to_next or found.rung


def told(incident: Incident) -> int:
    return incident.actions.filter(kind="escalate").count()


def test_after_a_failed_recovery_the_next_one_asks_a_person(
    incident: Incident, target: Target
) -> None:
    """However sure the decision is. Seen red without the check `trust`: it was sent."""
    remember(incident, "retry", "failed", timezone.now())
    action = plan(incident)
    sending.run_due()
    assert (action.status, target.calls) == ("waiting", [])
    wanted = "A person approves it for this signature: 0 of 5 to automatic."
    assert check(action)["reason"] == wanted
    deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now())
    Action.objects.update(due_at=timezone.now())
    sending.run_due()
    assert len(target.calls) == 1
    assert check(action)["reason"] == f"{wanted} Approved by anna."


def test_verified_successes_bring_it_back(incident: Incident, target: Target) -> None:
    """Attempts on the way do not count, five recoveries do."""
    AutomationPolicy.objects.update(trust_successes=2)
    for result, ends in (("failed", True), ("failed", False), ("succeeded", True)):
        remember(incident, "retry", result, timezone.now(), ends_recovery=ends)
    assert words(incident) == "1 of 2 to automatic"
    remember(incident, "retry", "succeeded", timezone.now())
    assert words(incident) == "automatic"
    plan(incident)
    sending.run_due()
    assert len(target.calls) == 1


def test_it_is_asked_again_when_it_is_sent(incident: Incident, target: Target) -> None:
    """What lost its trust after it was planned waits for a person."""
    action = plan(incident)
    assert action.status == "planned"
    trust(incident, rung="approve")
    sending.run_due()
    action.refresh_from_db()
    assert (action.status, target.calls) == ("waiting", [])


@pytest.mark.parametrize("rung", ["suggest", "observe"])
def test_what_may_only_be_suggested_calls_a_person_who_may_run_it(
    incident: Incident, target: Target, rung: str
) -> None:
    """It is blocked for automation, somebody is called once, and a person's word opens it.

    Seen red without the call in `planning.follow_up`: nobody was told.
    """
    trust(incident, rung=rung)
    action = plan(incident)
    sending.run_due()
    action.refresh_from_db()
    assert (action.status, told(incident), target.calls) == ("blocked", 1, [])
    services.run(action=action, actor=ANNA, now=timezone.now())
    sending.run_due()
    action.refresh_from_db()
    assert (action.status, action.decided_by_name) == ("verifying", "anna")
    assert (told(incident), len(target.calls)) == (1, 1)


def test_a_person_may_ask_for_a_retry_on_any_rung(incident: Incident, target: Target) -> None:
    trust(incident, rung="observe")
    services.request_action(incident=incident, kind="retry", actor=ANNA, now=timezone.now())
    sending.run_due()
    assert len(target.calls) == 1


def test_a_plan_begins_with_a_person(begin: Begin) -> None:
    """However sure the decision is, where nobody has set its rung."""
    recovery = begin(PAUSE)
    TrustSetting.objects.all().delete()
    assert drive(recovery).status == "awaiting_approval"
    assert told(recovery.incident) == 0


def test_what_a_plan_did_is_undone_whatever_its_rung(begin: Begin) -> None:
    """Seen red without the look at the role in `learning.facts_of`: the pause stayed."""
    recovery = drive(begin(PAUSE))
    assert engaged()
    trust(recovery.incident, "plan:mend", "observe")
    machine = Actor("machine", "automation")
    recoveries.ask_undo(recovery=recovery, actor=machine, now=timezone.now())
    assert drive(recovery).status == "rolled_back"
    assert not engaged()


def test_a_person_who_undoes_a_plan_costs_it_a_rung(begin: Begin) -> None:
    recovery = drive(begin(PAUSE))
    assert words(recovery.incident, "plan:mend") == "automatic"
    recoveries.ask_undo(recovery=recovery, actor=ANNA, now=timezone.now())
    assert words(recovery.incident, "plan:mend") == "0 of 5 to automatic"


def test_a_rung_that_is_set_holds_from_then_on_and_is_audited(incident: Incident) -> None:
    """What was before is forgotten; the audit log says who, what and why."""
    remember(incident, "retry", "failed", timezone.now())
    trust(incident, rung="suggest")
    assert words(incident) == "0 of 5 to approve"
    remember(incident, "retry", "succeeded", timezone.now())
    assert words(incident) == "1 of 5 to approve"
    entry = AuditEntry.objects.get(verb="trust_set")
    assert (entry.actor, entry.after) == ("anna", f"retry of {incident.signature}: suggest")
    assert entry.comment == "It may."


@pytest.mark.parametrize(
    "wrong", [{"rung": "boss"}, {"action": "wait"}, {"action": "plan:"}, {"reason": " "}]
)
def test_it_refuses_what_is_no_rung_no_action_and_no_reason(
    incident: Incident, wrong: dict[str, str]
) -> None:
    fields = {"action": "retry", "rung": "suggest", "reason": "Because."} | wrong
    with pytest.raises(Problem) as caught:
        set_trust(
            tenant=incident.tenant,
            signature=incident.signature,
            actor=ANNA,
            now=timezone.now(),
            **fields,
        )
    assert caught.value.status == 400
    assert not TrustSetting.objects.exists()


def test_trust_is_the_tenants_own(incident: Incident, target: Target) -> None:
    """Another tenant's outcomes and rungs of the same signature move nothing, and nobody sets a
    rung for a signature that the tenant never had.

    Seen red without the tenant in `ladder.climbs`: it waited for a person.
    """
    other = an_incident(a_workflow(name="payments.capture"))
    Incident.objects.filter(pk=other.pk).update(signature=incident.signature)
    other.refresh_from_db()
    remember(other, "retry", "failed", timezone.now())
    trust(other, rung="observe")
    assert plan(incident).status == "planned"
    Incident.objects.filter(pk=other.pk).update(signature="f" * 32)
    with pytest.raises(Problem) as caught:
        set_trust(
            tenant=incident.tenant,
            signature="f" * 32,
            action="retry",
            rung="automatic",
            reason="x",
            actor=ANNA,
            now=timezone.now(),
        )
    assert caught.value.status == 404


def test_it_looks_at_the_newest_outcomes_alone(
    incident: Incident, django_assert_num_queries: Callable[[int], object]
) -> None:
    """Two queries, for however many signatures."""
    for _ in range(3):
        remember(incident, "retry", "rejected", timezone.now())
    pairs = [(incident.signature, action) for action in ("retry", "plan:mend")]
    with django_assert_num_queries(2):  # type: ignore[attr-defined]
        found = climbs(incident.tenant_id, pairs)
    assert [len(found[pair].results) for pair in pairs] == [3, 0]


def test_a_verified_retry_is_counted_from_its_own_events(
    incident: Incident, target: Target
) -> None:
    """The whole way: failed, approved, verified by the workflow's success, one of five."""
    remember(incident, "retry", "failed", timezone.now())
    action = plan(incident)
    deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now())
    Action.objects.update(due_at=timezone.now())
    sending.run_due()
    incident.resources.update(recovered_at=timezone.now())
    verification.verify([incident.pk], timezone.now())
    assert words(incident) == "1 of 5 to automatic"
