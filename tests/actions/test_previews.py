"""What a person approves is what runs, or nothing does [A4 P8]."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from actions import deciding, sending
from actions.models import Action, RecoveryPlan
from actions.plans import stage
from actions.previewing import preview_of
from awfdrs_site.kernel import work
from awfdrs_site.kernel.problem import Problem
from tenants.models import Workflow
from tests.actions.target import Target
from tests.actions.test_guards import Planned
from tests.actions.test_plans import ANNA, Begin, approve, begin, catalog, drive, touched

__all__ = ["begin", "catalog"]
pytestmark = pytest.mark.django_db

PLAN = """\
  - key: a
    kind: touch
    with: {what: "order ${incident.resource_id}"}
    undo: {kind: touch, with: {what: undo a}}
  - {key: b, kind: works, with: {what: "after ${steps.a.detail}"}, irreversible: true}
"""


def waiting_plan(begin: Begin) -> Action:
    recovery = begin(PLAN, "{kind: probe, with: {what: up}}", confidence=0.5)
    work.run_due("recover", stage.recover)
    action = recovery.actions.get()
    assert action.status == "waiting"
    return action


def refused(action: Action, **fields: Any) -> Problem:
    with pytest.raises(Problem) as refusal:
        deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now(), **fields)
    action.refresh_from_db()
    assert action.status == "waiting"
    return refusal.value


def test_it_shows_every_call_of_the_plan(begin: Begin, target: Target) -> None:
    """Steps, undos and verification with their parameters and targets; what is open stays so."""
    shown = preview_of(waiting_plan(begin), timezone.now())
    assert [(line.step, line.role) for line in shown.lines] == [
        *(("a", "do"), ("a", "undo"), ("b", "do"), ("verify", "verify")),
    ]
    a, undo, b, _ = shown.lines
    assert (a.says, a.undo, a.calls) == ("Touches order 7.", undo.says, (f"POST {target.url}",))
    assert b.parameters == {"what": "after ${steps.a.detail}"}
    assert (a.irreversible, b.irreversible, b.undo) == (False, True, "Cannot be undone.")
    assert shown.plan == "mend v1"


def test_its_hash_is_the_same_each_time(begin: Begin) -> None:
    """Of the same calls, read anew."""
    action = waiting_plan(begin)
    first = preview_of(action, timezone.now())
    again = preview_of(Action.objects.get(), timezone.now())
    assert (first.hash, first.calls_hash) == (again.hash, again.calls_hash)


def test_a_plan_is_approved_with_its_hash_alone(begin: Begin) -> None:
    """Who has not looked cannot approve a plan."""
    problem = refused(waiting_plan(begin))
    assert (problem.status, problem.errors[0].field) == (400, "preview_hash")


def test_a_plan_edited_after_the_look_is_not_approved(begin: Begin) -> None:
    """409 with what it is now; that may be approved, for the recovery keeps its own copy."""
    action = waiting_plan(begin)
    seen = preview_of(action, timezone.now()).hash
    old = RecoveryPlan.objects.get()
    RecoveryPlan.objects.create(
        name=old.name, version=2, source=old.source, document=old.document,
        created_at=timezone.now(), created_by="anna",
    )  # fmt: skip
    problem = refused(action, preview_hash=seen)
    assert (problem.status, problem.code) == (409, "preview_changed")
    assert problem.extra["preview"]["newest"] == 2
    assert problem.extra["preview_hash"] == preview_of(action, timezone.now()).hash
    assert approve(action).status == "planned"


def test_what_was_not_approved_never_runs(
    begin: Begin, target: Target, catalog: dict[str, Any]
) -> None:
    """The target changes between the approval and the send: it waits again, and says why.

    Seen red without `_forget_lapsed` in `sending.start`: the other target was called.
    """
    action = approve(waiting_plan(begin))
    catalog["touch"].url = f"{target.url}?other"
    Action.objects.update(due_at=timezone.now())
    sending.run_due()
    action = Action.objects.get()
    assert (action.status, touched(target)) == ("waiting", [])
    assert "has changed since it was approved" in str(action.receipt)
    assert action.recovery is not None and action.recovery.approved_by_name == ""
    approve(action)
    recovery = drive(action.recovery)
    assert touched(target)[0] == "order 7", recovery.reason


def test_a_later_step_that_would_call_another_waits(
    begin: Begin, target: Target, catalog: dict[str, Any]
) -> None:
    """The approval holds for the whole plan as it was shown, at each of its steps."""
    action = approve(waiting_plan(begin))
    Action.objects.update(due_at=timezone.now())
    sending.run_due()
    assert touched(target) == ["order 7"]
    catalog["works"].url = f"{target.url}?other"
    recovery = drive(action.recovery)  # type: ignore[arg-type]
    assert recovery.status == "awaiting_approval"
    assert touched(target) == ["order 7"]


def test_a_retry_approved_for_one_address_is_not_sent_to_another(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """Also without a hash from the caller the approval is bound to what it was given for."""
    action = planned(confidence=0.5)
    deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now())
    Workflow.objects.filter(pk=workflow.pk).update(retry_url=f"{target.url}/elsewhere")
    Action.objects.update(due_at=timezone.now())
    sending.run_due()
    action.refresh_from_db()
    assert (action.status, action.decided_by_name, target.calls) == ("waiting", "", [])
