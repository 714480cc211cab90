"""Taking back one action: by another, once, through the gate [A1]."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from actions import sending
from actions.models import Action
from actions.plans import services as recoveries
from actions.plans import stage
from actions.reversing import is_reversible, reverse
from actions.selectors import actions_for
from awfdrs_site.kernel import work
from awfdrs_site.kernel.problem import Problem
from safety.models import KillSwitch
from safety.services import engage_switch
from tests.actions.driving import ANNA, BROKEN, PAUSE, Begin, drive, engaged
from tests.threads import at_once

pytestmark = pytest.mark.django_db


def back(action: Action) -> Action:
    return reverse(action=action, actor=ANNA, now=timezone.now())


def refused(action: Action) -> Problem:
    with pytest.raises(Problem) as caught:
        back(action)
    assert caught.value.status == 409
    return caught.value


def can(action: Action) -> bool:
    found = actions_for(action.tenant).get(pk=action.pk)
    return is_reversible(found, timezone.now())


def test_a_pause_is_taken_back(begin: Begin) -> None:
    """By an action of its own that names it, as the plan's undo; the plan stays completed."""
    recovery = drive(begin(PAUSE))
    pause = recovery.actions.get()
    assert can(pause)
    undo = back(pause)
    assert (undo.kind, undo.reverses, undo.requested_by) == ("resume_workflow", pause, "anna")
    assert undo.receipt["outcome"] == "run"
    assert not can(pause)
    recovery = drive(recovery)
    assert (recovery.status, engaged()) == ("completed", [])
    undo.refresh_from_db()
    assert (undo.status, undo.role, undo.step) == ("succeeded", "undo", "pause")
    assert not can(undo)


def test_it_is_taken_back_once(begin: Begin) -> None:
    """The second is told which action does it; undoing the plan afterwards leaves it alone."""
    recovery = drive(begin(PAUSE))
    pause = recovery.actions.get()
    undo = back(pause)
    problem = refused(pause)
    assert (problem.code, problem.extra["reversed_by"]) == ("already_reversed", str(undo.pk))
    drive(recovery)
    assert refused(pause).code == "already_reversed"
    recoveries.ask_undo(recovery=recovery, actor=ANNA, now=timezone.now())
    assert drive(recovery).status == "rolled_back"
    assert Action.objects.filter(role="undo").count() == 1


def test_what_could_not_be_taken_back_may_be_asked_for_again(begin: Begin) -> None:
    """A stop of everything blocks the undo; once it is called off, another may be asked for."""
    pause = drive(begin(PAUSE)).actions.get()
    engage_switch(tenant=None, scope="global", actor=ANNA, now=timezone.now())
    first = back(pause)
    assert first.status == "blocked"
    assert refused(pause).code == "already_reversed"
    Action.objects.filter(pk=first.pk).update(status="cancelled")
    assert back(pause).attempt == 2


def test_a_plan_under_way_takes_its_steps_back_itself(begin: Begin) -> None:
    """One of its actions cannot be taken from under it."""
    recovery = drive(begin(PAUSE, "key: w, kind: wait, with: {seconds: 900}"))
    pause = recovery.actions.get(step="pause")
    assert refused(pause).code == "invalid_transition"
    assert not can(pause)


def test_what_a_rollback_undid_is_not_undone_again(begin: Begin) -> None:
    """The plan's own undo counts."""
    recovery = drive(begin(PAUSE, BROKEN))
    assert recovery.status == "rolled_back"
    assert refused(recovery.actions.get(step="pause", role="do")).code == "already_reversed"


def test_nothing_takes_back_a_retry(planned: Callable[..., Action]) -> None:
    """The engine ran its work; that stays."""
    action = planned()
    sending.run_due()
    assert refused(action).code == "not_reversible"


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_take_it_back_once(begin: Begin) -> None:
    """One inserts the undo, the others are told of it.

    Seen red without the lock in `reverse`: the others met the constraint instead.
    """
    pause = drive(begin(PAUSE)).actions.get()
    outcomes = at_once(20, lambda _: back(pause))
    undone = [one for one in outcomes if isinstance(one, Action)]
    told = [one.code for one in outcomes if isinstance(one, Problem)]
    assert (len(undone), told) == (1, ["already_reversed"] * 19)
    work.run_due("recover", stage.recover)
    sending.run_due()
    assert KillSwitch.objects.get().released_at is not None
