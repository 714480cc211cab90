"""Stage `recover`: look at a recovery's attempts, start what comes next, say how it stands [A2 P9].

Every end of an attempt leaves this work in its own transaction, so a crash at any boundary leaves
either the work or nothing to do. What it starts are rows of `actions`, unique by step, role and
number: looking twice starts nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from actions import planning
from actions.catalog import kind_named
from actions.lifecycle import move
from actions.models import Action, Recovery, StepRole
from actions.plans import services
from actions.plans.document import Call, Plan
from actions.plans.engine import VERIFY, Attempt, AttemptState, Next, Start, advance, is_unfinished
from actions.plans.expression import ExpressionError, fill
from actions.plans.following import cooling
from actions.plans.states import ENDS, RecoveryState
from actions.states import ACTIVE, ActionStatus
from actions.undoing import undo_of
from ai.models import OutcomeResult
from ai.services import remember
from awfdrs_site.kernel import correlation, work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.transition import lock
from incidents.models import Incident
from incidents.selectors import closed_by_person
from incidents.services import resolve_verified, set_recovery
from incidents.states import CLOSED
from incidents.states import Recovery as IncidentRecovery

_ON_INCIDENT = {
    RecoveryState.AWAITING_APPROVAL: IncidentRecovery.WAITING,
    RecoveryState.COOLDOWN: IncidentRecovery.RUNNING,
    RecoveryState.EXECUTING: IncidentRecovery.RUNNING,
    RecoveryState.VERIFYING: IncidentRecovery.VERIFYING,
    RecoveryState.ROLLING_BACK: IncidentRecovery.RUNNING,
    RecoveryState.FAILED: IncidentRecovery.FAILED,
    RecoveryState.ROLLED_BACK: IncidentRecovery.FAILED,
    RecoveryState.NEEDS_HUMAN: IncidentRecovery.BLOCKED,
}
_UNSENT = (
    *(ActionStatus.WAITING, ActionStatus.PLANNED),
    *(ActionStatus.CLAIMED, ActionStatus.BLOCKED),
)
_CALLS_A_PERSON = (RecoveryState.FAILED, RecoveryState.ROLLED_BACK, RecoveryState.NEEDS_HUMAN)


def recover(recovery_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, datetime]:
    """Take each recovery as far as its attempts allow. Locks: incident, then recovery."""
    for recovery_id in recovery_ids:
        with transaction.atomic():
            incident_id = Recovery.objects.values_list("incident_id", flat=True).get(pk=recovery_id)
            incident = lock(Incident(pk=incident_id))
            recovery = lock(Recovery(pk=recovery_id))
            recovery.incident = incident
            with correlation.bound(recovery.correlation_id, recovery.tenant_id):
                _go_on(recovery, now)
    return {}


def _go_on(recovery: Recovery, now: datetime) -> None:
    plan = recovery.plan()
    if plan is None:
        return
    actions = list(recovery.actions.exclude(step="").order_by("attempt", "chunk"))
    for action in actions:
        action.recovery, action.incident = recovery, recovery.incident
    attempts = [attempt_of(action, now) for action in actions]
    if is_unfinished(plan, attempts) and _is_cut_short(recovery, actions):
        words = "The incident is over: what was not sent does not run, what was done is undone."
        services.ask_undo(recovery=recovery, actor=MACHINE, now=now, comment=words)
        recovery.refresh_from_db(fields=["status", "reason", "history", "undo_asked_by"])
    if recovery.undo_asked_by:
        _call_off(actions, now)
        attempts = [attempt_of(action, now) for action in actions]
    found = advance(plan, attempts, undo_asked=bool(recovery.undo_asked_by))
    for start in found.starts:
        actions.append(_start(recovery, plan, start, actions, now))
    state, reason = _shown(found, actions)
    before = recovery.status
    services.move(recovery, state, reason, now)
    if recovery.status != before:
        _tell(recovery, found, now)


def _is_cut_short(recovery: Recovery, actions: Sequence[Action]) -> bool:
    """Whether its incident ended under it: by a person, or by its own events before the plan did
    anything. A plan that has acted goes on: its own steps may be what helped."""
    if recovery.status in ENDS or recovery.undo_asked_by or recovery.incident.status not in CLOSED:
        return False
    acted = any(one.acts and one.sent_at and one.role == StepRole.DO for one in actions)
    return closed_by_person(recovery.incident) or not acted


def _call_off(actions: Sequence[Action], now: datetime) -> None:
    """Cancel the steps and probes that were not sent. Locks them (their incident is locked)."""
    for action in actions:
        if action.role == StepRole.UNDO or action.status not in _UNSENT:
            continue
        action.refresh_from_db(from_queryset=Action.objects.select_for_update(of=("self",)))
        if action.status in _UNSENT:
            words = "the plan is taken back"
            move(action, ActionStatus.CANCELLED, actor=MACHINE, now=now, comment=words)


def attempt_of(action: Action, now: datetime) -> Attempt:
    """What became of an action, as the engine sees it."""
    state: AttemptState = "stopped"
    if action.status in ACTIVE:
        state = "open"
    elif action.status == ActionStatus.SUCCEEDED or action.result.get("pointless"):
        state = "succeeded"  # what there was nothing left to do for is done
    elif action.status == ActionStatus.FAILED:
        state = "failed"
    return Attempt(
        step=action.step,
        role=action.role,  # type: ignore[arg-type]  # StepRole's words
        number=action.attempt,
        state=state,
        took_effect=bool(action.result.get("taken")),
        reason=str(action.result.get("reason") or action.get_status_display()),
        has_undo=undo_of(action, now) is not None,
    )


def _start(
    recovery: Recovery, plan: Plan, start: Start, actions: Sequence[Action], now: datetime
) -> Action:
    """Insert the attempt as an action, through the gate; one that cannot be filled has failed."""
    call, most, timeout = _call_of(plan, start, actions, now)
    fields: dict[str, Any] = {
        "recovery": recovery,
        "step": start.step,
        "role": StepRole(start.role),
        "attempt": start.number,
        "max_attempts": most,
        "timeout_seconds": timeout,
    }
    if start.role == "undo":
        fields["reverses"] = _last_done(start.step, actions)
    try:
        filled = fill(call.parameters, facts_of(recovery, actions))
        kind_named(call.kind).read(filled)
    except (ExpressionError, ValueError) as error:  # msgspec's ValidationError is a ValueError
        return planning.create_failed(kind=call.kind, reason=str(error), now=now, **fields)
    return planning.create(
        recovery.incident,
        call.kind,
        decision=recovery.decision,
        now=now,
        due_at=now + timedelta(seconds=start.after_seconds),
        parameters=filled,
        **fields,
    )


def _call_of(
    plan: Plan, start: Start, actions: Sequence[Action], now: datetime
) -> tuple[Call, int, int]:
    """What the attempt calls, how often it may be tried, and its timeout in seconds."""
    if start.step == VERIFY and plan.verify is not None:
        verify = plan.verify
        return Call(verify.kind, verify.parameters), verify.tries, verify.timeout_seconds
    step = plan.step(start.step)
    limits = step.retries.max_attempts, step.timeout_seconds
    if start.role == "undo":
        undo = undo_of(_last_done(start.step, actions), now)
        assert undo is not None  # the engine undoes nothing else
        return undo, *limits
    return Call(step.kind, step.parameters), *limits


def _last_done(step: str, actions: Sequence[Action]) -> Action:
    """The step's newest attempt that its target took."""
    done = [a for a in actions if (a.step, a.role) == (step, StepRole.DO) and a.result.get("taken")]
    return done[-1]


def facts_of(recovery: Recovery, actions: Sequence[Action]) -> dict[str, Any]:
    """What references may name: what was known at the beginning, and results of earlier steps."""
    steps = {
        action.step: action.result
        for action in actions
        if action.role == StepRole.DO and action.status == ActionStatus.SUCCEEDED
    }
    return {**recovery.facts, "steps": steps}


def _shown(found: Next, actions: Sequence[Action]) -> tuple[str, str]:
    """The state in people's words: what executes may be waiting for a person or a cooldown."""
    if found.state not in ("executing", "verifying", "rolling_back"):
        return found.state, found.reason
    waiting = [action for action in actions if action.status == ActionStatus.WAITING]
    if waiting and found.state == "executing":
        return RecoveryState.AWAITING_APPROVAL, f"{waiting[0].step} waits for a person."
    for action in actions:
        if action.status == ActionStatus.PLANNED and (words := cooling(action.receipt)):
            return RecoveryState.COOLDOWN, words
    return found.state, found.reason


def _tell(recovery: Recovery, found: Next, now: datetime) -> None:
    """What follows from a new state: the incident, what is learnt, who is called."""
    incident, state = recovery.incident, RecoveryState(recovery.status)
    over = incident.status in CLOSED
    if state == RecoveryState.COMPLETED:
        _completed(recovery, now, over=over)
    elif state in _ON_INCIDENT and not over:
        set_recovery(incident, _ON_INCIDENT[state])
    if state in (RecoveryState.FAILED, RecoveryState.ROLLED_BACK) and not recovery.undo_asked_by:
        remember(incident, recovery.tried, OutcomeResult.FAILED, now)
    if state in _CALLS_A_PERSON and not over:
        words = f"{recovery.title}: {recovery.get_status_display().lower()}. {found.reason}"
        planning.escalate(incident, words, decision=recovery.decision, now=now)


def _completed(recovery: Recovery, now: datetime, *, over: bool) -> None:
    """Verified: the incident is over. Without a probe, the workflow's own successes will say so."""
    incident, plan = recovery.incident, recovery.plan()
    if plan is not None and plan.verify is not None:
        seconds = round((now - recovery.created_at).total_seconds(), 3)
        tried = recovery.tried
        remember(incident, tried, OutcomeResult.SUCCEEDED, now, seconds_to_recover=seconds)
        if not over:
            resolve_verified(incident, f"{recovery.title} verified: {recovery.reason}", now)
        return
    if not over:
        set_recovery(incident, IncidentRecovery.VERIFYING)
    # They may have been seen already: while the last steps ran.
    work.enqueue("verify", incident.tenant_id, [incident.pk], now)
