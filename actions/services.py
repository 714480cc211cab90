"""What people decide about actions, and what happens when nobody does [A4 A6].

Each is one transaction that locks incident and action first, so of two deciders exactly one wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from actions import approval, gatekeeping, planning
from actions.catalog import kind_named
from actions.deciding import approve_plan_of, note
from actions.lifecycle import lock_action, move
from actions.models import Action, ActionKind
from actions.plans.services import begin
from actions.previewing import preview_of
from actions.states import ACTIVE, CANCELLABLE, ActionStatus
from awfdrs_site.kernel import correlation, handoff
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from awfdrs_site.kernel.transition import IllegalTransition
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.services import lock_standing
from incidents.states import CLOSED
from safety.selectors import policy_for


@transaction.atomic
def cancel(*, action: Action, actor: Actor, now: datetime, comment: str = "") -> Action:
    """Call off an action that has not been sent, or stop asking about one in doubt.

    409 `invalid_transition` once the engine has it.
    """
    _, action = lock_action(action.pk)
    if action.status not in CANCELLABLE:
        raise IllegalTransition("action", action.status, ActionStatus.CANCELLED, frozenset())
    move(action, ActionStatus.CANCELLED, actor=actor, now=now, comment=comment)
    note(action, f"called off the {action.kind}", actor, now, comment)
    return action


@transaction.atomic
def run(*, action: Action, actor: Actor, now: datetime) -> Action:
    """Try a blocked action again: through the gate once more, when it is sent.

    What was held back for automation alone (a dry run, want of trust) is the person's own decision
    from then on. Raises 409
    `action_active` while another retry is under way.
    """
    incident, action = lock_action(action.pk)
    if action.status != ActionStatus.BLOCKED:
        words = action.get_status_display().lower()
        raise Problem(409, "invalid_transition", f"Only a blocked action is run by hand: {words}.")
    if action.kind == ActionKind.RETRY:
        _refuse_a_second_retry(incident)
    fields: dict[str, Any] = {}
    if gatekeeping.is_left_to_people(action.receipt):
        fields = _own_word(incident, actor, now)
        if not fields:
            detail = "Two people must decide on this: ask for a retry, which then waits for both."
            raise Problem(409, "second_approver_needed", detail)
        fields["approved_hash"] = preview_of(action, now).calls_hash
        approve_plan_of(action, actor.name, fields["approved_hash"])
    move(action, ActionStatus.PLANNED, actor=actor, now=now, due_at=now, **fields)
    note(action, f"asked to run the {action.kind} after all", actor, now, "")
    handoff.ring_on_commit("send")
    return action


@transaction.atomic
def request_action(
    *,
    incident: Incident,
    kind: str,
    actor: Actor,
    now: datetime,
    parameters: Mapping[str, Any] | None = None,
) -> Action:
    """A person's own retry or escalation: gated like any, but their word stands for confidence.

    `parameters`: `delay_seconds`, and for a retry `per_minute`, the pace of a bulk retry.
    Raises 409 `action_active` while a retry is under way, 409 `invalid_transition` when the
    incident is over, 400 `validation_error`.
    """
    given = dict(parameters or {})
    pace = {"per_minute": given.pop("per_minute")} if "per_minute" in given else {}
    if errors := kind_named(ActionKind.RETRY).check(pace):
        raise invalid(errors)
    delay = approval.delay_of(given)
    incident = lock_standing(incident)
    if incident.status in CLOSED:
        raise Problem(409, "invalid_transition", f"The incident is {incident.status}.")
    if kind == ActionKind.ESCALATE:
        return escalate(incident=incident, actor=actor, now=now)
    if kind != ActionKind.RETRY:
        raise invalid([FieldError("kind", "unknown_kind", "One of: retry, escalate.")])
    _refuse_a_second_retry(incident)
    announce.note(incident, TimelineKind.APPROVAL, "asked for a retry", actor=actor, now=now)
    return planning.create(
        incident,
        ActionKind.RETRY,
        decision=None,
        recovery=begin(incident, decision=None, template=None, now=now),
        now=now,
        due_at=now + timedelta(seconds=delay),
        requested_by=actor,
        parameters=pace,
        **_own_word(incident, actor, now),
    )


def _own_word(incident: Incident, actor: Actor, now: datetime) -> dict[str, Any]:
    """A person's request is its approval, unless another person must approve."""
    policy = policy_for(incident.tenant_id, incident.workflow_id)
    if policy.approvals_needed(incident.severity) > 1 or not policy.requester_may_approve:
        return {}
    return {"decided_at": now, "decided_by_name": actor.name}


def _refuse_a_second_retry(incident: Incident) -> None:
    if incident.actions.filter(kind=ActionKind.RETRY, status__in=ACTIVE).exists():
        raise Problem(409, "action_active", "A retry of this incident is already under way.")


@transaction.atomic
def escalate(*, incident: Incident, actor: Actor, now: datetime, comment: str = "") -> Action:
    """Call on-call by hand; 409 `already_escalated` if that was done since it opened."""
    incident = lock_standing(incident)
    reason = comment or f"{actor.name} asked for help"
    action = planning.escalate(incident, reason, decision=None, now=now, actor=actor)
    if action is None:
        raise Problem(409, "already_escalated", "It was escalated already.")
    return action


def expire(action_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, datetime]:
    """Stage `expire`: an approval nobody gave in time drops its action and calls a person."""
    for action_id in action_ids:
        with transaction.atomic():
            incident, action = lock_action(action_id)
            with correlation.bound(action.correlation_id, action.tenant_id):
                _expire_one(incident, action, now)
    return {}


def _expire_one(incident: Incident, action: Action, now: datetime) -> None:
    if action.status != ActionStatus.WAITING or not action.has_expired(now):
        return
    move(action, ActionStatus.EXPIRED, actor=MACHINE, now=now)
    note(action, "Nobody decided in time; nothing runs", MACHINE, now, "")
    if incident.status not in CLOSED:
        reason = "An approval expired without a decision."
        planning.escalate(incident, reason, decision=action.decision, now=now)
