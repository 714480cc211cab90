"""A month of one tenant's life, as large as wanted, written straight into the tables for G5."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

SPAN = timedelta(days=30)
WORKFLOWS = 20
# Every 200 events an incident, the newest few of them open; one is open all the month.
EVENTS_AN_INCIDENT = 200
OPEN = 25
TABLES = (
    "ingestion_event ingestion_eventcount ingestion_freshcount incidents_incident ai_decision"
    " ai_outcome actions_action actions_recovery kernel_auditentry kernel_work"
)
# In a hundred events: a change, 14 failures, 10 informational ones, 75 successes.
_EVENTS = """
    INSERT INTO ingestion_event (id, tenant_id, workflow_id, event_type, kind, payload,
        idempotency_key, content_hash, occurred_at, received_at, clock_skew, schema_version,
        correlation_id, resource_type, resource_id, fingerprint, error_code, vendor, vendor_outcome)
    SELECT {id}, %(tenant)s, (%(workflows)s::uuid[])[1 + i %% {workflows}], 'work.' || kind, kind,
        jsonb_build_object('error_message', repeat('Gateway timed out. ', 12)), 'key-' || i,
        '\\x00', t - interval '2 s', t, false, '1.0.0', 'c-' || i, 'order', (i %% 5000)::text, '',
        CASE kind WHEN 'failure' THEN 'payment_timeout' ELSE '' END, 'stripe',
        CASE kind WHEN 'failure' THEN 'failure' WHEN 'success' THEN 'success' ELSE '' END
    FROM (SELECT i, {at} AS t, CASE WHEN i %% 100 = 0 THEN 'change' WHEN i %% 100 < 15
        THEN 'failure' WHEN i %% 100 < 25 THEN 'info' ELSE 'success' END AS kind
        FROM generate_series(1, %(events)s) AS i) AS made
"""
_MEMBERS = """
    INSERT INTO incidents_incidentevent (incident_id, event_id)
    SELECT (%(incidents)s::uuid[])[CASE WHEN i %% 100 = 1 THEN 1
        ELSE 2 + (i - 1)::bigint * (cardinality(%(incidents)s::uuid[]) - 1) / %(events)s END], {id}
    FROM (SELECT i, {at} AS t FROM generate_series(1, %(events)s) AS i
        WHERE i %% 100 BETWEEN 1 AND 14) AS made
"""
_SQL = {
    "id": "(lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '70008'"
    " || substr(md5(i::text), 1, 15))::uuid",
    "at": "%(start)s + i * %(span)s::interval / %(events)s",
    "workflows": WORKFLOWS,
}


@dataclass(frozen=True)
class Filled:
    """What there is to look at: an open incident of all the month, one of the newest, …"""

    ids: dict[str, Any]


def fill(tenant: Any, workflows: list[Any], user: Any, events: int, now: datetime) -> Filled:
    """Empty the tables and fill them with so many events up to `now`, and what comes of events."""
    from django.db import connection

    from incidents.detail import trends
    from incidents.models import Incident
    from ingestion import counts

    start = now - SPAN
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(f"TRUNCATE {', '.join(TABLES.split())} CASCADE")
        rows = _incidents(tenant, workflows, user, max(OPEN + 2, events // EVENTS_AN_INCIDENT), now)
        Incident.objects.filter(pk=rows[0].pk).update(event_count=events // 100)
        # No trigger: neither foreign keys nor counts are looked at row by row.
        cursor.execute("SET session_replication_role = replica")
        values = {
            "tenant": tenant.pk,
            "workflows": [workflow.pk for workflow in workflows],
            "incidents": [row.pk for row in rows],
            "events": events,
            "start": start,
            "span": SPAN,
        }
        cursor.execute(_EVENTS.format(**_SQL), values)
        cursor.execute(_MEMBERS.format(**_SQL), values)
        cursor.execute("SET session_replication_role = DEFAULT")
        counts.rebuild()
        trends.recount()
        cursor.execute("VACUUM ANALYZE")
    return Filled(_ids(rows, workflows))


def _ids(rows: list[Any], workflows: list[Any]) -> dict[str, Any]:
    from actions.models import Action, Recovery
    from ai.models import Decision
    from ingestion.models import Event

    return {
        "storm": rows[0].pk,
        "incident": rows[-1].pk,
        "workflow": workflows[0].pk,
        "event": Event.objects.latest("received_at").pk,
        "action": Action.objects.latest("created_at").pk,
        "recovery": Recovery.objects.latest("created_at").pk,
        "decision": Decision.objects.latest("created_at").pk,
    }


def _id_at(at: datetime) -> UUID:
    random = int.from_bytes(os.urandom(9)) & (1 << 62) - 1
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62 | random)


def _incidents(
    tenant: Any, workflows: list[Any], user: Any, count: int, now: datetime
) -> list[Any]:
    """The incidents, oldest first, each with its timeline, decision, actions, audit entries."""
    from actions.models import Recovery, RecoveryPlan
    from incidents.models import Incident

    made = []
    for number in range(count):
        opened = now - SPAN + SPAN * number / count
        is_open = number == 0 or number >= count - OPEN
        made.append(
            Incident(
                id=_id_at(opened),
                tenant=tenant,
                number=number + 1,
                workflow=workflows[number % len(workflows)],
                vendor="stripe",
                signature=f"signature-{number}",
                signature_kind="code",
                signature_text=f"payment_timeout_{number}",
                title=f"Gateway timed out {number}",
                status="actioned" if is_open else "resolved",
                severity=("critical", "high", "medium", "low")[number % 4],
                category="transient_timeout",
                event_count=EVENTS_AN_INCIDENT * 14 // 100,
                first_seen_at=opened,
                opened_at=opened,
                last_seen_at=now if is_open else opened + timedelta(minutes=5),
                resolved_at=None if is_open else opened + timedelta(minutes=10 + number % 50),
                assignee=user if number % 5 == 0 else None,
            )
        )
    Incident.objects.bulk_create(made, 500)
    for model, rows in _belongings(tenant, made, user):
        model.objects.bulk_create(rows, 1_000)
    plan = RecoveryPlan.objects.filter(tenant=None).first()
    recovered = [
        Recovery(
            tenant=tenant, incident=incident, template=plan, document=plan.document,
            status="completed", reason="Done.", created_at=incident.opened_at,
            finished_at=incident.opened_at + timedelta(minutes=4),
        )
        for incident in made[::4]
    ]  # fmt: skip
    Recovery.objects.bulk_create(recovered, 1_000)
    return made


def _belongings(tenant: Any, incidents: list[Any], user: Any) -> Iterator[tuple[Any, list[Any]]]:
    from actions.models import Action
    from ai.models import Decision, Outcome
    from awfdrs_site.kernel.models import AuditEntry
    from incidents.models import FailingResource, TimelineEntry

    kinds = ("opened", "classified", "decided", "gate", "action", "events", "events", "resolved")
    yield (
        TimelineEntry,
        [
            TimelineEntry(
                tenant=tenant, incident=incident, at=incident.opened_at + timedelta(seconds=second),
                actor_kind="machine", actor="awfdrs", kind=kind, text=f"It is {kind}.",
            )
            for incident in incidents
            for second, kind in enumerate(kinds * (20 if incident is incidents[0] else 1))
        ],
    )  # fmt: skip
    yield (
        FailingResource,
        [
            FailingResource(
                incident=incident, resource_type="order", resource_id=str(name),
                failed_at=incident.opened_at, recovered_at=incident.resolved_at,
            )
            for incident in incidents
            for name in range(3)
        ],
    )  # fmt: skip
    decisions = [
        Decision(
            tenant=tenant, incident=incident, type="retry", category="transient_timeout",
            severity="high", confidence=0.7, confidence_parts={"parts": []}, hypotheses=[],
            similar=[], reasoning="It times out.", recommended_action="Retry.", parameters={},
            model="local-1", inputs={}, created_at=incident.opened_at,
        )
        for incident in incidents
    ]  # fmt: skip
    yield Decision, decisions
    yield (
        Action,
        [
            Action(
                id=_id_at(decision.created_at), tenant=tenant, incident=decision.incident,
                decision=decision, kind="retry", acts=True, correlation_id="c",
                status="waiting" if decision.incident.resolved_at is None else "succeeded",
                receipt={"outcome": "run", "checks": []}, created_at=decision.created_at,
                due_at=decision.created_at, sent_at=decision.created_at,
                finished_at=decision.incident.resolved_at,
                expires_at=decision.created_at + timedelta(days=60),
            )
            for decision in decisions
        ],
    )  # fmt: skip
    yield (
        Outcome,
        [
            Outcome(
                tenant=tenant, incident=incident, signature=incident.signature, action="retry",
                result="failed" if incident.number % 9 == 0 else "succeeded", ends_recovery=True,
                at=incident.resolved_at,
            )
            for incident in incidents
            if incident.resolved_at
        ],
    )  # fmt: skip
    yield (
        AuditEntry,
        [
            AuditEntry(
                tenant_id=tenant.pk, at=incident.opened_at + timedelta(seconds=second),
                actor="Bea Bench" if incident.number % 50 == 1 else "awfdrs", verb=verb,
                subject_type="incidents.incident", subject_id=str(incident.pk),
            )
            for incident in incidents
            for second, verb in enumerate(("opened", "analysed", "decided", "sent", "resolved"))
        ],
    )  # fmt: skip
