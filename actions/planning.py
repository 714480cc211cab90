"""Stage `plan`: a decision becomes an action, through the gate; and each further attempt."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from actions import gatekeeping
from actions.catalog import kind_named
from actions.lifecycle import hand_on, note, show
from actions.models import Action, ActionKind, Recovery
from actions.plans.selectors import plan_named
from actions.plans.services import ask_undo, begin
from actions.plans.states import SETTLED, RecoveryState
from actions.plans.templates import lacks
from actions.states import ACTIVE, ActionStatus
from ai.models import Decision, DecisionType, OutcomeResult
from ai.selectors import last_outcome
from awfdrs_site.kernel import correlation, handoff, work
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.transition import lock
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.services import move as move_incident
from incidents.states import IncidentStatus
from incidents.triage import snoozing
from safety import breakers
from safety.backoff import delay_seconds
from safety.gate import Receipt
from safety.rule_types import RetryPolicy
from safety.selectors import policy_for, vendor_for


def plan(decision_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, datetime]:
    """Act on each decision, unless its incident is over or was acted on already."""
    for decision_id in decision_ids:
        decision = Decision.objects.select_related("incident").get(pk=decision_id)
        with (
            transaction.atomic(),
            correlation.bound(decision.correlation_id, decision.tenant_id),
        ):
            _plan_one(decision, now)
    return {}


def _plan_one(decision: Decision, now: datetime) -> None:
    incident = lock(decision.incident)
    decision.incident = incident
    if incident.status != IncidentStatus.ANALYZING:
        return
    move_incident(incident, IncidentStatus.ACTIONED, actor=MACHINE, now=now)
    if _take_back_what_did_not_last(incident, now):
        return
    if decision.type == DecisionType.RETRY:
        _plan_retry(decision, now)
    elif decision.type == DecisionType.PLAN:
        _begin_plan(decision, now)
    elif decision.type == DecisionType.ESCALATE:
        escalate(incident, decision.reasoning, decision=decision, now=now)
    else:
        create(incident, ActionKind.NONE, decision=decision, now=now)


def _take_back_what_did_not_last(incident: Incident, now: datetime) -> bool:
    """Undo the plan after which the same thing failed again too soon; then a person is called."""
    last = incident.recoveries.order_by("-created_at").first()
    outcome = last_outcome(incident)
    if last is None or outcome is None or not last.document or last.undo_asked_by:
        return False
    if last.status != RecoveryState.COMPLETED or outcome.at != last.finished_at:
        return False
    if outcome.result != OutcomeResult.RECURRED:
        return False
    words = "The same thing failed again too soon: the plan did not last."
    ask_undo(recovery=last, actor=MACHINE, now=now, comment=words)
    return True


def _plan_retry(decision: Decision, now: datetime) -> None:
    if not decision.incident.workflow.retry_url:
        reason = "A retry would help, but the workflow has no retry endpoint."
        escalate(decision.incident, reason, decision=decision, now=now)
        return
    retries = decision.incident.actions.filter(kind=ActionKind.RETRY)
    if active := retries.filter(status__in=ACTIVE).first():
        # It was reopened while its last retry was under way: that one goes on, and is shown.
        active.incident = decision.incident
        show(active)
        return
    plan_attempt(decision, decision.parameters.get("attempt", 1), now)
    if decision.parameters.get("notify"):
        # The rule of this code wants a person told even though it is retried.
        escalate(decision.incident, decision.reasoning, decision=decision, now=now)


def _begin_plan(decision: Decision, now: datetime) -> None:
    """Let stage `recover` run the plan that the decision names, unless a recovery is under way."""
    incident, name = decision.incident, decision.parameters["plan"]
    template = plan_named(decision.tenant_id, name)
    if template is None:
        reason = f"The recovery plan {name} is not there, or retired."
        escalate(incident, reason, decision=decision, now=now)
    elif missing := lacks(template.plan(), decision.tenant_id):
        reason = f"The recovery plan {name} cannot run: {missing}"
        escalate(incident, reason, decision=decision, now=now)
    elif not incident.recoveries.exclude(status__in=SETTLED).exists():
        begin(incident, decision=decision, template=template, now=now)
    if decision.parameters.get("notify"):
        escalate(incident, decision.reasoning, decision=decision, now=now)


def plan_attempt(
    decision: Decision, attempt: int, now: datetime, recovery: Recovery | None = None
) -> Action:
    """Plan attempt number `attempt` under the decision; the incident is locked by the caller.

    `recovery`: the one it goes on with; without it, a new one begins.
    """
    if recovery is None:
        recovery = begin(decision.incident, decision=decision, template=None, now=now)
    pause = delay_seconds(policy_of(decision), attempt, random.random())  # noqa: S311  (jitter, not a secret)
    return create(
        decision.incident,
        ActionKind.RETRY,
        decision=decision,
        recovery=recovery,
        now=now,
        attempt=attempt,
        max_attempts=attempts_allowed(decision),
        due_at=now + timedelta(seconds=pause),
    )


def attempts_allowed(decision: Decision) -> int:
    """The retry policy's limit or the automation policy's of this moment, the lower."""
    automation = policy_for(decision.tenant_id, decision.incident.workflow_id)
    return min(policy_of(decision).max_retries, automation.max_attempts)


def policy_of(decision: Decision) -> RetryPolicy:
    """The retry policy that the decision was made under, as it was then."""
    said = decision.parameters
    return RetryPolicy(
        name=said["policy"],
        kind=said["kind"],
        max_retries=said["max_retries"],
        initial_delay_seconds=said["initial_delay_seconds"],
        max_delay_seconds=said["max_delay_seconds"],
        multiplier=said["multiplier"],
        jitter_ratio=said["jitter_ratio"],
    )


def create(
    incident: Incident,
    kind: str,
    *,
    decision: Decision | None,
    now: datetime,
    due_at: datetime | None = None,
    requested_by: Actor = MACHINE,
    **fields: Any,
) -> Action:
    """Insert an action in the state that the gate allows, with its receipt; tell the timeline."""
    action = Action(
        tenant_id=incident.tenant_id,
        incident=incident,
        decision=decision,
        kind=kind,
        acts=kind_named(kind).acts,
        requested_by=requested_by.name,
        created_at=now,
        due_at=due_at or now,
        correlation_id=incident.correlation_id,
        **fields,
    )
    receipt = gatekeeping.judge_action(action, now)
    action.status = apply_receipt(action, receipt, now)
    action.save(force_insert=True)
    show(action)
    announce.note(
        incident,
        TimelineKind.GATE,
        words_of(action, receipt),
        actor=MACHINE,
        now=now,
        data={"action": str(action.pk), "outcome": receipt.outcome},
    )
    count_saved(action, now)
    follow_up(action, now)
    if not action.step or action.status == ActionStatus.BLOCKED:
        hand_on(action, now)
    return action


def create_failed(
    *, recovery: Recovery, kind: str, reason: str, now: datetime, **fields: Any
) -> Action:
    """Insert an attempt that could not even be put together; nothing was sent."""
    action = Action.objects.create(
        tenant_id=recovery.tenant_id,
        incident=recovery.incident,
        decision=recovery.decision,
        recovery=recovery,
        kind=kind,
        acts=kind_named(kind).acts,
        status=ActionStatus.FAILED,
        result={"reason": reason[:500]},
        created_at=now,
        due_at=now,
        finished_at=now,
        correlation_id=recovery.correlation_id,
        **fields,
    )
    note(action, f"{action.step} could not be put together: {reason[:300]}", now)
    hand_on(action, now)
    return action


def count_saved(action: Action, now: datetime) -> None:
    """One more call the breaker kept back, if that is what put the action off."""
    if gatekeeping.is_parked(action.receipt):
        vendor = vendor_for(action.tenant_id, action.incident.vendor)
        if vendor is not None:
            breakers.count_saved(vendor.pk, now)


def apply_receipt(action: Action, receipt: Receipt, now: datetime) -> str:
    """Set on the unsaved or locked `action` what the verdict means; return its next state."""
    action.receipt = receipt.to_json()
    status = {
        "run": ActionStatus.PLANNED,
        "defer": ActionStatus.PLANNED,
        "wait": ActionStatus.WAITING,
        "block": ActionStatus.BLOCKED,
    }[receipt.outcome]
    if switch_id := receipt.stopped_by():
        action.stopped_by_id = UUID(switch_id)
    if receipt.outcome == "defer" and receipt.until is not None:
        action.due_at = max(action.due_at, receipt.until)
    if status == ActionStatus.WAITING:
        seconds = policy_for(action.tenant_id, action.incident.workflow_id).approval_seconds
        action.expires_at = now + timedelta(seconds=seconds)
    return status


def follow_up(action: Action, now: datetime) -> None:
    """Leave the row where its next stage will look; where none will, call a person."""
    if action.status == ActionStatus.WAITING and action.expires_at is not None:
        work.enqueue("expire", action.tenant_id, [action.pk], action.expires_at)
    elif action.status == ActionStatus.PLANNED and action.due_at <= now:
        handoff.ring_on_commit("send")
    elif action.status == ActionStatus.BLOCKED and gatekeeping.is_untrusted(action.receipt):
        # Automation may not, and nothing else would call a person.
        reason = words_of(action, Receipt.from_json(action.receipt))
        escalate(action.incident, reason, decision=action.decision, now=now)


def words_of(action: Action, receipt: Receipt) -> str:
    """The verdict in one sentence; the check that decided is named with its reason."""
    what = f"{action.get_kind_display()} {action.attempt} of {action.max_attempts}"
    if action.kind != ActionKind.RETRY:
        what = action.get_kind_display()
    if receipt.outcome == "run":
        return f"{what} may run: {len(receipt.checks)} checks passed"
    deciding = receipt.stopping()[0]
    does = {"wait": "waits for a person", "defer": "is put off", "block": "is blocked"}
    return f"{what} {does[receipt.outcome]}: {deciding.reason}"


def escalate(
    incident: Incident,
    reason: str,
    *,
    decision: Decision | None,
    now: datetime,
    actor: Actor = MACHINE,
) -> Action | None:
    """Call a person, once per opening of the incident (locked by the caller)."""
    earlier = incident.actions.filter(kind=ActionKind.ESCALATE, created_at__gte=incident.opened_at)
    if earlier.exists():
        return None
    snoozing.rouse_for_help(incident, actor, now)
    return create(
        incident,
        ActionKind.ESCALATE,
        decision=decision,
        now=now,
        requested_by=actor,
        parameters={"channel": "log", "reason": reason},
    )
