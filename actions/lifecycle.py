"""Moving an action along its table, with everything that must happen together."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from actions.models import Action, ActionKind
from actions.plans.following import follow
from actions.states import FINAL, TRANSITIONS, ActionStatus
from awfdrs_site.kernel import live, work
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.transition import change_status, lock
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.services import set_recovery
from incidents.states import CLOSED, Recovery

# What the incident's row says while its latest retry is in a state.
_RECOVERY = {
    ActionStatus.WAITING: Recovery.WAITING,
    ActionStatus.PLANNED: Recovery.RUNNING,
    ActionStatus.SENDING: Recovery.VERIFYING,
    ActionStatus.BLOCKED: Recovery.BLOCKED,
    ActionStatus.REJECTED: Recovery.NONE,
    ActionStatus.EXPIRED: Recovery.NONE,
    ActionStatus.CANCELLED: Recovery.NONE,
    ActionStatus.FAILED: Recovery.FAILED,
}


def lock_action(action_id: UUID) -> tuple[Incident, Action]:
    """Lock the incident, then the action: always in this order, so that no two wait in a ring."""
    incident_id = Action.objects.values_list("incident_id", flat=True).get(pk=action_id)
    incident = lock(Incident(pk=incident_id))
    action = lock(Action(pk=action_id))
    action.incident = incident
    return incident, action


def move(
    action: Action,
    to: str,
    *,
    actor: Actor,
    now: datetime,
    comment: str = "",
    goes_on: bool = False,
    **fields: Any,
) -> Action:
    """One step of the locked `action`; its locked incident and its recovery follow, pages are told.

    `goes_on`: the caller inserts the next attempt at once, so this end is not the recovery's.
    """
    if to in FINAL:
        fields.setdefault("finished_at", now)
    change_status(action, to, table=TRANSITIONS, actor=actor, now=now, comment=comment, **fields)
    show(action)
    if not goes_on:
        hand_on(action, now)
    return action


def hand_on(action: Action, now: datetime) -> None:
    """Let the action's recovery know what became of it, in the same commit [P9]."""
    if action.recovery is not None and action.step:
        work.enqueue("recover", action.tenant_id, [action.recovery.pk], now)
    elif action.recovery is not None:
        follow(action.recovery, action, now)


def note(action: Action, text: str, now: datetime) -> None:
    """A line of the timeline about what automation did; its glyph is that of the status."""
    data = {"action": str(action.pk), "status": action.status}
    announce.note(action.incident, TimelineKind.ACTION, text, actor=MACHINE, now=now, data=data)


def show(action: Action) -> None:
    """Let the incident's row and the open pages follow the action (its incident is locked)."""
    incident = action.incident
    recovery = _RECOVERY.get(ActionStatus(action.status))
    over = incident.status in CLOSED
    # Of a plan, the recovery as a whole says how the incident stands.
    alone = action.kind == ActionKind.RETRY and not action.step
    if alone and recovery is not None and not over:
        set_recovery(incident, recovery)
    live.publish(action.tenant_id, "approvals")
    live.publish(action.tenant_id, "actions", action.pk)
    live.publish(action.tenant_id, f"incident:{incident.pk}")
