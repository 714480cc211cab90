"""Stage `send`: at most one send per attempt, whatever crashes when [A8 S6 P5 P7].

    claim    planned → claimed      short transaction, lease and fence taken
    start    claimed → sending      one transaction: switch lock, gate again, mark
    call     the network            no transaction, no lock
    record   sending → verifying | failed | unknown, only while the fence is still ours

What is found in `sending` after its lease is `unknown`: the engine is asked whether it ever got the
key, and nothing is sent again under doubt.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from actions import gatekeeping, planning, verification
from actions.lifecycle import lock_action, move, note
from actions.models import Action, ActionKind
from actions.retry_call import DEADLINE_SECONDS, Endpoint, Outcome, ask_status, request_retry
from actions.states import ACTIVE, TRANSITIONS, ActionStatus
from awfdrs_site.kernel import correlation, work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.transition import change_status
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.selectors import still_failing
from incidents.services import set_recovery
from incidents.states import IncidentStatus, Recovery
from safety import breakers
from safety.selectors import policy_for
from safety.switches import lock_switches_shared

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)
ASK_AGAIN = timedelta(seconds=5)
ASKED_AT_ONCE = 20
RESOURCES_PER_CALL = 500
_OVER = (IncidentStatus.RESOLVED, IncidentStatus.IGNORED)


def run_due() -> int:
    """Send everything due, then settle what is in doubt; return how many were dealt with."""
    take_back_lost(timezone.now())
    done = 0
    while (action := claim(timezone.now())) is not None:
        deliver(action)
        done += 1
    return done + settle_unknown(timezone.now())


@transaction.atomic
def claim(now: datetime) -> Action | None:
    """Take the action that has been due longest, with a lease; None when nothing is due."""
    due = Action.objects.filter(status=ActionStatus.PLANNED, due_at__lte=now).order_by("due_at")
    action = due.select_for_update(skip_locked=True, of=("self",)).first()
    if action is None:
        return None
    return change_holder(action, ActionStatus.CLAIMED, now)


def change_holder(action: Action, to: str, now: datetime) -> Action:
    """A step that changes who works on the action and nothing people see."""
    lease = now + LEASE if to == ActionStatus.CLAIMED else None
    fields: dict[str, Any] = {"leased_until": lease, "fence": action.fence + 1}
    with correlation.bound(action.correlation_id, action.tenant_id):
        return change_status(action, to, table=TRANSITIONS, actor=MACHINE, now=now, **fields)


def deliver(action: Action) -> None:
    """Gate, mark, call, record: see the module."""
    with correlation.bound(action.correlation_id, action.tenant_id):
        _deliver(action)


def _deliver(action: Action) -> None:
    request = start(action, timezone.now())
    if request is None:
        return
    endpoint, body = request
    if timezone.now() > action_deadline(action):
        return  # too late to send under our lease: whoever finds it asks the engine
    outcome = request_retry(endpoint, str(action.pk), body, timezone.now())
    record(action, outcome, timezone.now())


def action_deadline(action: Action) -> datetime:
    """After this a call could outlive the lease, so none may start."""
    assert action.leased_until is not None
    return action.leased_until - timedelta(seconds=DEADLINE_SECONDS)


@transaction.atomic
def start(claimed: Action, now: datetime) -> tuple[Endpoint, dict[str, Any]] | None:
    """Mark the action as being sent, if it still may be; return what to send, or None.

    The switch lock is taken first and the switches are read under it: after "stop" has returned,
    no action gets past this function [P7].
    """
    lock_switches_shared()
    incident, action = lock_action(claimed.pk)
    if action.fence != claimed.fence or action.status != ActionStatus.CLAIMED:
        return None
    if action.kind == ActionKind.RETRY and (pointless := _pointless(incident)):
        move(action, ActionStatus.CANCELLED, actor=MACHINE, now=now, comment=pointless)
        return None
    before = action.receipt
    receipt = gatekeeping.judge_and_take(action, now)
    status = planning.apply_receipt(action, receipt, now)
    if receipt.outcome != "run":
        told = gatekeeping.holds_as_before(before, action.receipt)
        _put_back(action, status, "" if told else planning.words_of(action, receipt), now)
        return None
    move(action, ActionStatus.SENDING, actor=MACHINE, now=now, sent_at=now, receipt=action.receipt)
    if action.kind != ActionKind.RETRY:
        _do_at_once(incident, action, now)
        return None
    return _prepare(incident, action, now)


def _pointless(incident: Incident) -> str:
    """Why there is nothing to retry; empty if there is. A call without targets would mean "all"."""
    if incident.status in _OVER:
        return "incident is over"
    return "" if still_failing(incident).exists() else "nothing is known to fail"


def _put_back(action: Action, status: str, words: str, now: datetime) -> None:
    move(
        action,
        status,
        actor=MACHINE,
        now=now,
        receipt=action.receipt,
        stopped_by_id=action.stopped_by_id,
        due_at=action.due_at,
        expires_at=action.expires_at,
        leased_until=None,
    )
    if words:
        announce.note(action.incident, TimelineKind.GATE, words, actor=MACHINE, now=now)
        planning.count_saved(action)
    planning.follow_up(action, now)


def _prepare(incident: Incident, action: Action, now: datetime) -> tuple[Endpoint, dict[str, Any]]:
    failing = list(still_failing(incident)[:RESOURCES_PER_CALL])
    resources = [
        {"resource_type": r.resource_type, "resource_id": r.resource_id}
        for r in failing
        if r.resource_id
    ]
    incident.resources.filter(pk__in=[r.pk for r in failing]).update(
        retried_at=now, retried_under=action.decision_id
    )
    action.parameters |= {"failing": [r.pk for r in failing], "resources": resources[:20]}
    action.save(update_fields=["parameters"])
    text = f"Retry {action.attempt} of {action.max_attempts} sent to {incident.workflow.name}"
    note(action, text, now)
    workflow = incident.workflow
    endpoint = Endpoint(workflow.retry_url, workflow.retry_secret, settings.RETRY_ALLOWED_HOSTS)
    return endpoint, {
        "action_id": str(action.pk),
        "incident_id": str(incident.pk),
        "incident_number": incident.number,
        "workflow_id": str(incident.workflow_id),
        "tenant_id": str(incident.tenant_id),
        "attempt": action.attempt,
        "correlation_id": action.correlation_id,
        "resources": resources,
        "requested_at": now.isoformat(),
    }


def _do_at_once(incident: Incident, action: Action, now: datetime) -> None:
    """Escalations and no-ops leave nothing in doubt: they are done in this transaction."""
    if action.kind == ActionKind.ESCALATE:
        reason = action.parameters.get("reason", "")
        retried = incident.actions.filter(kind=ActionKind.RETRY, status__in=ACTIVE).exists()
        goes_on = retried or incident.status in _OVER
        recovery = incident.recovery if goes_on else Recovery.ESCALATED
        set_recovery(incident, recovery, escalated_at=now)
        text = f"Escalated to the log channel: {reason}"
        announce.note(incident, TimelineKind.ESCALATED, text, actor=MACHINE, now=now)
        fields = {"incident": incident.label, "title": incident.title, "reason": reason}
        transaction.on_commit(lambda: log.warning("escalation", **fields), robust=True)
    move(action, ActionStatus.SUCCEEDED, actor=MACHINE, now=now, leased_until=None)


@transaction.atomic
def record(sent: Action, outcome: Outcome, now: datetime) -> None:
    """Write what the engine said, unless the lease was lost meanwhile (then another has it)."""
    incident, action = lock_action(sent.pk)
    if action.fence != sent.fence or action.status != ActionStatus.SENDING:
        log.warning("stale_result_dropped", action_id=str(sent.pk), fence=sent.fence)
        return
    settle(incident, action, outcome, now)


def settle(incident: Incident, action: Action, outcome: Outcome, now: datetime) -> None:
    """Move a locked `sending` or `unknown` action to what the outcome proves."""
    result = action.result | {"status": outcome.status, "detail": outcome.detail[:500]}
    if outcome.certainty == "accepted":
        seconds = policy_for(action.tenant_id, incident.workflow_id).verify_seconds
        until = now + timedelta(seconds=seconds)
        fields = {"verify_until": until, "result": result, "leased_until": None}
        move(action, ActionStatus.VERIFYING, actor=MACHINE, now=now, **fields)
        work.enqueue("verify", action.tenant_id, [incident.pk], until)
        if incident.status in _OVER:
            work.enqueue("verify", action.tenant_id, [incident.pk], now)
    elif outcome.certainty == "refused":
        # The engine never called the vendor: another may have the probe.
        breakers.record_calls([gatekeeping.report_of(action, None, now)], now)
        verification.fail(
            action, f"The engine did not take it: {outcome.detail[:200]}", now, result
        )
    elif action.status == ActionStatus.SENDING:
        fields = {"due_at": now + ASK_AGAIN, "result": result, "leased_until": None}
        move(action, ActionStatus.UNKNOWN, actor=MACHINE, now=now, **fields)
        text = "No answer to the retry: asking the engine whether it got it, sending nothing"
        note(action, text, now)


def take_back_lost(now: datetime) -> None:
    """Expired leases: what was only claimed is planned again; what may be out is unknown."""
    lost = Action.objects.filter(
        status__in=[ActionStatus.CLAIMED, ActionStatus.SENDING], leased_until__lt=now
    )
    for pk in lost.values_list("pk", flat=True)[:100]:
        with transaction.atomic():
            incident, action = lock_action(pk)
            if action.leased_until is not None and action.leased_until < now:
                with correlation.bound(action.correlation_id, action.tenant_id):
                    _take_back(incident, action, now)


def _take_back(incident: Incident, action: Action, now: datetime) -> None:
    if action.status == ActionStatus.CLAIMED:
        change_holder(action, ActionStatus.PLANNED, now)
    elif action.status == ActionStatus.SENDING:
        action.fence += 1
        action.save(update_fields=["fence"])
        settle(incident, action, Outcome("unknown", 0, "The worker was lost."), now)


def settle_unknown(now: datetime) -> int:
    """Ask the engines about what is in doubt; later and later while they do not answer."""
    settled = 0
    for _ in range(ASKED_AT_ONCE):
        unknown = _claim_unknown(now)
        if unknown is None:
            break
        with correlation.bound(unknown.correlation_id, unknown.tenant_id):
            settled += _settle_one(unknown, now)
    return settled


def _settle_one(unknown: Action, now: datetime) -> bool:
    """Ask about one action; whether it is in doubt no more."""
    workflow = unknown.incident.workflow
    endpoint = Endpoint(workflow.retry_url, workflow.retry_secret, settings.RETRY_ALLOWED_HOSTS)
    outcome = ask_status(endpoint, str(unknown.pk), timezone.now())
    with transaction.atomic():
        incident, action = lock_action(unknown.pk)
        if action.status != ActionStatus.UNKNOWN:
            return False
        settle(incident, action, outcome, timezone.now())
        if action.status != ActionStatus.UNKNOWN:
            return True
        _ask_later(incident, action, now)
        return False


@transaction.atomic
def _claim_unknown(now: datetime) -> Action | None:
    """Take what has been in doubt longest; nobody else asks about it within a lease."""
    due = Action.objects.filter(status=ActionStatus.UNKNOWN, due_at__lte=now).order_by("due_at")
    due = due.select_for_update(skip_locked=True, of=("self",), no_key=True)
    action = due.select_related("incident__workflow").first()
    if action is not None:
        action.due_at = timezone.now() + LEASE
        action.save(update_fields=["due_at"])
    return action


def _ask_later(incident: Incident, action: Action, now: datetime) -> None:
    asked = action.result.get("asked", 0) + 1
    action.result |= {"asked": asked}
    action.due_at = now + ASK_AGAIN * 2 ** min(asked, 6)
    action.save(update_fields=["result", "due_at"])
    if asked == 3:
        reason = "A retry is in doubt and the engine does not say whether it got it."
        planning.escalate(incident, reason, decision=action.decision, now=now)
