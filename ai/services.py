"""Stage `analyse`: an incident becomes a Decision; and what became of it is remembered [D4 D5]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from ai.cases import case_of
from ai.decide import Case, DecisionDraft, decide
from ai.effectiveness import came_back
from ai.models import Decision, Outcome, OutcomeResult
from ai.selectors import last_outcome
from awfdrs_site.kernel import correlation, work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.transition import lock
from incidents import announce
from incidents.models import Incident, TimelineKind
from incidents.services import move
from incidents.states import IncidentStatus, Recovery
from safety.models import AutomationPolicy
from safety.selectors import policy_for, rules_for


def analyse(incident_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, datetime]:
    """Decide on each incident that is new, or whose last recovery left something failing."""
    for incident_id in incident_ids:
        with transaction.atomic():
            incident = lock(Incident(pk=incident_id))
            with correlation.bound(incident.correlation_id, incident.tenant_id):
                _analyse_one(incident, now)
    return {}


def _analyse_one(incident: Incident, now: datetime) -> None:
    if _wants_a_decision(incident):
        move(incident, IncidentStatus.ANALYZING, actor=MACHINE, now=now)
        decide_on(incident, now)


def _wants_a_decision(incident: Incident) -> bool:
    again = incident.status == IncidentStatus.ACTIONED and incident.recovery == Recovery.NONE
    return incident.merged_into_id is None and (incident.status == IncidentStatus.NEW or again)


def decide_on(incident: Incident, now: datetime) -> Decision:
    """Store the decision on the locked `incident` and hand it to stage `plan`."""
    rules = rules_for(incident.tenant_id)
    policy = policy_for(incident.tenant_id, incident.workflow_id)
    _judge_last_recovery(incident, policy, now)
    case = case_of(incident, rules, policy, now)
    draft = decide(case)
    decision = Decision.objects.create(
        incident=incident,
        tenant_id=incident.tenant_id,
        created_at=now,
        correlation_id=incident.correlation_id,
        inputs=case.to_json(),
        **columns_of(draft),
    )
    incident.category, incident.severity = draft.category, draft.severity
    incident.save(update_fields=["category", "severity"])
    announce.changed(incident)
    _note(incident, decision, case, now)
    work.enqueue("plan", incident.tenant_id, [decision.pk], now)
    return decision


def _judge_last_recovery(incident: Incident, policy: AutomationPolicy, now: datetime) -> None:
    """If what the last retry mended has failed again too soon, it counts as failed [S7]."""
    last = last_outcome(incident)
    if last is None or last.result != OutcomeResult.SUCCEEDED:
        return
    again = incident.resources.filter(recovered_at=None, failed_at__gt=F("retried_at"))
    first = again.order_by("failed_at").first()
    if first is None or first.retried_at is None:
        return
    if not came_back(
        retried_at=first.retried_at,
        worked_at=last.at,
        failed_at=first.failed_at,
        window_seconds=policy.recurrence_seconds,
    ):
        return
    last.result = OutcomeResult.RECURRED
    last.save(update_fields=["result"])
    minutes = max(0, round((first.failed_at - last.at).total_seconds() / 60))
    text = (
        f"The last retry did not last: {first} failed again {minutes} min later. Counts as failed"
    )
    announce.note(
        incident, TimelineKind.ACTION, text, actor=MACHINE, now=now, data={"status": "failed"}
    )


def columns_of(draft: DecisionDraft) -> dict[str, object]:
    """The draft as the columns of a Decision row."""
    plain = draft.to_json()
    parts = {
        "parts": plain.pop("confidence_parts"),
        "low": plain.pop("confidence_low"),
        "high": plain.pop("confidence_high"),
    }
    return plain | {"confidence_parts": parts}


def _note(incident: Incident, decision: Decision, case: Case, now: datetime) -> None:
    words = decision.category.replace("_", " ")
    text = f"Classified as {words}, {case.classification.certainty:.2f}"
    announce.note(incident, TimelineKind.CLASSIFIED, text, actor=MACHINE, now=now)
    announce.note(
        incident,
        TimelineKind.DECIDED,
        f"{decision.recommended_action} Confidence {decision.confidence:.2f}.",
        actor=MACHINE,
        now=now,
        data={"decision": str(decision.pk)},
    )


def remember(
    incident: Incident,
    action: str,
    result: str,
    now: datetime,
    *,
    ends_recovery: bool = True,
    seconds_to_recover: float | None = None,
) -> Outcome:
    """Keep what became of what was tried (`ai.record.tried`), for later decisions on the
    signature."""
    return Outcome.objects.create(
        tenant_id=incident.tenant_id,
        incident=incident,
        signature=incident.signature,
        action=action,
        result=result,
        ends_recovery=ends_recovery,
        seconds_to_recover=seconds_to_recover,
        at=now,
    )


def remember_reversal(incident: Incident, action: str, began_at: datetime, now: datetime) -> None:
    """A person takes back what a recovery did that began then: it was no success.

    Once a recovery: one that has failed has counted already. The incident is locked by the caller.
    """
    last = incident.outcomes.filter(action=action, at__gte=began_at).order_by("-at").first()
    if last is None:
        remember(incident, action, OutcomeResult.REVERSED, now)
    elif last.result == OutcomeResult.SUCCEEDED:
        last.result = OutcomeResult.REVERSED
        last.save(update_fields=["result"])
