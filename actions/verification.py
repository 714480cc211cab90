"""Stage `verify`: did it help? The workflow's own events decide [A9 I7].

A retry worked when everything it asked for has succeeded since; it failed when something failed
again or the window passed. Then: the next attempt, or a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from actions import planning
from actions.gatekeeping import report_of
from actions.learning.facts import learn_of_waiting
from actions.lifecycle import move, note
from actions.models import Action, ActionKind
from actions.pacing import per_minute
from actions.plans.states import ENDS, RecoveryState
from actions.states import ActionStatus
from ai.models import OutcomeResult
from ai.record import RETRY
from ai.services import remember
from awfdrs_site.kernel import correlation, work
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.transition import lock
from incidents.models import Incident
from incidents.selectors import closed_by_person, still_failing
from incidents.services import set_recovery
from incidents.states import CLOSED, IncidentStatus, Recovery
from safety import breakers
from safety.breaker import Outcome
from safety.breakers import Call

_UNSENT = (ActionStatus.WAITING, ActionStatus.PLANNED, ActionStatus.BLOCKED)


def verify(incident_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, datetime]:
    """Judge the recoveries of these incidents.

    Those that are still open are looked at again at the end of their window: that work was left
    with the mark `verifying`.
    """
    ended: list[Call] = []
    for incident_id in incident_ids:
        with transaction.atomic():
            incident = lock(Incident(pk=incident_id))
            with correlation.bound(incident.correlation_id, incident.tenant_id):
                _verify_one(incident, now, ended)
    # After all incidents: nobody who holds an incident waits for one who holds a breaker.
    breakers.record_calls(ended, now)
    return {}


def _verify_one(incident: Incident, now: datetime, ended: list[Call]) -> None:
    if incident.merged_into_id is not None:
        # Nothing was under way in it, and what failed is the survivor's.
        return
    retries = incident.actions.filter(kind=ActionKind.RETRY)
    for action in retries.filter(status__in=_UNSENT).select_for_update(of=("self",), no_key=True):
        action.incident = incident
        if incident.status in CLOSED:
            words = "incident is over"
            learn_of_waiting(action, action.receipt, now)
            result = action.result | {"pointless": words}
            move(
                action, ActionStatus.CANCELLED, actor=MACHINE, now=now, comment=words, result=result
            )
    if incident.status in CLOSED:
        under_way = incident.recoveries.exclude(status__in=ENDS).exclude(document={})
        plans = list(under_way.values_list("pk", flat=True))
        work.enqueue("recover", incident.tenant_id, plans, now)
    sent = [ActionStatus.VERIFYING, ActionStatus.UNKNOWN]
    for action in retries.filter(status__in=sent).select_for_update(of=("self",), no_key=True):
        action.incident = incident
        if _closed_by_hand(incident):
            words = "The incident was closed by hand; whether the retry helped is not known."
            move(action, ActionStatus.CANCELLED, actor=MACHINE, now=now, comment=words)
        else:
            _judge(incident, action, now)
        if action.status in (ActionStatus.SUCCEEDED, ActionStatus.FAILED):
            outcome: Outcome = "success" if action.status == ActionStatus.SUCCEEDED else "failure"
            ended.append(report_of(action, outcome, now))
    _learn_of_plan(incident, now)


def _learn_of_plan(incident: Incident, now: datetime) -> None:
    """A plan without a probe has worked once all that failed has succeeded after it [S7]."""
    recoveries = incident.recoveries.filter(created_at__gte=incident.opened_at)
    last = recoveries.exclude(document={}).order_by("-id").first()
    plan = last.plan() if last and last.status == RecoveryState.COMPLETED else None
    if last is None or plan is None or plan.verify is not None:
        return
    known = incident.outcomes.filter(action=last.tried, at__gte=last.created_at).exists()
    if not known and not closed_by_person(incident) and not still_failing(incident).exists():
        seconds = round((now - last.created_at).total_seconds(), 3)
        remember(incident, last.tried, OutcomeResult.SUCCEEDED, now, seconds_to_recover=seconds)


def _closed_by_hand(incident: Incident) -> bool:
    """Resolved, and not by the success events of what was being retried."""
    return incident.status == IncidentStatus.RESOLVED and closed_by_person(incident)


def _judge(incident: Incident, action: Action, now: datetime) -> None:
    asked = incident.resources.filter(pk__in=action.parameters.get("failing", []))
    failing = asked.filter(recovered_at=None)
    if not failing.exists():
        _succeed(incident, action, now)
    elif action.status == ActionStatus.VERIFYING:
        assert action.verify_until is not None
        if failing.filter(failed_at__gt=action.sent_at).exists():
            fail(action, "It failed again after the retry.", now)
        elif now >= action.verify_until:
            seconds = round((action.verify_until - (action.sent_at or now)).total_seconds())
            fail(action, f"No success within {seconds} s of the retry.", now)


def _succeed(incident: Incident, action: Action, now: datetime) -> None:
    if action.status == ActionStatus.UNKNOWN:
        move(action, ActionStatus.VERIFYING, actor=MACHINE, now=now, verify_until=now)
    seconds = round((now - (action.sent_at or now)).total_seconds(), 3)
    result = action.result | {"verified_by": "success events", "seconds_to_recover": seconds}
    goes_on = _has_next_chunk(incident, action)
    fields: dict[str, Any] = {"result": result, "goes_on": goes_on and not action.step}
    move(action, ActionStatus.SUCCEEDED, actor=MACHINE, now=now, **fields)
    if goes_on:
        _plan_next_chunk(action, now)
        return
    if not action.step:
        remember(incident, RETRY, OutcomeResult.SUCCEEDED, now, seconds_to_recover=seconds)
    text = f"Verified: retry {action.attempt} worked, {seconds:.1f} s after it was sent"
    note(action, text, now)
    if not action.step and incident.status not in CLOSED and still_failing(incident).exists():
        # More broke while this retry ran: look again, with what is known now.
        set_recovery(incident, Recovery.NONE)
        work.enqueue("analyse", incident.tenant_id, [incident.pk], now)


def _has_next_chunk(incident: Incident, action: Action) -> bool:
    """Whether more of what fails is to be asked for at the action's pace."""
    if per_minute(action) is None or incident.status in CLOSED:
        return False
    taken_back = action.recovery is not None and action.recovery.undo_asked_by
    return not taken_back and still_failing(incident).exists()


def _plan_next_chunk(action: Action, now: datetime) -> None:
    """In the commit that ends this chunk, so there is one next chunk whatever crashes when.

    It is no further attempt, and holds under the same decision and approval. Its time is found
    when it is sent.
    """
    same = ("recovery", "step", "role", "attempt", "max_attempts", "timeout_seconds",
            "decided_at", "decided_by", "decided_by_name", "decision_comment", "approvals",
            "approved_hash")  # fmt: skip
    note(action, f"Verified: part {action.chunk} of retry {action.attempt} worked", now)
    planning.create(
        action.incident,
        ActionKind.RETRY,
        decision=action.decision,
        now=now,
        requested_by=Actor("machine", action.requested_by),
        parameters={"per_minute": per_minute(action)},
        chunk=action.chunk + 1,
        **{name: getattr(action, name) for name in same},
    )


def fail(
    action: Action, reason: str, now: datetime, result: Mapping[str, Any] | None = None
) -> None:
    """End the locked action as failed; then the next attempt, or a person.

    Of a plan's step, the plan says what follows; of what takes an action back, whoever asked.
    """
    outcome = dict(action.result if result is None else result) | {"reason": reason}
    fields: dict[str, Any] = {"result": outcome, "leased_until": None}
    incident, decision = action.incident, action.decision
    if action.step or action.role:
        move(action, ActionStatus.FAILED, actor=MACHINE, now=now, **fields)
        note(
            action,
            f"{action.get_kind_display()} ({action.step or action.role}) failed: {reason}",
            now,
        )
        return
    if decision is not None:
        decision.incident = incident
    more = decision is not None and action.attempt < planning.attempts_allowed(decision)
    goes_on = more and incident.status not in CLOSED
    move(action, ActionStatus.FAILED, actor=MACHINE, now=now, goes_on=goes_on, **fields)
    remember(incident, RETRY, OutcomeResult.FAILED, now, ends_recovery=not more)
    text = f"Retry {action.attempt} of {action.max_attempts} failed: {reason}"
    note(action, text, now)
    if incident.status in CLOSED:
        return
    if decision is not None and more:
        planning.plan_attempt(decision, action.attempt + 1, now, action.recovery)
    else:
        words = f"{action.attempt} of {action.max_attempts} retries failed; the last: {reason}"
        planning.escalate(incident, words, decision=decision, now=now)
