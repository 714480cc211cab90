"""What takes back an action: its step says so, or its kind knows how [A1 A2]."""

from __future__ import annotations

from datetime import datetime

from actions.catalog import kinds
from actions.catalog.kind import Order
from actions.models import Action, StepRole
from actions.plans.document import Call


def undo_of(action: Action, now: datetime) -> Call | None:
    """The call that takes `action` back, its references not filled in; None if nothing does.

    What its target did not take needs no undoing; an undo is not undone.
    """
    if not action.result.get("taken") or action.role not in ("", StepRole.DO):
        return None
    plan = action.recovery.plan() if action.recovery and action.step else None
    step = plan.step(action.step) if plan else None
    if step is not None and (step.irreversible or step.undo is not None):
        return step.undo
    kind = kinds().get(action.kind)  # None: it was done when there was such a kind
    if kind is None or not kind.reversible:
        return None
    return kind.undo(Order(action, now), kind.read(action.parameters))
