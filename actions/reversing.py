"""Taking back one action: what undoes it runs as an action of its own, through the gate [A1].

Of a plan's step it is the step's undo like any other, so undoing the whole plan afterwards leaves
that step alone.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from actions import planning
from actions.lifecycle import lock_action
from actions.models import Action, Recovery, StepRole
from actions.plans.document import Call
from actions.plans.expression import ExpressionError, fill
from actions.plans.stage import facts_of
from actions.plans.states import SETTLED
from actions.states import STANDING
from actions.undoing import undo_of
from ai.services import remember_reversal
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import Problem
from incidents import announce
from incidents.models import TimelineKind


@transaction.atomic
def reverse(*, action: Action, actor: Actor, now: datetime) -> Action:
    """Insert the action that takes `action` back; the person's word stands for confidence.

    Raises 409 `not_reversible`, 409 `already_reversed` (naming what does or did it), and 409
    `invalid_transition` while the plan it belongs to is under way. Locks: incident, then action.
    """
    incident, action = lock_action(action.pk)
    recovery = action.recovery
    call = undo_of(action, now)
    if call is None:
        raise _not_reversible(action, "Nothing takes it back.")
    earlier = action.reversals.filter(status__in=STANDING).first()
    if earlier is not None:
        words = f"{earlier.get_kind_display()} takes it back: {earlier.get_status_display()}."
        raise Problem(409, "already_reversed", words, reversed_by=str(earlier.pk))
    if recovery is not None and recovery.status not in SETTLED:
        detail = "Its plan is under way; undo the plan, or wait for its end."
        raise Problem(409, "invalid_transition", detail, current=recovery.status, legal=[])
    tries = action.reversals.count()
    if recovery is not None:
        remember_reversal(incident, recovery.tried, recovery.created_at, now)
    text = f"asked to undo “{action.get_kind_display()}”"
    announce.note(incident, TimelineKind.APPROVAL, text, actor=actor, now=now)
    return planning.create(
        incident,
        call.kind,
        decision=None,
        now=now,
        requested_by=actor,
        decided_at=now,
        decided_by_name=actor.name,
        recovery=recovery,
        step=action.step,
        role=StepRole.UNDO,
        reverses=action,
        attempt=tries + 1,
        max_attempts=tries + 1,
        timeout_seconds=action.timeout_seconds,
        parameters=_filled(action, call, recovery),
    )


def _not_reversible(action: Action, words: str) -> Problem:
    detail = f"{action.get_kind_display()} cannot be undone. {words}"
    return Problem(409, "not_reversible", detail, kind=action.kind, action_status=action.status)


def _filled(action: Action, call: Call, recovery: Recovery | None) -> dict[str, object]:
    if recovery is None:
        return call.parameters
    recovery.incident = action.incident
    try:
        facts = facts_of(recovery, list(recovery.actions.order_by("attempt", "chunk")))
        filled: dict[str, object] = fill(call.parameters, facts)
    except ExpressionError as error:
        raise _not_reversible(action, str(error)) from error
    return filled


def is_reversible(action: Action, now: datetime) -> bool:
    """Whether `reverse` would take it, for a row of `selectors.actions_for`; no queries."""
    settled = action.recovery is None or action.recovery.status in SETTLED
    return settled and not action.is_reversed and undo_of(action, now) is not None  # type: ignore[attr-defined]
