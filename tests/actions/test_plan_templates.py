"""Plan templates: checked, versioned, the tenant's own first, retired, chosen by rules."""

from __future__ import annotations

import pytest
from django.utils import timezone

from actions import planning
from actions.models import Action, Recovery, RecoveryPlan
from actions.plans.selectors import plan_named
from actions.plans.templates import retire_plan, save_plan
from ai.services import decide_on
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import Problem
from safety.models import ErrorCode, RetryPolicy
from safety.selectors import forget_rules
from tenants.models import Tenant, Workflow
from tests.actions.conftest import an_incident
from tests.builders import a_tenant
from tests.threads import at_once

ANNA = Actor("person", "anna")
PAUSE = """\
name: hold
steps:
  - key: pause
    kind: pause_workflow
    with: {seconds: 1800}
    editable: {seconds: {min: 60, max: 3600}}
"""
CALL = 'name: call\nsteps:\n  - {key: call, kind: escalate, with: {reason: "Look at it."}}\n'
pytestmark = pytest.mark.django_db


def save(source: str = CALL, tenant: Tenant | None = None) -> RecoveryPlan:
    return save_plan(tenant=tenant, source=source, actor=ANNA, now=timezone.now())


def test_each_change_is_a_version() -> None:
    """The same text again is none; what was saved stays as it was."""
    first = save()
    assert save().pk == first.pk
    second = save(CALL.replace("Look", "Please look"))
    assert (first.version, second.version) == (1, 2)
    assert RecoveryPlan.objects.get(version=1).source == CALL


@pytest.mark.django_db(transaction=True)
def test_who_saves_at_once_gets_versions_of_their_own() -> None:
    """Seen red without the lock: two took one number, and the second was refused."""
    sources = [CALL.replace("Look", f"Look {number}") for number in range(6)]
    at_once(6, lambda number: save(sources[number]))
    assert sorted(RecoveryPlan.objects.values_list("version", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_the_tenants_own_plan_goes_before_everybodys() -> None:
    """Until it is retired; another tenant's is never seen."""
    tenant, other = a_tenant(), a_tenant()
    default, own = save(), save(tenant=tenant)
    assert plan_named(tenant.pk, "call") == own
    assert plan_named(other.pk, "call") == default
    retire_plan(plan=own, actor=ANNA, now=timezone.now())
    assert plan_named(tenant.pk, "call") is None
    assert plan_named(other.pk, "nothing") is None


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("steps: []", "source"),
        (CALL.replace("escalate", "shell"), "steps[0].kind"),
        (CALL.replace("reason:", "text:"), "call.with"),
        (CALL.replace('{reason: "Look at it."}', "{reason: 5}"), "call.with"),
        (CALL.replace("Look at it.", "${incident.password}"), "steps[0].with"),
        ("a: &x 1\nb: *x", "line 1"),
    ],
)
def test_it_says_what_is_wrong_and_stores_nothing(source: str, place: str) -> None:
    """400 with the place; a kind checks its own parameters."""
    with pytest.raises(Problem) as refused:
        save(source)
    assert refused.value.status == 400
    assert any(place in error.field for error in refused.value.errors), refused.value.errors
    assert not RecoveryPlan.objects.exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("max: 3600", "max: 86401"),
        ("min: 60", "min: 0"),
        ("max: 3600", "max: 3600.5"),
        ("max: 3600", "max: 1700"),
        ("min: 60", "min: 7200"),
        ("max: 3600", "max: 1e999"),
        ("min: 60, ", ""),
        ("min: 60, max: 3600", 'one_of: ["1800", soon]'),
        ("editable: {seconds", "editable: {minutes"),
        ("seconds: 1800", 'seconds: "${incident.number}"'),
    ],
)
def test_a_range_lies_within_what_the_kind_takes(before: str, after: str) -> None:
    """And around what the plan says itself; 400 with its place. Seen red without `_range_errors`
    (the first three) and without `ranges.mistakes`."""
    save(PAUSE)
    with pytest.raises(Problem) as refused:
        save(PAUSE.replace(before, after))
    (error,) = refused.value.errors
    assert ".editable." in error.field, error
    assert RecoveryPlan.objects.count() == 1


def test_a_range_goes_into_objects() -> None:
    """`body.size` of a call to a service; what the others hold is known when the step runs."""
    source = """\
name: resend
steps:
  - key: resend
    kind: http
    with: {connector: mail, path: "/r/${incident.number}", body: {size: 200, to: backup}}
    editable: {body.size: {min: 10, max: 500}, body.to: {one_of: [backup, main]}}
"""
    assert save(source).plan().step("resend").editable["body.size"].words == "10 to 500"


def test_a_rule_names_the_plan_and_the_decision_runs_it(workflow: Workflow) -> None:
    """Code to plan to recovery; without the plan a person is called instead."""
    policy = RetryPolicy.objects.create(name="never", kind="none", max_retries=0)
    ErrorCode.objects.create(
        code="host_gone", category="resource_exhausted", retry_policy=policy, plan="call"
    )
    forget_rules()
    incident = an_incident(workflow, error_code="host_gone")
    decision = decide_on(incident, timezone.now())
    assert (decision.type, decision.parameters["plan"]) == ("plan", "call")
    assert decision.confidence < 0.8
    planning.plan([decision.pk], timezone.now())
    assert Action.objects.get().kind == "escalate"
    assert "not there" in Action.objects.get().parameters["reason"]

    save()
    again = an_incident(workflow, error_code="host_gone", resource_id="8")
    decision = decide_on(again, timezone.now())
    planning.plan([decision.pk], timezone.now())
    recovery = Recovery.objects.get()
    assert recovery.template == plan_named(workflow.tenant_id, "call")
    from actions.plans.stage import recover

    work.run_due("recover", recover)
    assert recovery.actions.get().step == "call"
