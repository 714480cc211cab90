"""An approver may change a plan within its own ranges, and approves what then runs [A4]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.utils import timezone

from actions import deciding, sending
from actions.models import Action, Recovery, RecoveryPlan
from actions.plans import stage
from actions.previewing import preview_of
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from incidents.models import Incident, TimelineEntry
from tests.actions.target import Target
from tests.actions.test_plans import ANNA, Begin, approve, begin, catalog, drive, touched
from tests.threads import at_once

__all__ = ["begin", "catalog"]
pytestmark = pytest.mark.django_db

PLAN = """\
  - key: tell
    kind: touch
    with: {what: gently}
    editable: {what: {one_of: [gently, firmly]}}
  - key: pause
    kind: pause_workflow
    with: {seconds: 1800}
    editable: {seconds: {min: 60, max: 3600}}
"""
BESIDE = """\
  - parallel:
      - {key: left, kind: touch, with: {what: left}, editable: {what: {one_of: [left, west]}}}
      - {key: right, kind: touch, with: {what: right}}
"""


def waiting(begin: Begin, plan: str = PLAN) -> Action:
    recovery = begin(plan, confidence=0.5)
    work.run_due("recover", stage.recover)
    first = recovery.actions.earliest("pk")
    assert first.status == "waiting"
    return first


def edit(action: Action, parameters: Mapping[str, Any], actor: Actor = ANNA) -> Action:
    now = timezone.now()
    seen = preview_of(Action.objects.get(pk=action.pk), now).hash
    return deciding.approve(
        action=action, user=None, actor=actor, now=now, preview_hash=seen, parameters=parameters
    )


def refused(action: Action, parameters: Mapping[str, Any]) -> Problem:
    with pytest.raises(Problem) as refusal:
        edit(action, parameters)
    return refusal.value


def test_what_was_changed_is_what_runs(begin: Begin, target: Target) -> None:
    """In the waiting step and in a later one; the template keeps what it says."""
    action = waiting(begin)
    assert edit(action, {"tell.what": "firmly", "pause.seconds": "600"}).status == "planned"
    recovery = drive(Recovery.objects.get())
    assert touched(target) == ["firmly"]
    assert recovery.actions.get(step="pause").parameters == {"seconds": 600}
    template = RecoveryPlan.objects.get().plan()
    assert template.step("pause").parameters == {"seconds": 1800}


def test_the_approval_binds_to_the_changed_plan(begin: Begin) -> None:
    """Its hash is that of the changed calls, not of those that were shown.

    Seen red with the preview of before the change kept in `deciding.approve`.
    """
    action = waiting(begin)
    shown = preview_of(action, timezone.now()).calls_hash
    edit(action, {"pause.seconds": 600})
    recovery = Recovery.objects.get()
    now = preview_of(Action.objects.get(), timezone.now()).calls_hash
    assert recovery.approved_hash == now != shown


def test_it_tells_what_was_changed(begin: Begin) -> None:
    """Old and new, in the timeline and in the audit log."""
    action = waiting(begin)
    edit(action, {"pause.seconds": 600, "tell.what": "gently"})
    words = "Pause, seconds: 1800 → 600"
    assert TimelineEntry.objects.filter(text=f"changed the plan: {words}", actor="anna").exists()
    entry = AuditEntry.objects.get(verb="plan_edited")
    assert (entry.comment, entry.subject_id) == (words, str(action.recovery_id))
    assert entry.before != entry.after


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"pause.seconds": 59}, "out_of_range"),
        ({"pause.seconds": 3601}, "out_of_range"),
        ({"pause.seconds": "nan"}, "out_of_range"),
        ({"pause.seconds": True}, "out_of_range"),
        ({"pause.seconds": "soon"}, "out_of_range"),
        ({"pause.seconds": 60.5}, "invalid"),
        ({"tell.what": "gruffly"}, "out_of_range"),
        ({"tell.what": ["gently"]}, "out_of_range"),
        ({"tell.where": "gently"}, "unknown_field"),
        ({"nobody.what": "gently"}, "unknown_field"),
        ({"delay": 5}, "unknown_field"),
    ],
)
def test_what_is_outside_is_refused(begin: Begin, parameters: dict[str, Any], code: str) -> None:
    """400 with the field, and nothing of it is stored, also not what was inside.

    Seen red without the look at the range in `Range.read`: 59 and 3601 were stored.
    """
    action = waiting(begin)
    document = Recovery.objects.get().document
    problem = refused(action, {"tell.what": "firmly"} | parameters)
    (error,) = problem.errors
    assert (problem.status, error.code) == (400, code)
    assert error.field == f"parameters.{next(iter(parameters))}"
    action.refresh_from_db()
    assert (action.status, action.parameters) == ("waiting", {"what": "gently"})
    assert Recovery.objects.get().document == document
    assert not AuditEntry.objects.filter(verb="plan_edited").exists()


def test_after_a_decision_nothing_is_changed(begin: Begin) -> None:
    """409 with who decided. Seen red without the look at the decision in `_lock_undecided`."""
    action = waiting(begin)
    approve(action)
    document = Recovery.objects.get().document
    problem = refused(action, {"pause.seconds": 600})
    assert (problem.status, problem.code) == (409, "already_decided")
    assert Recovery.objects.get().document == document


def test_what_was_sent_is_not_changed(begin: Begin) -> None:
    """A later step may wait anew; what is done before it stays as it was."""
    action = approve(waiting(begin))
    Action.objects.update(due_at=timezone.now())
    sending.run_due()
    work.run_due("recover", stage.recover)
    Action.objects.filter(step="pause").update(status="waiting", expires_at=action.expires_at)
    Recovery.objects.update(approved_by_name="", approved_hash="")
    later = Action.objects.get(step="pause")
    assert [one.name for one in preview_of(later, timezone.now()).editable] == ["pause.seconds"]
    assert refused(later, {"tell.what": "firmly"}).errors[0].code == "unknown_field"


def test_the_first_of_two_approves_what_the_second_sees(begin: Begin) -> None:
    """Who changes it after another has approved approves another plan: the first looks again."""
    action = waiting(begin)
    Incident.objects.update(severity="critical")
    first, second = Actor("person", "anna", 1), Actor("person", "bert", 2)
    edit(action, {}, first)
    assert edit(action, {"pause.seconds": 600}, second).status == "waiting"
    assert [one["by"] for one in Action.objects.get().approvals] == ["bert"]
    assert edit(action, {}, first).status == "planned"


def test_taken_back_the_change_stays(begin: Begin) -> None:
    """The approval is withdrawn; the plan waits as it stands now, and may be changed again."""
    action = edit(waiting(begin), {"pause.seconds": 600})
    deciding.take_back(action=action, actor=ANNA, now=timezone.now())
    (what, seconds) = preview_of(Action.objects.get(), timezone.now()).editable
    assert (what.value, seconds.value, seconds.allowed) == ("gently", 600, "60 to 3,600")


def test_one_word_is_for_all_that_waits_of_a_plan(begin: Begin, target: Target) -> None:
    """A first group of two steps: both run after one approval, the change in its own.

    Seen red without `_move_beside` in `approve`: the other waited on.
    """
    action = waiting(begin, BESIDE)
    edit(action, {"left.what": "west"})
    assert set(Action.objects.values_list("status", "decided_by_name")) == {("planned", "anna")}
    assert Action.objects.filter(decided_at__isnull=False).count() == 1
    drive(Recovery.objects.get())
    assert sorted(touched(target)) == ["right", "west"]


def test_a_no_is_for_all_that_waits(begin: Begin, target: Target) -> None:
    action = waiting(begin, BESIDE)
    deciding.reject(action=action, user=None, actor=ANNA, now=timezone.now())
    assert set(Action.objects.values_list("status", flat=True)) == {"rejected"}
    drive(Recovery.objects.get())
    assert touched(target) == []


def test_it_is_taken_back_for_all_or_not_at_all(begin: Begin, target: Target) -> None:
    """Once one of them was sent, there is nothing to take back."""
    action = approve(waiting(begin, BESIDE))
    deciding.take_back(action=action, actor=ANNA, now=timezone.now())
    assert set(Action.objects.values_list("status", "decided_by_name")) == {("waiting", "")}
    action = approve(action)
    Action.objects.exclude(pk=action.pk).update(due_at=timezone.now())
    sending.run_due()
    assert touched(target) == ["right"]
    with pytest.raises(Problem) as refusal:
        deciding.take_back(action=action, actor=ANNA, now=timezone.now())
    assert refusal.value.code == "invalid_transition"


@pytest.mark.django_db(transaction=True)
def test_of_those_who_decide_on_its_steps_at_once_one_wins(begin: Begin) -> None:
    """Whichever step they name, the decision is one; the others learn whose [P8].

    Seen red without `_move_beside`: one winner for each step.
    """
    ids = [waiting(begin, BESIDE).pk, Action.objects.latest("pk").pk]

    def decide(number: int) -> str:
        action = Action.objects.get(pk=ids[number % 2])
        call = approve if number % 3 else _reject
        return call(action).decided_by_name

    outcomes = at_once(12, decide)
    winners = [one for one in outcomes if isinstance(one, str)]
    losers = [one for one in outcomes if isinstance(one, Problem)]
    assert (len(winners), len(losers)) == (1, 11)
    assert {loser.code for loser in losers} == {"already_decided"}


def _reject(action: Action) -> Action:
    return deciding.reject(action=action, user=None, actor=ANNA, now=timezone.now())
