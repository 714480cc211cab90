"""Deciding on what waits: approve, take back, reject [A4].

Each is one transaction that locks incident and action first, so of two deciders exactly one wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from actions import approval, editing, planning
from actions.lifecycle import lock_action, move, show
from actions.models import Action
from actions.previewing import Shown, preview_of
from actions.states import ActionStatus
from ai.models import OutcomeResult
from ai.services import remember
from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from incidents import announce
from incidents.models import TimelineKind
from safety.selectors import policy_for

# What is approved starts so much later: time to take it back.
TAKE_BACK_SECONDS = 5


@transaction.atomic
def approve(
    *,
    action: Action,
    user: AbstractBaseUser | None,
    actor: Actor,
    now: datetime,
    comment: str = "",
    parameters: Mapping[str, Any] | None = None,
    preview_hash: str = "",
) -> Action:
    """Let a waiting action run, 5 s from now; it still passes the gate's other checks then.

    `parameters` may hold `delay_seconds` (0 to 3600), and of a plan `step.parameter` where the plan
    lets an approver change it: what is approved then is the plan with the change. `preview_hash`:
    of what the approver has seen; a plan needs it. Raises 409 `already_decided` naming who was
    first, 409 `preview_changed` with what it is now, 410 `approval_expired`, 400
    `validation_error`, and as `approval.refuse`. Where two must approve, the first leaves it
    waiting. Of a plan, every step that waits is approved with this one.
    """
    given = dict(parameters or {})
    edits = {name: given.pop(name) for name in list(given) if "." in name}
    delay = approval.delay_of(given)
    action = _lock_undecided(action, now)
    shown = _seen(action, preview_hash, now)
    if edits:
        editing.edit(action=action, edits=edits, actor=actor, now=now)
        shown = preview_of(action, now)
    policy = policy_for(action.tenant_id, action.incident.workflow_id)
    needed = policy.approvals_needed(action.incident.severity)
    before = approval.standing(action.approvals, shown.calls_hash)
    approval.refuse(
        actor,
        requested_by=action.requested_by,
        requester_may_approve=policy.requester_may_approve,
        given=before,
        needed=needed,
    )
    action.approvals = [*before, approval.entry(actor, shown.calls_hash, now)]
    if len(action.approvals) < needed:
        return _approved_in_part(action, needed, actor, now, comment)
    all_names = approval.names(action.approvals)[:150]
    fields = _decided(user, actor, now, comment) | {
        "approvals": action.approvals,
        "decided_by_name": all_names,
        "due_at": now + timedelta(seconds=max(delay, TAKE_BACK_SECONDS)),
        "approved_hash": shown.calls_hash,
    }
    move(action, ActionStatus.PLANNED, actor=actor, now=now, comment=comment, **fields)
    approve_plan_of(action, all_names, shown.calls_hash)
    _move_beside(action, ActionStatus.PLANNED, actor, now, comment, due_at=action.due_at)
    note(action, f"approved {_what(action)}", actor, now, comment)
    return action


def _what(action: Action) -> str:
    if action.step and action.recovery is not None:
        return f"the plan “{action.recovery.title}”"
    return f"retry {action.attempt} of {action.max_attempts}"


def _move_beside(
    action: Action, to: str, actor: Actor, now: datetime, comment: str, **fields: Any
) -> None:
    """One word is for the whole plan: what waits beside the decided `action` goes the same way.

    The decision itself (`decided_at`) stands with `action` alone.
    """
    said = {name: getattr(action, name) for name in _NOT_DECIDED if name != "decided_at"}
    for one in _beside(action, ActionStatus.WAITING):
        move(one, to, actor=actor, now=now, comment=comment, **said, **fields)


def _beside(action: Action, status: str) -> list[Action]:
    """The plan's other steps that wait or waited for a person and are in that state now, locked."""
    if action.recovery is None or not action.step:
        return []
    others = action.recovery.actions.filter(status=status, role=action.role).exclude(pk=action.pk)
    asked = others.filter(expires_at__isnull=False).order_by("pk")
    found = list(asked.select_for_update(of=("self",), no_key=True))
    for one in found:
        one.incident, one.recovery = action.incident, action.recovery
    return found


def approve_plan_of(action: Action, names: str, calls_hash: str) -> None:
    """People's word holds for the whole plan: its later steps ask nobody again."""
    if action.recovery is not None:
        action.recovery.approved_by_name = names
        action.recovery.approved_hash = calls_hash
        action.recovery.save(update_fields=["approved_by_name", "approved_hash"])


def _approved_in_part(
    action: Action, needed: int, actor: Actor, now: datetime, comment: str
) -> Action:
    """One more has approved the locked action, and it still waits."""
    action.save(update_fields=["approvals"])
    words = f"{len(action.approvals)} of {needed}"
    audit.record(
        tenant_id=action.tenant_id,
        actor=actor,
        verb="approved",
        subject=action,
        now=now,
        after=words,
        comment=comment,
    )
    note(action, f"approved it, {words}", actor, now, comment)
    show(action)
    return action


@transaction.atomic
def take_back(*, action: Action, actor: Actor, now: datetime) -> Action:
    """An approval that has started nothing yet is undone: the action waits again, until it expires.

    409 `invalid_transition` once a worker has it, and for what nobody approved.
    """
    _, action = lock_action(action.pk)
    approved = action.decided_at is not None and action.expires_at is not None
    if action.status != ActionStatus.PLANNED or not approved or _has_begun(action):
        detail = "There is no approval to take back, or it has started already."
        raise Problem(409, "invalid_transition", detail, current=action.status, legal=[])
    if action.recovery is not None:
        action.recovery.approved_by_name = action.recovery.approved_hash = ""
        action.recovery.save(update_fields=["approved_by_name", "approved_hash"])
    fields = _NOT_DECIDED | {"approved_hash": "", "approvals": []}
    for one in [action, *_beside(action, ActionStatus.PLANNED)]:
        move(one, ActionStatus.WAITING, actor=actor, now=now, comment="taken back", **fields)
        planning.follow_up(one, now)
    note(action, "took the approval back", actor, now, "")
    return action


def _has_begun(action: Action) -> bool:
    """Whether a step that was approved together with the locked `action` was sent already."""
    if action.recovery is None or not action.step:
        return False
    acting = action.recovery.actions.filter(acts=True, role=action.role)
    return acting.filter(sent_at__gte=action.decided_at).exists()


@transaction.atomic
def reject(
    *, action: Action, user: AbstractBaseUser | None, actor: Actor, now: datetime, comment: str = ""
) -> Action:
    """Say no to a waiting action; nothing runs. Raises as `approve` does."""
    action = _lock_undecided(action, now)
    fields = _decided(user, actor, now, comment)
    move(action, ActionStatus.REJECTED, actor=actor, now=now, comment=comment, **fields)
    _move_beside(action, ActionStatus.REJECTED, actor, now, comment)
    remember(action.incident, action.tried, OutcomeResult.REJECTED, now)
    note(action, f"rejected {_what(action)}", actor, now, comment)
    return action


_NOT_DECIDED: dict[str, Any] = {
    "decided_at": None,
    "decided_by": None,
    "decided_by_name": "",
    "decision_comment": "",
}


def _lock_undecided(action: Action, now: datetime) -> Action:
    _, action = lock_action(action.pk)
    if (decided := _decided_one(action)) is not None:
        raise Problem(
            409,
            "already_decided",
            f"{decided.decided_by_name} decided first: {decided.get_status_display().lower()}.",
            decided_by=decided.decided_by_name,
            decided_at=decided.decided_at,
            status_now=decided.status,
        )
    if action.status == ActionStatus.EXPIRED or (
        action.status == ActionStatus.WAITING and action.has_expired(now)
    ):
        raise Problem(410, "approval_expired", "This approval has expired; nothing will run.")
    if action.status != ActionStatus.WAITING:
        words = action.get_status_display().lower()
        raise Problem(409, "invalid_transition", f"It is not waiting for a decision: {words}.")
    return action


def _decided_one(action: Action) -> Action | None:
    """The action that carries the decision on the locked `action`: itself, or one beside it."""
    if action.decided_at is not None:
        return action
    if action.status == ActionStatus.WAITING or not action.decided_by_name or not action.step:
        return None
    assert action.recovery is not None
    decided = action.recovery.actions.filter(role=action.role, decided_at__isnull=False)
    return decided.order_by("decided_at").last()


def _seen(action: Action, preview_hash: str, now: datetime) -> Shown:
    """The preview as it is now, if that is what the approver has seen."""
    shown = preview_of(action, now)
    if not preview_hash and action.step:
        detail = "A plan is approved with the hash of its preview."
        raise invalid([FieldError("preview_hash", "required", detail)])
    if preview_hash and preview_hash != shown.hash:
        raise Problem(
            409,
            "preview_changed",
            "What it would call has changed since you looked; look again, then decide.",
            preview_hash=shown.hash,
            preview=shown.to_json(),
        )
    return shown


def _decided(
    user: AbstractBaseUser | None, actor: Actor, now: datetime, comment: str
) -> dict[str, Any]:
    return {
        "decided_at": now,
        "decided_by": user,
        "decided_by_name": actor.name,
        "decision_comment": comment,
    }


def note(action: Action, words: str, actor: Actor, now: datetime, comment: str) -> None:
    """A line of the timeline about what somebody decided."""
    data = {"action": str(action.pk), "comment": comment}
    announce.note(action.incident, TimelineKind.APPROVAL, words, actor=actor, now=now, data=data)
