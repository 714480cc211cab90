"""Loading the case of an incident: everything `ai.decide` may look at, and nothing else.

Windows are of receipt times. Each look-up is bounded, whatever the tenant's history.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from ai.classify import Classification, classify
from ai.decide import Case, ReportedSeverity
from ai.effectiveness import WINDOW as INEFFECTIVE_WINDOW
from ai.evidence import CHANGE_WINDOW_MINUTES, CauseFacts, Change
from ai.models import Outcome, OutcomeResult
from ai.record import BAD, WAIT, Outcomes, tried
from ai.selectors import last_outcome
from ai.similarity import IncidentText, PastIncident, Similar, rank_similar
from ai.similarity import Outcome as PastOutcome
from incidents.models import Incident, TimelineEntry, TimelineKind
from incidents.selectors import events_of
from incidents.states import IncidentStatus, Recovery
from ingestion.models import Event
from safety.models import AutomationPolicy, EventKind, Severity
from safety.rule_types import Ruleset

WINDOW = timedelta(minutes=15)
# Of fewer calls to a vendor, a share says nothing the incident does not say itself.
TELLING_CALLS = 10
PAST_INCIDENTS = 500
PAST_OUTCOMES = 50
NEWEST_CHANGES = 20
# What people do about an incident, beside looking at it and talking of it.
ACTS = (
    *(TimelineKind.APPROVAL, TimelineKind.RESOLVED),
    *(TimelineKind.STATUS, TimelineKind.REOPENED),
)


def case_of(incident: Incident, rules: Ruleset, policy: AutomationPolicy, now: datetime) -> Case:
    """The case as it stands now, under the automation policy."""
    newest = events_of(incident).first()
    code, message = (newest.error_code, newest.error_message) if newest else ("", incident.title)
    found = classify(code, message, rules)
    outcomes = Outcome.objects.filter(tenant_id=incident.tenant_id, signature=incident.signature)
    outcomes = outcomes.exclude(action=WAIT)
    return Case(
        incident=incident.label,
        classification=found,
        facts=_facts(incident, found, now),
        history=_history(
            outcomes.filter(action=tried(found.plan), at__lt=incident.opened_at, ends_recovery=True)
        ),
        similar=_similar(incident, code, message, found),
        failed_attempts=outcomes.filter(
            incident=incident, at__gte=incident.opened_at, result=OutcomeResult.FAILED
        ).count(),
        max_attempts=policy.max_attempts,
        ineffective=outcomes.filter(
            result=OutcomeResult.RECURRED, at__gt=max(now - INEFFECTIVE_WINDOW, _last_act(incident))
        ).count(),
        max_ineffective=policy.max_ineffective,
        reported_severity=_reported_severity(newest),
    )


def _last_act(incident: Incident) -> datetime:
    """When a person last decided something about the incident; its first sight if nobody has."""
    acts = incident.timeline.filter(actor_kind="person", kind__in=ACTS)
    return acts.order_by("-id").values_list("at", flat=True).first() or incident.first_seen_at


def _reported_severity(event: Event | None) -> ReportedSeverity:
    said = event.payload.get("severity") if event else ""
    return cast(ReportedSeverity, said if said in Severity.values else "")


def _history(outcomes: QuerySet[Outcome]) -> Outcomes:
    newest = outcomes.order_by("-at").values_list("result", "seconds_to_recover")
    return Outcomes.of(newest[:PAST_OUTCOMES])


def _facts(incident: Incident, found: Classification, now: datetime) -> CauseFacts:
    since = incident.opened_at - WINDOW
    resources = incident.resources.aggregate(
        failing=Count("id", filter=Q(recovered_at=None)),
        recovered=Count("id", filter=Q(recovered_at__isnull=False)),
    )
    successes = Event.objects.filter(
        tenant_id=incident.tenant_id,
        workflow_id=incident.workflow_id,
        kind=EventKind.SUCCESS,
        received_at__gte=incident.opened_at,
    )
    earlier = Incident.objects.filter(tenant_id=incident.tenant_id, signature=incident.signature)
    return CauseFacts(
        category=found.category,
        certainty=found.certainty,
        workflow=incident.workflow.name,
        vendor=incident.vendor,
        **_around(incident, since, now),
        **_changes(incident),
        failures=max(1, incident.event_count),
        failing_resources=resources["failing"],
        recovered_resources=resources["recovered"],
        successes_since=successes.count(),
        reopen_count=_unmended_reopenings(incident),
        past_incidents=earlier.exclude(pk=incident.pk).count(),
    )


def _unmended_reopenings(incident: Incident) -> int:
    """How often it came back, unless the last retry of it worked: then it is a new occurrence."""
    last = last_outcome(incident)
    return 0 if last and last.result == OutcomeResult.SUCCEEDED else incident.reopen_count


def _around(incident: Incident, since: datetime, now: datetime) -> dict[str, Any]:
    """How the vendor's other workflows, and other vendors, have done since."""
    rows = (
        Event.objects.filter(
            tenant_id=incident.tenant_id, received_at__gte=since, received_at__lte=now
        )
        .exclude(vendor="")
        .values("vendor", "workflow_id")
        .annotate(total=Count("id"), failed=Count("id", filter=Q(kind=EventKind.FAILURE)))
    )
    mine = [row for row in rows if row["vendor"] == incident.vendor]
    others = [row for row in mine if row["workflow_id"] != incident.workflow_id]
    total, failed = sum(row["total"] for row in mine), sum(row["failed"] for row in mine)
    failing_vendors = {row["vendor"] for row in rows if row["failed"]} - {incident.vendor}
    return {
        "other_workflows": len(others),
        "other_workflows_failing": sum(1 for row in others if row["failed"]),
        "other_vendors_failing": len(failing_vendors),
        "vendor_failure_share": failed / total if total >= TELLING_CALLS else None,
    }


def _changes(incident: Incident) -> dict[str, Any]:
    known = Event.objects.filter(tenant_id=incident.tenant_id, kind=EventKind.CHANGE)
    since = incident.opened_at - timedelta(minutes=CHANGE_WINDOW_MINUTES)
    recent = known.filter(received_at__gte=since, received_at__lte=incident.opened_at)
    changes = tuple(
        Change(
            label=str(event.payload.get("summary") or event.event_type)[:120],
            minutes_before=(incident.opened_at - event.received_at).total_seconds() / 60,
            same_workflow=event.workflow_id == incident.workflow_id,
        )
        for event in recent.order_by("-received_at")[:NEWEST_CHANGES]
    )
    return {"changes": changes, "changes_known": bool(changes) or known.exists()}


def _similar(
    incident: Incident, code: str, message: str, found: Classification
) -> tuple[Similar, ...]:
    query = IncidentText(
        signature=incident.signature,
        message=message,
        error_code=code,
        vendor=incident.vendor,
        workflow=incident.workflow.name,
        category=found.category,
    )
    return rank_similar(query, map(_past, _closed_before(incident)))


def _closed_before(incident: Incident) -> Iterable[Incident]:
    by_person = TimelineEntry.objects.filter(
        incident=OuterRef("pk"), kind=TimelineKind.RESOLVED, actor_kind="person"
    )
    closed = Incident.objects.filter(tenant_id=incident.tenant_id, status=IncidentStatus.RESOLVED)
    closed = closed.exclude(pk=incident.pk).select_related("workflow").prefetch_related("outcomes")
    closed = closed.annotate(by_hand=Exists(by_person))
    return closed.order_by("-last_seen_at")[:PAST_INCIDENTS]


def _past(incident: Incident) -> PastIncident:
    ended = [outcome for outcome in incident.outcomes.all() if outcome.action != WAIT]
    last = max(ended, key=lambda outcome: outcome.at, default=None)
    is_code = incident.signature_kind == "code"
    return PastIncident(
        incident_id=str(incident.pk),
        number=incident.number,
        text=IncidentText(
            signature=incident.signature,
            message=incident.title if is_code else incident.signature_text,
            error_code=incident.signature_text if is_code else "",
            vendor=incident.vendor,
            workflow=incident.workflow.name,
            category=incident.category,
        ),
        outcome=_outcome(incident, last),
        action_kind=last.action if last else "",
        seconds_to_recover=last.seconds_to_recover if last else None,
    )


def _outcome(incident: Incident, last: Outcome | None) -> PastOutcome:
    if incident.recovery == Recovery.RECOVERED:
        return "recovered"
    if last is not None and last.result == OutcomeResult.REJECTED:
        return "rejected"
    if last is not None and last.result in BAD:
        return "failed"
    return "by_hand" if getattr(incident, "by_hand", False) else "unknown"
