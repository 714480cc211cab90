"""Stage `send`: at most one send per attempt, whatever crashes when [A8 S6 P5 P7].

    claim    planned → claimed      short transaction, lease and fence taken
    start    claimed → sending      one transaction: switch lock, gate again, mark
    call     the network            no transaction, no lock
    record   sending → verifying | failed | unknown, only while the fence is still ours

What is found in `sending` after its lease is `unknown`: the engine is asked whether it ever got the
key, and nothing is sent again under doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import DatabaseError, transaction
from django.utils import timezone

from actions import gatekeeping, planning, verification
from actions.catalog import kind_named
from actions.catalog.kind import Order, Outcome, Send
from actions.connectors.services import keep_deliveries
from actions.learning.facts import learn_of_waiting
from actions.lifecycle import lock_action, move, note
from actions.models import Action, ActionKind, StepRole
from actions.outbound import DEADLINE_SECONDS
from actions.pacing import chunk_of, free_at
from actions.previewing import has_lapsed
from actions.states import TRANSITIONS, ActionStatus
from awfdrs_site.kernel import correlation, work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.transition import change_status
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.selectors import closed_by_person, still_failing
from incidents.states import CLOSED
from safety import breakers
from safety.selectors import policy_for
from safety.switches import lock_switches_exclusive, lock_switches_shared

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)
ASK_AGAIN = timedelta(seconds=5)
# How often a target that works on something is asked how far it is.
ASK_WORKING = timedelta(seconds=2)


def run_due() -> int:
    """Send everything that is due; return how many were dealt with."""
    take_back_lost(timezone.now())
    done = 0
    while (action := claim(timezone.now())) is not None:
        with alone("delivery_failed", action):
            deliver(action)
        done += 1
    return done


@contextmanager
def alone(event: str, action: Action) -> Iterator[None]:
    """The action's trouble is logged and ends here: its lease says what becomes of it, and what is
    due beside it does not wait for that."""
    try:
        yield
    except DatabaseError:
        raise  # not this action's trouble, but everybody's
    except Exception:
        log.exception(event, action_id=str(action.pk))


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
    send = start(action, timezone.now())
    if send is None:
        return
    if timezone.now() > action_deadline(action):
        return  # too late to send under our lease: whoever finds it asks the engine
    record(action, send(), timezone.now())


def action_deadline(action: Action) -> datetime:
    """After this a call could outlive the lease, so none may start."""
    assert action.leased_until is not None
    return action.leased_until - timedelta(seconds=DEADLINE_SECONDS)


@transaction.atomic
def start(claimed: Action, now: datetime) -> Send | None:
    """Mark the action as being sent, if it still may be; return what sends it.

    None: it may not, or it was done here, in this transaction.

    The switch lock is taken first and the switches are read under it: after "stop" has returned,
    no action gets past this function [P7].
    """
    kind = kind_named(claimed.kind)
    if kind.moves_switches:
        lock_switches_exclusive()  # shared first would wait for another who does the same
    else:
        lock_switches_shared()
    incident, action = lock_action(claimed.pk)
    if action.fence != claimed.fence or action.status != ActionStatus.CLAIMED:
        return None
    if pointless := _pointless(incident, action):
        # To a plan a retry with nothing left to retry is done; a step that may not run is not.
        said = {"pointless": pointless} if action.kind == ActionKind.RETRY else {}
        result = action.result | said
        learn_of_waiting(action, action.receipt, now)
        move(
            action, ActionStatus.CANCELLED, actor=MACHINE, now=now, comment=pointless, result=result
        )
        return None
    if (free := free_at(action, now)) > now:
        later: dict[str, Any] = {"due_at": free, "leased_until": None}
        move(action, ActionStatus.PLANNED, actor=MACHINE, now=now, **later)
        return None
    if action.decided_at is not None or action.step:
        _forget_lapsed(action, now)
    before = action.receipt
    learn_of_waiting(action, before, now)
    receipt = gatekeeping.judge_and_take(action, now)
    status = planning.apply_receipt(action, receipt, now)
    if receipt.outcome != "run":
        told = gatekeeping.holds_as_before(before, action.receipt)
        _put_back(action, status, "" if told else planning.words_of(action, receipt), now)
        return None
    move(action, ActionStatus.SENDING, actor=MACHINE, now=now, sent_at=now, receipt=action.receipt)
    _mark_tried(incident, action, now)
    done = kind.run(Order(action, now), kind.read(action.parameters))
    if isinstance(done, Outcome):
        keep_deliveries(action.tenant_id, action.pk, done)
        settle(incident, action, done, now)
        return None
    return done


def _forget_lapsed(action: Action, now: datetime) -> None:
    """An approval of something else than what would be called now is none: the gate asks anew."""
    if not has_lapsed(action, now):
        return
    if action.recovery is not None and action.recovery.approved_by_name:
        action.recovery.approved_by_name = ""
        action.recovery.save(update_fields=["approved_by_name"])
    action.decided_at, action.decided_by = None, None
    action.decided_by_name = action.decision_comment = ""
    action.save(update_fields=["decided_at", "decided_by", "decided_by_name", "decision_comment"])


def _mark_tried(incident: Incident, action: Action, now: datetime) -> None:
    """For the cooldown: what still fails has been tried to recover, under this decision [S7]."""
    if action.acts and action.role != StepRole.UNDO:
        failing = [resource.pk for resource in chunk_of(action)]
        incident.resources.filter(pk__in=failing).update(
            retried_at=now, retried_under=action.decision_id
        )


def _pointless(incident: Incident, action: Action) -> str:
    """Why there is nothing to do any more; empty if there is. A retry's call without targets would
    mean "all"; a plan's step does not run once a person has closed the incident."""
    if action.kind != ActionKind.RETRY:
        ended = action.step and action.role != StepRole.UNDO and closed_by_person(incident)
        return "incident is over" if ended else ""
    if incident.status in CLOSED:
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
        planning.count_saved(action, now)
    planning.follow_up(action, now)


@transaction.atomic
def record(sent: Action, outcome: Outcome, now: datetime) -> None:
    """Write what the engine said, unless the lease was lost meanwhile (then another has it)."""
    incident, action = lock_action(sent.pk)
    keep_deliveries(action.tenant_id, action.pk, outcome)
    if action.fence != sent.fence or action.status != ActionStatus.SENDING:
        log.warning("stale_result_dropped", action_id=str(sent.pk), fence=sent.fence)
        return
    settle(incident, action, outcome, now)


def settle(incident: Incident, action: Action, outcome: Outcome, now: datetime) -> None:
    """Move a locked `sending`, `unknown` or `verifying` action to what the outcome proves."""
    said = {"status": outcome.status, "detail": outcome.detail[:500], **outcome.result}
    result = action.result | said
    if outcome.certainty == "accepted":
        _taken(incident, action, outcome.ended, result | {"taken": True}, now)
    elif outcome.certainty == "refused":
        # The engine never called the vendor: another may have the probe.
        breakers.record_calls([gatekeeping.report_of(action, None, now)], now)
        verification.fail(action, f"It was not taken: {outcome.detail[:200]}", now, result)
    elif action.status == ActionStatus.SENDING:
        fields = {"due_at": now + ASK_AGAIN, "result": result, "leased_until": None}
        move(action, ActionStatus.UNKNOWN, actor=MACHINE, now=now, **fields)
        text = f"No answer to {_what(action)}: asking whether it arrived, sending nothing"
        note(action, text, now)


def _what(action: Action) -> str:
    return "the retry" if action.kind == ActionKind.RETRY else f"“{action.get_kind_display()}”"


def _taken(
    incident: Incident, action: Action, ended: bool | None, result: dict[str, Any], now: datetime
) -> None:
    """The target has it: what then depends on how things of this kind end."""
    ends = kind_named(action.kind).ends
    if ends == "at_once" and ended is None:
        ended = True
    if ended is False:
        verification.fail(action, str(result["detail"])[:200], now, result)
    elif ended is True:
        fields: dict[str, Any] = {"result": result, "leased_until": None}
        move(action, ActionStatus.SUCCEEDED, actor=MACHINE, now=now, **fields)
    elif action.status != ActionStatus.VERIFYING:
        _await(incident, action, result, now)


def _await(incident: Incident, action: Action, result: dict[str, Any], now: datetime) -> None:
    """Begun, not ended: the workflow's events will say, or the target when it is asked."""
    by_events = kind_named(action.kind).ends == "by_events"
    seconds: float = policy_for(action.tenant_id, incident.workflow_id).verify_seconds
    if not by_events:
        kind = kind_named(action.kind)
        seconds = action.timeout_seconds + kind.takes_seconds(kind.read(action.parameters))
    until = now + timedelta(seconds=seconds)
    fields: dict[str, Any] = {"verify_until": until, "result": result, "leased_until": None}
    if not by_events:
        fields["due_at"] = now + ASK_WORKING
    move(action, ActionStatus.VERIFYING, actor=MACHINE, now=now, **fields)
    if by_events:
        work.enqueue("verify", action.tenant_id, [incident.pk], until)
        if incident.status in CLOSED:
            work.enqueue("verify", action.tenant_id, [incident.pk], now)


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
