"""Steps of plans count as retries do: for the caps, the dry run, and whether it lasted [S5 S7]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from actions import gatekeeping, planning, sending, services, verification
from actions.models import Recovery
from actions.plans import stage
from actions.plans.templates import save_plan
from actions.sent_lately import HOUR, automated_since, sent_since
from ai.models import Outcome
from ai.services import analyse
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from incidents.detecting.detection import detect
from incidents.models import Incident
from safety.models import AutomationPolicy, ErrorCode, RetryPolicy
from tenants.models import Workflow
from tests.actions.target import Target
from tests.actions.test_plans import ANNA, A, B, Begin, begin, catalog, drive, touched
from tests.actions.test_plans import approve as approve_step
from tests.builders import an_event

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
__all__ = ["begin", "catalog"]  # fixtures
ONE = "  - {key: a, kind: touch, with: {what: a}}"
SENT_BY_PROBE = "{kind: probe, with: {what: up}}"


def approve(recovery: Recovery) -> None:
    approve_step(recovery.actions.get(status="waiting"))


def test_each_step_that_acts_is_counted_and_probes_are_not(
    begin: Begin, workflow: Workflow
) -> None:
    recovery = drive(begin(A + B, SENT_BY_PROBE))
    assert recovery.status == "completed"
    now = timezone.now()
    assert automated_since(workflow.tenant_id, now - HOUR).count() == 2
    facts = gatekeeping.judge_action(recovery.actions.latest("pk"), now).inputs
    assert (facts.workflow_retries_last_hour, facts.incident_retries_last_day) == (2, 2)


@pytest.mark.parametrize(
    "limit", ["max_actions_per_hour", "max_actions_per_day", "max_incident_retries_per_day"]
)
def test_a_step_over_a_cap_waits_for_a_person(
    begin: Begin, workflow: Workflow, target: Target, limit: str
) -> None:
    """Also in the middle of its plan. Seen red with the counts asking for retries alone."""
    AutomationPolicy.objects.create(tenant=workflow.tenant, **{limit: 1})
    recovery = drive(begin(A + B))
    assert (recovery.status, touched(target)) == ("awaiting_approval", ["a"])
    approve(recovery)
    assert drive(recovery).status == "completed"
    assert touched(target) == ["a", "b"]


def test_steps_of_an_approved_plan_are_not_automated(begin: Begin, workflow: Workflow) -> None:
    """One person approved the first step, and with it the plan."""
    recovery = drive(begin(A + B, confidence=0.5))
    approve(recovery)
    assert drive(recovery).status == "completed"
    now = timezone.now()
    assert sent_since(workflow.tenant_id, now - HOUR).count() == 2
    assert automated_since(workflow.tenant_id, now - HOUR).count() == 0


def test_a_dry_run_holds_a_plan_back_until_a_person_runs_it(
    begin: Begin, workflow: Workflow, target: Target
) -> None:
    """Seen red with the check asking for retries alone: the plan ran."""
    AutomationPolicy.objects.create(tenant=workflow.tenant, dry_run=True)
    recovery = drive(begin(A + B))
    assert touched(target) == []
    [step] = recovery.actions.all()
    assert step.status == "blocked"
    assert step.receipt["checks"][-1]["reason"] == "A dry run: it would have run."
    services.run(action=step, actor=ANNA, now=timezone.now())
    assert drive(recovery).status == "completed"
    assert touched(target) == ["a", "b"]


@pytest.mark.parametrize("verify", ["", f"\nverify: {SENT_BY_PROBE}"])
def test_a_plan_that_did_not_last_counts_as_failed(
    workflow: Workflow, target: Target, verify: str
) -> None:
    """Verified by its probe, or by the workflow's own success. Then it fails again within the hour.

    Seen red: without `_learn_of_plan` a plan without a probe had no outcome that could turn.
    """
    tenant = workflow.tenant
    source = f"name: mend\nsteps:\n{ONE}{verify}"
    save_plan(tenant=tenant, source=source, actor=Actor("person", "anna"), now=NOON)
    policy = RetryPolicy.objects.create(tenant=tenant, name="mine", initial_delay_seconds=1)
    ErrorCode.objects.create(
        tenant=tenant, code="broke", retry_policy=policy, category="transient_timeout", plan="mend"
    )
    AutomationPolicy.objects.create(
        tenant=tenant,
        confidence_threshold=0.01,
        cooldown_seconds=1,
        trust_start_plan="automatic",
    )

    def live(kind: str, minutes: float) -> Incident:
        now = NOON + timedelta(minutes=minutes)
        error = {"error_code": "broke", "resource_type": "order", "resource_id": "7"}
        with time_machine.travel(now, tick=False):
            an_event(workflow, kind, received_at=now, **error)
            work.run_due("detect", detect)
        with time_machine.travel(now + timedelta(seconds=5), tick=False):
            for _ in range(4):
                work.run_due("verify", verification.verify)
                work.run_due("analyse", analyse)
                work.run_due("plan", planning.plan)
                work.run_due("recover", stage.recover)
                sending.run_due()
        return Incident.objects.get()

    live("failure", 0)
    assert Recovery.objects.get().status == "completed"
    assert touched(target) == ["a"]
    live("success", 1)
    assert list(Outcome.objects.values_list("result", flat=True)) == ["succeeded"]
    incident = live("failure", 11)
    assert Outcome.objects.order_by("at")[0].result == "recurred"
    assert incident.decisions.order_by("-id")[0].inputs["ineffective"] == 1
