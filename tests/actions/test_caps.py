"""How much automation may do: caps, each with the number that decided [S5]."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from actions import gatekeeping, sending, services
from actions.models import Action
from actions.plans.models import Recovery
from actions.sent_lately import automated_since, sent_since
from awfdrs_site.kernel.actor import Actor
from safety.models import AutomationPolicy
from safety.selectors import forget_rules, policy_for, rules_for
from tenants.models import Workflow
from tests.actions.target import Target

pytestmark = pytest.mark.django_db
Planned = Callable[..., Action]
ANNA = Actor("person", "anna")


def check(action: Action, name: str) -> dict[str, Any]:
    [found] = [c for c in action.receipt["checks"] if c["name"] == name]
    return dict(found)


def sent(action: Action, **ago: float) -> None:
    """As if the action had been sent that long ago, and be over."""
    at = timezone.now() - timedelta(**ago)
    Action.objects.filter(pk=action.pk).update(status="failed", sent_at=at, finished_at=at)
    Recovery.objects.filter(pk=action.recovery_id).update(status="failed")


CAPS = [
    ("max_actions_per_hour", "blast_radius", {"minutes": 59}, {"minutes": 61}),
    ("max_actions_per_day", "blast_radius", {"hours": 23}, {"hours": 25}),
    ("max_workflow_retries_per_hour", "retry_caps", {"minutes": 59}, {"minutes": 61}),
    ("max_vendor_retries_per_hour", "retry_caps", {"minutes": 59}, {"minutes": 61}),
]


@pytest.mark.parametrize(("limit", "name", "inside", "outside"), CAPS)
def test_what_is_over_a_cap_waits_for_a_person(
    planned: Planned,
    workflow: Workflow,
    limit: str,
    name: str,
    inside: dict[str, float],
    outside: dict[str, float],
) -> None:
    """One may be: the second waits while the first is in the window, and runs once it is not."""
    AutomationPolicy.objects.create(tenant=workflow.tenant, **{limit: 1})
    first = planned()
    first.incident.vendor = "stripe"
    first.incident.save()
    sent(first, **inside)
    action = planned()
    action.incident.vendor = "Stripe"
    receipt = gatekeeping.judge_action(action, timezone.now())
    [found] = [c for c in receipt.checks if c.name == name]
    assert (receipt.outcome, found.verdict, found.numbers[limit]) == ("wait", "wait", 1)
    sent(first, **outside)
    assert gatekeeping.judge_action(action, timezone.now()).outcome == "run"


def test_an_incident_has_a_cap_in_all_its_openings(planned: Planned, workflow: Workflow) -> None:
    """The attempts begin anew when it reopens; its retries of the day do not."""
    AutomationPolicy.objects.create(tenant=workflow.tenant, max_incident_retries_per_day=1)
    action = planned()
    sent(action, hours=23)
    incident = action.incident
    again = services.request_action(incident=incident, kind="retry", actor=ANNA, now=timezone.now())
    assert again.status == "planned"
    assert "Approved by anna" in check(again, "retry_caps")["reason"]
    again.decided_by_name = ""
    assert gatekeeping.judge_action(again, timezone.now()).outcome == "wait"


def test_what_a_person_wanted_is_a_retry_and_no_automated_action(
    planned: Planned, workflow: Workflow
) -> None:
    AutomationPolicy.objects.create(
        tenant=workflow.tenant, max_actions_per_hour=1, max_workflow_retries_per_hour=1
    )
    first = planned()
    sent(first, minutes=1)
    Action.objects.filter(pk=first.pk).update(decided_by_name="anna")
    action = planned()
    assert check(action, "blast_radius")["verdict"] == "pass"
    assert check(action, "retry_caps")["verdict"] == "wait"


def test_it_counts_by_an_index(planned: Planned, workflow: Workflow) -> None:
    """However long the history: what the caps read is the window of the index, not the table."""
    planned()
    counted = sent_since(workflow.tenant_id, timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    assert "action_retries_sent" in counted.filter(decided_by_name="").explain()
    assert "Index Cond" in counted.explain()


def test_a_dry_run_sends_nothing_and_a_person_may_run_it(
    planned: Planned, workflow: Workflow, target: Target
) -> None:
    """Automation decides, is blocked, and says that it would have run; Run sends it."""
    AutomationPolicy.objects.create(tenant=workflow.tenant, dry_run=True)
    action = planned()
    assert (action.status, check(action, "dry_run")["reason"]) == (
        "blocked",
        "A dry run: it would have run.",
    )
    sending.run_due()
    assert target.calls == []
    services.run(action=action, actor=ANNA, now=timezone.now())
    sending.run_due()
    assert len(target.calls) == 1
    action.refresh_from_db()
    assert (action.decided_by_name, check(action, "dry_run")["verdict"]) == ("anna", "pass")


def test_a_policy_that_is_over_gives_way_to_the_next_wider_one(
    planned: Planned, workflow: Workflow
) -> None:
    """For the gate and for the rules alike: the workflow's is over, the tenant's holds."""
    tenant, now = workflow.tenant, timezone.now()
    AutomationPolicy.objects.create(tenant=tenant, max_attempts=7)
    own = AutomationPolicy.objects.create(
        tenant=tenant, workflow=workflow, max_attempts=2, expires_at=now + timedelta(hours=1)
    )

    def attempts() -> tuple[int, int]:
        rules = rules_for(tenant.pk).automation_for(workflow.name)
        return policy_for(tenant.pk, workflow.pk).max_attempts, rules.max_attempts

    assert attempts() == (2, 2)
    own.expires_at = now
    own.save()
    forget_rules()
    assert attempts() == (7, 7)


def test_a_kind_of_action_may_have_its_own_line(planned: Planned, workflow: Workflow) -> None:
    policy = AutomationPolicy.objects.create(
        tenant=workflow.tenant, confidence_threshold=0.99, confidence_thresholds={"retry": 0.9}
    )
    assert planned(confidence=0.93).status == "planned"
    policy.confidence_thresholds = {}
    policy.save()
    assert planned(confidence=0.93).status == "waiting"


def test_what_automation_sent_is_counted_without_reading_recoveries(planned: Planned) -> None:
    """A retry is no step of a plan: whose word it had stands with it. Seen red with a join of the
    recoveries, which reads all there are."""
    action = planned()
    sent(action, minutes=5)
    rows = automated_since(action.tenant_id, timezone.now() - timedelta(hours=1))
    assert rows.count() == 1
    plan = rows.explain(format="json", analyze=True)
    reads = re.findall(r'"Relation Name": "actions_recovery".*?"Actual Loops": (\d+)', plan, re.S)
    assert reads == ["0"]
