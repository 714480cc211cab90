"""A plan whose incident ends before it, or comes back after it [A2 A3 A9]."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from actions import planning, sending
from actions.models import Action, Recovery
from actions.plans import stage
from actions.verification import verify
from ai.models import Outcome
from ai.services import analyse
from awfdrs_site.kernel import work
from incidents import services as incidents
from incidents.models import Incident
from safety.models import AutomationPolicy, ErrorCode, RetryPolicy
from tenants.models import Workflow
from tests.actions.driving import ANNA, PAUSE, RESUME, RETRY, Begin, drive, engaged, event
from tests.actions.target import Target

WAIT = "key: w, kind: wait, with: {seconds: 900}"
pytestmark = pytest.mark.django_db


def close(recovery: Recovery, verb: str) -> None:
    incident = Incident.objects.get(pk=recovery.incident_id)
    incidents.change_status(
        incident=incident, to=verb, actor=ANNA, now=timezone.now(), comment="By hand"
    )
    work.run_due("verify", verify)


@pytest.mark.parametrize("verb", ["resolved", "ignored"])
def test_what_a_person_closes_is_undone_and_goes_no_further(begin: Begin, verb: str) -> None:
    """The steps that were not sent do not run; nobody is called, and nothing is learnt from it.

    Seen red without `stage._is_cut_short`: the next step ran, and the pause stayed.
    """
    recovery = drive(begin(PAUSE, WAIT, "key: tell, kind: notify, with: {text: Later}"))
    assert engaged()
    close(recovery, verb)
    Action.objects.filter(step="w").update(sent_at=timezone.now() - timedelta(hours=1))
    recovery = drive(recovery)
    assert (recovery.status, recovery.undo_asked_by) == ("rolled_back", "automation")
    assert not engaged()
    assert not Action.objects.filter(step="tell").exists()
    assert not Action.objects.filter(kind="escalate").exists()
    assert not Outcome.objects.exists()


def test_a_step_that_waits_for_a_person_is_called_off(begin: Begin) -> None:
    """With the incident closed there is nothing to approve."""
    AutomationPolicy.objects.create(confidence_threshold=0.99)
    recovery = drive(begin(PAUSE))
    assert recovery.status == "awaiting_approval"
    close(recovery, "resolved")
    assert drive(recovery).status == "rolled_back"
    assert recovery.actions.get().status == "cancelled"


def test_a_claimed_step_is_not_sent_once_a_person_has_closed_it(begin: Begin) -> None:
    """Between the close and the look at the plan.

    Seen red without the question in `sending._pointless`: the workflow was paused.
    """
    recovery = begin(PAUSE)
    work.run_due("recover", stage.recover)
    claimed = sending.claim(timezone.now())
    assert claimed is not None
    close(recovery, "ignored")
    sending.deliver(claimed)
    assert not engaged()
    assert drive(recovery).status == "rolled_back"


def test_what_heals_before_the_plan_acted_needs_no_plan(begin: Begin, workflow: Workflow) -> None:
    """Nothing of it runs."""
    recovery = drive(begin(WAIT, PAUSE))
    event(workflow, "success", resource_type="order", resource_id="7")
    work.run_due("verify", verify)
    Action.objects.filter(step="w").update(sent_at=timezone.now() - timedelta(hours=1))
    recovery = drive(recovery)
    assert recovery.status == "rolled_back"
    assert not Action.objects.filter(kind="pause_workflow").exists()


def test_what_heals_while_the_plan_acts_lets_it_go_on(
    begin: Begin, workflow: Workflow, target: Target
) -> None:
    """Its own steps may be what helped: it resumes, verifies, and counts as a success."""
    recovery = drive(begin(PAUSE, RETRY, RESUME, verify="kind: probe_success"))
    assert recovery.actions.get(step="again").status == "verifying"
    event(workflow, "success", resource_type="order", resource_id="7")
    work.run_due("verify", verify)
    assert drive(recovery).status == "verifying"
    event(workflow, "success", resource_id="8")
    recovery = drive(recovery)
    assert (recovery.status, engaged()) == ("completed", [])
    assert Outcome.objects.get().result == "succeeded"


def test_a_retry_with_nothing_left_to_retry_is_passed_over(
    begin: Begin, workflow: Workflow, target: Target
) -> None:
    """It healed between two steps: the plan goes on without a call."""
    recovery = drive(begin(PAUSE, WAIT, RETRY, RESUME))
    event(workflow, "success", resource_type="order", resource_id="7")
    work.run_due("verify", verify)
    Action.objects.filter(step="w").update(sent_at=timezone.now() - timedelta(hours=1))
    recovery = drive(recovery)
    assert (recovery.status, engaged(), target.calls) == ("completed", [], [])


def test_a_plan_that_does_not_last_is_undone_and_a_person_called(
    begin: Begin, workflow: Workflow
) -> None:
    """The same order fails again within the hour: it counts as failed, once.

    Seen red without `planning._take_back_what_did_not_last`: the workflow stayed paused.
    """
    AutomationPolicy.objects.create(cooldown_seconds=0)
    never = RetryPolicy.objects.create(name="never", kind="none", max_retries=0)
    ErrorCode.objects.create(code="payment_timeout", category="vendor_outage", retry_policy=never)
    recovery = drive(begin(PAUSE, verify="kind: probe_success"))
    event(workflow, "success", resource_id="3")
    assert drive(recovery).status == "completed"
    assert engaged()
    event(workflow, "failure", resource_type="order", resource_id="7")
    work.run_due("analyse", analyse)
    work.run_due("plan", planning.plan)
    recovery = drive(recovery)
    assert (recovery.status, engaged()) == ("rolled_back", [])
    assert [outcome.result for outcome in Outcome.objects.all()] == ["recurred"]
    assert Action.objects.filter(kind="escalate").count() == 1
