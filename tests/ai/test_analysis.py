"""Stage `analyse`: a decision, its evidence, and the same from its stored inputs [D1 D4]."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from ai.decide import Case, decide
from ai.models import Decision
from ai.services import analyse, columns_of, remember
from awfdrs_site.kernel import work
from awfdrs_site.kernel.models import Work
from incidents.detecting.detection import detect
from incidents.models import Incident
from incidents.states import IncidentStatus
from safety.rule_files import read_default_rules
from safety.selectors import forget_rules
from safety.services import import_rules
from tenants.models import Workflow
from tests.builders import a_workflow, an_event

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rules(db: None) -> None:
    import_rules(ruleset=read_default_rules())
    forget_rules()


def decided(workflow: Workflow, **event: object) -> Decision:
    an_event(workflow, **event)
    work.run_due("detect", detect)
    work.run_due("analyse", analyse)
    return Decision.objects.latest("id")


def again(decision: Decision) -> dict[str, object]:
    """What the stored inputs give, in the shape of the row."""
    columns = columns_of(decide(Case.from_json(decision.inputs)))
    return json.loads(json.dumps(columns))


@pytest.mark.parametrize(
    ("event", "type_", "sure"),
    [
        ({"error_code": "payment_timeout"}, "retry", True),
        ({"error_code": "invalid_grant"}, "escalate", True),
        ({"error_code": "card_declined"}, "none", True),
        ({"error_code": "", "message": "UNABLE_TO_LOCK_ROW: no exclusive access"}, "retry", False),
        ({"error_code": "", "message": "the flux is inverted"}, "escalate", None),
    ],
)
def test_it_decides_by_class_and_is_as_sure_as_it_may_be(event, type_, sure) -> None:
    """A known passing failure is retried with confidence over 0.8; a guess stays under the line."""
    decision = decided(a_workflow(), **event)
    assert decision.type == type_
    if sure is not None and type_ == "retry":
        assert (decision.confidence >= 0.8) is sure


def test_deciding_again_from_the_stored_inputs_gives_the_stored_decision() -> None:
    """For every decision on a small history with changes, vendors and outcomes [D4]."""
    workflow = a_workflow(name="payments.capture")
    other = a_workflow(workflow.tenant, name="payments.refund")
    an_event(other, "change", event_type="deploy.rolled_out")
    decided(workflow, vendor="stripe", resource_type="order", resource_id="1")
    remember(Incident.objects.get(), "retry", "succeeded", timezone.now(), seconds_to_recover=4.2)
    an_event(workflow, "success")
    decided(other, vendor="stripe", error_code="service_unavailable")
    decided(workflow, error_code="", message="Timed out after 3 s waiting for order 17")
    decisions = list(Decision.objects.all())
    assert len(decisions) == 3
    for decision in decisions:
        recomputed = again(decision)
        stored = {name: getattr(decision, name) for name in recomputed}
        assert recomputed == stored


def test_the_evidence_is_of_this_tenant_alone() -> None:
    """Another tenant's failures of the same vendor and its changes are not in the case [T2]."""
    foreign = a_workflow()
    an_event(foreign, vendor="stripe")
    an_event(foreign, "change", event_type="deploy.rolled_out")
    decision = decided(a_workflow(), vendor="stripe")
    facts = Decision.objects.get(incident__workflow__name=decision.incident.workflow.name).inputs[
        "facts"
    ]
    assert facts["other_workflows_failing"] == 0
    assert facts["changes"] == []


def test_a_change_before_and_another_workflow_of_the_vendor_are_evidence() -> None:
    workflow = a_workflow()
    refunds = a_workflow(workflow.tenant)
    before = timezone.now() - timedelta(minutes=3)
    an_event(workflow, "change", event_type="deploy.x", received_at=before)
    an_event(refunds, vendor="stripe")
    work.run_due("detect", detect)
    decision = decided(workflow, vendor="stripe", error_code="service_unavailable")
    facts = decision.inputs["facts"]
    assert facts["other_workflows_failing"] == 1
    assert [round(change["minutes_before"]) for change in facts["changes"]] == [3]
    assert decision.hypotheses
    assert all(h["evidence"] for h in decision.hypotheses[:1])


def test_past_incidents_are_found_with_what_came_of_them() -> None:
    """A resolved incident of the same words is named with its outcome."""
    workflow = a_workflow()
    decided(workflow, error_code="", message="Lock wait timeout on contact 4711")
    past = Incident.objects.get()
    remember(past, "retry", "succeeded", timezone.now(), seconds_to_recover=3.0)
    Incident.objects.update(
        status=IncidentStatus.RESOLVED, resolved_at=timezone.now(), recovery="recovered"
    )
    other = a_workflow(workflow.tenant)
    decision = decided(other, error_code="", message="Lock wait timeout on contact 12")
    [similar] = decision.similar
    assert UUID(similar["incident_id"]) == past.pk
    assert similar["outcome"] == "recovered"


def test_outcomes_move_the_confidence() -> None:
    """Verified successes lift it, failures sink it."""
    values = {}
    for result in ("succeeded", "failed"):
        workflow = a_workflow()
        an_event(workflow)
        work.run_due("detect", detect)
        incident = Incident.objects.latest("id")
        for _ in range(8):
            remember(incident, "retry", result, timezone.now() - timedelta(hours=1))
        work.run_due("analyse", analyse)
        values[result] = Decision.objects.latest("id").confidence
    assert values["succeeded"] > values["failed"] + 0.3


def test_attempts_on_the_way_to_a_recovery_do_not_count_against_it() -> None:
    """A recovery that took two attempts is one success, however often it happens."""
    workflow = a_workflow()
    an_event(workflow)
    work.run_due("detect", detect)
    incident = Incident.objects.get()
    for _ in range(5):
        remember(
            incident, "retry", "failed", timezone.now() - timedelta(hours=1), ends_recovery=False
        )
        remember(incident, "retry", "succeeded", timezone.now() - timedelta(hours=1))
    work.run_due("analyse", analyse)
    history = Decision.objects.get().inputs["history"]
    assert (history["succeeded"], history["failed"]) == (5, 0)


def test_coming_back_after_a_verified_retry_is_no_mark_against_the_next() -> None:
    """It counts as a recurrence only where the last retry did not work."""
    for result, counted in (("succeeded", 0), ("failed", 2)):
        workflow = a_workflow()
        an_event(workflow)
        work.run_due("detect", detect)
        incident = Incident.objects.latest("id")
        Incident.objects.filter(pk=incident.pk).update(reopen_count=2)
        remember(incident, "retry", result, timezone.now() - timedelta(hours=1))
        work.run_due("analyse", analyse)
        assert Decision.objects.latest("id").inputs["facts"]["reopen_count"] == counted


def test_an_incident_that_is_over_is_not_analysed() -> None:
    workflow = a_workflow()
    an_event(workflow)
    work.run_due("detect", detect)
    Incident.objects.update(status=IncidentStatus.RESOLVED, resolved_at=timezone.now())
    work.run_due("analyse", analyse)
    assert not Decision.objects.exists()
    assert not Work.objects.filter(stage="analyse").exists()


def test_the_database_refuses_to_change_a_decision() -> None:
    decision = decided(a_workflow())
    for change in (
        lambda: Decision.objects.update(confidence=1.0),
        lambda: Decision.objects.filter(pk=decision.pk).delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
