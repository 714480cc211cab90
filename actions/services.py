"""What people decide about actions, and what happens when nobody does [A4 A6].

Each is one transaction that locks incident and action first, so of two deciders exactly one wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from actions import gatekeeping, planning
from actions.lifecycle import lock_action, move
from actions.models import Action, ActionKind
from actions.plans.services import begin
from actions.states import ACTIVE, CANCELLABLE, ActionStatus
from ai.models import OutcomeResult
from ai.services import remember
from awfdrs_site.kernel import correlation, handoff
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import FieldError, Problem, echo, invalid
from awfdrs_site.kernel.transition import IllegalTransition, lock
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.states import IncidentStatus

MAX_DELAY_SECONDS = 3600


@transaction.atomic
def approve(
    *,
    action: Action,
    user: AbstractBaseUser | None,
    actor: Actor,
    now: datetime,
    comment: str = "",
    parameters: Mapping[str, Any] | None = None,
) -> Action:
    """Let a waiting action run; it still passes the gate's other checks when it is sent.

    `parameters` may hold `delay_seconds` (0 to 3600). Raises 409 `already_decided` naming who was
    first, 410 `approval_expired`, 400 `validation_error`.
    """
    delay = _delay_of(parameters or {})
    action = _lock_undecided(action, now)
    fields = _decided(user, actor, now, comment) | {"due_at": now + timedelta(seconds=delay)}
    move(action, ActionStatus.PLANNED, actor=actor, now=now, comment=comment, **fields)
    _approve_plan_of(action, actor)
    _note(action, f"approved retry {action.attempt} of {action.max_attempts}", actor, now, comment)
    handoff.ring_on_commit("send")
    return action


def _approve_plan_of(action: Action, actor: Actor) -> None:
    """A person's word holds for the whole plan: its later steps ask nobody again."""
    if action.recovery is not None:
        action.recovery.approved_by_name = actor.name
        action.recovery.save(update_fields=["approved_by_name"])


@transaction.atomic
def reject(
    *, action: Action, user: AbstractBaseUser | None, actor: Actor, now: datetime, comment: str = ""
) -> Action:
    """Say no to a waiting action; nothing runs. Raises as `approve` does."""
    action = _lock_undecided(action, now)
    fields = _decided(user, actor, now, comment)
    move(action, ActionStatus.REJECTED, actor=actor, now=now, comment=comment, **fields)
    remember(action.incident, OutcomeResult.REJECTED, now)
    _note(action, f"rejected retry {action.attempt} of {action.max_attempts}", actor, now, comment)
    return action


def _lock_undecided(action: Action, now: datetime) -> Action:
    _, action = lock_action(action.pk)
    if action.decided_at is not None:
        raise Problem(
            409,
            "already_decided",
            f"{action.decided_by_name} decided first: {action.get_status_display().lower()}.",
            decided_by=action.decided_by_name,
            decided_at=action.decided_at,
            status_now=action.status,
        )
    if action.status == ActionStatus.EXPIRED or (
        action.status == ActionStatus.WAITING and action.has_expired(now)
    ):
        raise Problem(410, "approval_expired", "This approval has expired; nothing will run.")
    if action.status != ActionStatus.WAITING:
        words = action.get_status_display().lower()
        raise Problem(409, "invalid_transition", f"It is not waiting for a decision: {words}.")
    return action


def _decided(
    user: AbstractBaseUser | None, actor: Actor, now: datetime, comment: str
) -> dict[str, Any]:
    return {
        "decided_at": now,
        "decided_by": user,
        "decided_by_name": actor.name,
        "decision_comment": comment,
    }


def _delay_of(parameters: Mapping[str, Any]) -> float:
    errors = [
        FieldError(f"parameters.{name}", "unknown_field", "Not a parameter of a retry.")
        for name in parameters
        if name != "delay_seconds"
    ]
    delay = parameters.get("delay_seconds", 0)
    number = isinstance(delay, int | float) and not isinstance(delay, bool)
    if not number or not 0 <= delay <= MAX_DELAY_SECONDS:
        detail = f"A number of seconds from 0 to {MAX_DELAY_SECONDS}, not {echo(delay)}."
        errors.append(FieldError("parameters.delay_seconds", "out_of_range", detail))
    if errors:
        raise invalid(errors)
    return float(delay)


def _note(action: Action, words: str, actor: Actor, now: datetime, comment: str) -> None:
    data = {"action": str(action.pk), "comment": comment}
    announce.note(action.incident, TimelineKind.APPROVAL, words, actor=actor, now=now, data=data)


@transaction.atomic
def cancel(*, action: Action, actor: Actor, now: datetime, comment: str = "") -> Action:
    """Call off an action that has not been sent, or stop asking about one in doubt.

    409 `invalid_transition` once the engine has it.
    """
    _, action = lock_action(action.pk)
    if action.status not in CANCELLABLE:
        raise IllegalTransition("action", action.status, ActionStatus.CANCELLED, frozenset())
    move(action, ActionStatus.CANCELLED, actor=actor, now=now, comment=comment)
    _note(action, f"called off the {action.kind}", actor, now, comment)
    return action


@transaction.atomic
def run(*, action: Action, actor: Actor, now: datetime) -> Action:
    """Try a blocked action again: through the gate once more, when it is sent.

    What only a dry run held back is the person's own decision from then on. Raises 409
    `action_active` while another retry is under way.
    """
    incident, action = lock_action(action.pk)
    if action.status != ActionStatus.BLOCKED:
        words = action.get_status_display().lower()
        raise Problem(409, "invalid_transition", f"Only a blocked action is run by hand: {words}.")
    if action.kind == ActionKind.RETRY:
        _refuse_a_second_retry(incident)
    fields: dict[str, Any] = {}
    if gatekeeping.is_rehearsed(action.receipt):
        fields = _decided(None, actor, now, "")
        _approve_plan_of(action, actor)
    move(action, ActionStatus.PLANNED, actor=actor, now=now, due_at=now, **fields)
    _note(action, f"asked to run the {action.kind} after all", actor, now, "")
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

    Raises 409 `action_active` while a retry is under way, 409 `invalid_transition` when the
    incident is over, 400 `validation_error`.
    """
    delay = _delay_of(parameters or {})
    incident = lock(incident)
    if incident.status in (IncidentStatus.RESOLVED, IncidentStatus.IGNORED):
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
        decided_at=now,
        decided_by_name=actor.name,
    )


def _refuse_a_second_retry(incident: Incident) -> None:
    if incident.actions.filter(kind=ActionKind.RETRY, status__in=ACTIVE).exists():
        raise Problem(409, "action_active", "A retry of this incident is already under way.")


@transaction.atomic
def escalate(*, incident: Incident, actor: Actor, now: datetime, comment: str = "") -> Action:
    """Call on-call by hand; 409 `already_escalated` if that was done since it opened."""
    incident = lock(incident)
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
    _note(action, "Nobody decided in time; nothing runs", MACHINE, now, "")
    if incident.status not in (IncidentStatus.RESOLVED, IncidentStatus.IGNORED):
        reason = "An approval expired without a decision."
        planning.escalate(incident, reason, decision=action.decision, now=now)
