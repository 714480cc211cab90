"""Every write of recoveries but their attempts: beginning one, moving it, taking it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from actions.plans.models import Recovery, RecoveryPlan
from actions.plans.states import SETTLED, TRANSITIONS, RecoveryState
from ai.models import Decision
from ai.services import remember_reversal
from awfdrs_site.kernel import live, work
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import Problem
from awfdrs_site.kernel.transition import change_status, lock
from incidents.models import Incident
from incidents.selectors import events_of, still_failing

_REASON_CHARS = 500


def begin(
    incident: Incident,
    *,
    decision: Decision | None,
    template: RecoveryPlan | None,
    now: datetime,
) -> Recovery:
    """Insert a recovery of the locked `incident`; stage `recover` starts a plan's first steps.

    What came before it (detecting, analysing) stands in its history with the times it had.
    """
    history = [_entry(RecoveryState.DETECTING, incident.opened_at, "")]
    if decision is not None:
        history.append(_entry(RecoveryState.ANALYZING, decision.created_at, decision.reasoning))
    history.append(_entry(RecoveryState.PLANNING, now, str(template) if template else ""))
    recovery = Recovery.objects.create(
        tenant_id=incident.tenant_id,
        incident=incident,
        decision=decision,
        template=template,
        document=template.document if template else {},
        facts=_facts(incident, decision) if template else {},
        history=history,
        created_at=now,
        correlation_id=incident.correlation_id,
    )
    show(recovery)
    if template is not None:
        work.enqueue("recover", incident.tenant_id, [recovery.pk], now)
    return recovery


def _facts(incident: Incident, decision: Decision | None) -> dict[str, Any]:
    newest, failing = events_of(incident).first(), still_failing(incident)
    named = failing.exclude(resource_id="").first() or failing.first()
    return {
        "incident": {
            "number": incident.number,
            "label": incident.label,
            "title": incident.title,
            "severity": incident.severity,
            "category": incident.category,
            "error_code": newest.error_code if newest else "",
            "correlation_id": incident.correlation_id,
            "workflow": incident.workflow.name,
            "workflow_id": str(incident.workflow_id),
            "vendor": incident.vendor,
            "resource_type": named.resource_type if named else "",
            "resource_id": named.resource_id if named else "",
            "event_count": incident.event_count,
        },
        "decision": {
            "confidence": decision.confidence if decision else None,
            "reasoning": decision.reasoning if decision else "",
            "recommended_action": decision.recommended_action if decision else "",
        },
    }


def _entry(state: str, at: datetime, reason: str) -> dict[str, Any]:
    return {"state": str(state), "at": at.isoformat(), "reason": reason[:_REASON_CHARS]}


def move(
    recovery: Recovery, to: str, reason: str, now: datetime, actor: Actor = MACHINE
) -> Recovery:
    """One step of the locked `recovery`; a state it is in already only gets the newer reason."""
    reason = reason[:_REASON_CHARS]
    if to == recovery.status:
        if reason != recovery.reason:
            recovery.reason = reason
            recovery.save(update_fields=["reason"])
        show(recovery)
        return recovery
    change_status(
        recovery,
        to,
        table=TRANSITIONS,
        actor=actor,
        now=now,
        comment=reason,
        reason=reason,
        history=[*recovery.history, _entry(to, now, reason)],
        finished_at=now if to in SETTLED else None,
    )
    show(recovery)
    return recovery


def show(recovery: Recovery) -> None:
    """Let the open pages follow the recovery and its steps, as they are at the commit."""
    live.publish(recovery.tenant_id, "recoveries", recovery.pk)
    live.publish(recovery.tenant_id, f"incident:{recovery.incident_id}")


@transaction.atomic
def ask_undo(*, recovery: Recovery, actor: Actor, now: datetime, comment: str = "") -> Recovery:
    """Take back what the recovery did: its undos run in reverse, each through the gate.

    Idempotent. Raises 409 `invalid_transition` for a recovery without a plan, or one that is
    undone already.
    """
    lock(Incident(pk=recovery.incident_id))
    recovery = lock(recovery)
    if not recovery.document or recovery.status == RecoveryState.ROLLED_BACK:
        words = "There is nothing left to undo." if recovery.document else "A retry has no undo."
        raise Problem(409, "invalid_transition", words, current=recovery.status, legal=[])
    if not recovery.undo_asked_by:
        recovery.undo_asked_by = actor.name
        recovery.save(update_fields=["undo_asked_by"])
        if actor != MACHINE:
            remember_reversal(recovery.incident, recovery.tried, recovery.created_at, now)
        move(recovery, RecoveryState.ROLLING_BACK, comment or "Asked for.", now, actor)
        work.enqueue("recover", recovery.tenant_id, [recovery.pk], now)
    return recovery
