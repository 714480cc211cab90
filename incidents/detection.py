"""Stage `detect`: events become incidents, and successes end them [I1 I2 I7].

One transaction a batch. Locks: the batch's incidents, in signature order; then, only to open new
ones, the tenant's number counter; last, the vendors whose breakers the events feed, by id. What two
workers do at once is decided by the partial unique index `incident_one_open_per_signature`, never
by what either of them read before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import Work
from incidents import announce, healing, snoozing
from incidents.lifecycle import Arrival, arrival
from incidents.models import FailingResource, Incident, IncidentEvent, TimelineKind
from incidents.services import move
from incidents.signature import Signature, signature_of
from incidents.states import IncidentStatus, Recovery
from ingestion.admission import probe_of
from ingestion.models import Event
from safety import breakers
from safety.breaker import Outcome
from safety.breakers import Call
from safety.models import EventKind, Severity
from tenants.models import Tenant

STAGE = "detect"
RESOURCE_FIELDS = ["resource_type", "resource_id"]
# How long a success stands back for a failure that another worker has in hand.
PASSING_PAUSE = timedelta(seconds=0.5)
_CALLS = (EventKind.FAILURE, EventKind.SUCCESS)


@dataclass(frozen=True)
class Failure:
    event: Event
    signature: Signature


Groups = Mapping[str, Sequence[Failure]]


def detect(event_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, datetime]:
    """Handle the events (any tenants, any order given; read in order of receipt)."""
    rows = Event.objects.filter(pk__in=event_ids).select_related("workflow")
    events = list(rows.order_by("received_at", "pk"))
    with transaction.atomic():
        early = _overtaking(events)
        by_tenant: dict[UUID, list[Event]] = defaultdict(list)
        for event in events:
            if event.pk not in early:
                by_tenant[event.tenant_id].append(event)
        for tenant_id, tenant_events in sorted(by_tenant.items()):
            _detect_for(tenant_id, tenant_events, now)
        handled = chain.from_iterable(by_tenant.values())
        breakers.record_calls([_call(e) for e in handled if e.vendor and e.kind in _CALLS], now)
    return dict.fromkeys(early, now + PASSING_PAUSE)


def _overtaking(events: Sequence[Event]) -> set[UUID]:
    """The successes before which a failure of their workflow came in that is still in hand.

    What another worker has not committed yet cannot be healed. A failure that made a worker
    stumble is waited for no longer.
    """
    successes = [event for event in events if event.kind == EventKind.SUCCESS]
    if not successes:
        return set()
    newest = max(event.received_at for event in successes)
    in_hand = Work.objects.filter(stage=STAGE, attempts=0, due_at__lte=newest)
    in_hand = in_hand.exclude(subject_id__in=[event.pk for event in events])
    failures = Event.objects.filter(
        pk__in=in_hand.values("subject_id"),
        kind=EventKind.FAILURE,
        workflow_id__in={event.workflow_id for event in successes},
    ).values_list("workflow_id", "received_at")
    first: dict[UUID, datetime] = {}
    for workflow_id, received_at in failures:
        first[workflow_id] = min(received_at, first.get(workflow_id, received_at))
    return {
        event.pk
        for event in successes
        if event.workflow_id in first and first[event.workflow_id] <= event.received_at
    }


def _call(event: Event) -> Call:
    """The event as the report of one call to its vendor."""
    duration = event.payload.get("duration_ms")
    return Call(
        event.tenant_id,
        event.vendor,
        event.received_at,
        cast(Outcome | None, event.vendor_outcome or None),
        duration_ms=float(duration) if isinstance(duration, int | float) else 0.0,
        holder=probe_of(event.idempotency_key),
    )


def _detect_for(tenant_id: UUID, events: Sequence[Event], now: datetime) -> None:
    groups: dict[str, list[Failure]] = defaultdict(list)
    successes = [event for event in events if event.kind == EventKind.SUCCESS]
    for event in events:
        if event.kind == EventKind.FAILURE:
            signature = sign(event)
            groups[signature.digest].append(Failure(event, signature))
    open_now = _lock_open(tenant_id, groups, healing.within_reach(tenant_id, successes))
    while groups:
        _absorb_into_open(groups, open_now, now)
        groups = {digest: group for digest, group in groups.items() if digest not in open_now}
        groups = _reopen_or_count_late(tenant_id, groups, now)
        # Looked for again before any is opened: another worker may have reopened it meanwhile,
        # and its row, waited for, is locked by us now. Nobody may want the counter after that.
        open_now = _lock_open(tenant_id, groups)
        if missing := {digest: groups[digest] for digest in groups if digest not in open_now}:
            _open_new(tenant_id, missing)
            open_now |= _lock_open(tenant_id, missing)
    if successes:
        healing.heal(tenant_id, successes, now)


def sign(event: Event) -> Signature:
    """The signature of a stored failure."""
    return signature_of(
        workflow_id=str(event.workflow_id),
        event_type=event.event_type,
        error_code=event.error_code,
        error_message=event.error_message,
        fingerprint=event.fingerprint,
    )


def _lock_open(
    tenant_id: UUID, digests: Iterable[str], also: Q | None = None
) -> dict[str, Incident]:
    wanted = Q(signature__in=list(digests))
    rows = Incident.objects.filter(wanted | also if also else wanted, tenant_id=tenant_id)
    rows = rows.exclude(status=IncidentStatus.RESOLVED).select_related("workflow")
    locked = rows.order_by("signature").select_for_update(of=("self",), no_key=True)
    return {incident.signature: incident for incident in locked}


def _absorb_into_open(groups: Groups, open_now: Mapping[str, Incident], now: datetime) -> None:
    absorbed = [
        (open_now[d], [f.event for f in group]) for d, group in groups.items() if d in open_now
    ]
    for incident, events in absorbed:
        _join(incident, events)
        snoozing.rouse_for_news(incident, events, now)
    _mark_failing(absorbed)
    # A recovery that is being verified must hear of a new failure at once.
    verifying = [incident for incident, _ in absorbed if incident.recovery == Recovery.VERIFYING]
    for incident in verifying:
        work.enqueue("verify", incident.tenant_id, [incident.pk], now)


def _join(incident: Incident, events: Sequence[Event]) -> None:
    IncidentEvent.objects.bulk_create(
        IncidentEvent(incident=incident, event=event) for event in events
    )
    incident.event_count += len(events)
    incident.first_seen_at = min(incident.first_seen_at, *(e.received_at for e in events))
    incident.last_seen_at = max(incident.last_seen_at, *(e.received_at for e in events))
    incident.save(update_fields=["event_count", "first_seen_at", "last_seen_at"])
    announce.changed(incident)


def _mark_failing(absorbed: Sequence[tuple[Incident, Sequence[Event]]]) -> None:
    rows: dict[tuple[UUID, str, str], FailingResource] = {}
    for incident, events in absorbed:
        for event in events:
            key = (incident.pk, event.resource_type, event.resource_id)
            rows[key] = FailingResource(
                incident=incident,
                resource_type=event.resource_type,
                resource_id=event.resource_id,
                failed_at=event.received_at,
            )
    FailingResource.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        update_fields=["failed_at", "recovered_at"],
        unique_fields=["incident", *RESOURCE_FIELDS],
    )


def _reopen_or_count_late(
    tenant_id: UUID, groups: Groups, now: datetime
) -> dict[str, list[Failure]]:
    """Deal with failures whose signature was resolved before; return those that open anew."""
    left = {digest: list(group) for digest, group in groups.items()}
    for incident in _lock_last_resolved(tenant_id, groups):
        assert incident.resolved_at is not None
        arrivals: dict[Arrival, list[Failure]] = defaultdict(list)
        for failure in left.pop(incident.signature):
            arrivals[_arrival(failure.event, incident.resolved_at)].append(failure)
        if late := arrivals[Arrival.LATE]:
            _join(incident, [failure.event for failure in late])
            text = f"{len(late)} late event(s) from before it was resolved; it stays resolved"
            announce.note(incident, TimelineKind.LATE, text, actor=MACHINE, now=now)
        if regressions := arrivals[Arrival.REGRESSION]:
            _regress(incident, [failure.event for failure in regressions], now)
            left |= {incident.signature: arrivals[Arrival.NEW]} if arrivals[Arrival.NEW] else {}
        elif arrivals[Arrival.NEW]:
            left[incident.signature] = arrivals[Arrival.NEW]
    return left


def _arrival(event: Event, resolved_at: datetime) -> Arrival:
    return arrival(
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        clock_skew=event.clock_skew,
        resolved_at=resolved_at,
    )


def _lock_last_resolved(tenant_id: UUID, digests: Iterable[str]) -> list[Incident]:
    resolved = Incident.objects.filter(
        tenant_id=tenant_id, signature__in=list(digests), status=IncidentStatus.RESOLVED
    )
    newest = resolved.order_by("signature", "-resolved_at").distinct("signature").values("pk")
    locked = Incident.objects.filter(pk__in=[row["pk"] for row in newest])
    # Filtered again: whoever held the lock before us may have reopened it.
    locked = locked.filter(status=IncidentStatus.RESOLVED).select_related("workflow")
    return list(locked.order_by("signature").select_for_update(of=("self",), no_key=True))


def _regress(incident: Incident, events: Sequence[Event], now: datetime) -> None:
    move(
        incident,
        IncidentStatus.NEW,
        actor=MACHINE,
        now=now,
        recovery=Recovery.NONE,
        reopen_count=incident.reopen_count + 1,
        opened_at=events[0].received_at,
        escalated_at=None,
        acknowledged_at=None,
    )
    _join(incident, events)
    _mark_failing([(incident, events)])
    text = f"Reopened: {events[0].workflow.name} fails again after it was resolved"
    announce.note(incident, TimelineKind.REOPENED, text, actor=MACHINE, now=now)
    work.enqueue("analyse", incident.tenant_id, [incident.pk], now)


def _open_new(tenant_id: UUID, groups: Groups) -> None:
    """Insert an incident for each group; one that lost a race is simply not inserted.

    The caller then finds the winner's row under the lock and counts its events there.
    """
    if not groups:
        return
    numbers = _take_numbers(tenant_id, len(groups))
    rows = [
        _new_incident(group, number)
        for (_, group), number in zip(sorted(groups.items()), numbers, strict=True)
    ]
    Incident.objects.bulk_create(rows, ignore_conflicts=True)
    inserted = set(
        Incident.objects.filter(pk__in=[r.pk for r in rows]).values_list("pk", flat=True)
    )
    for incident in (row for row in rows if row.pk in inserted):
        text = f"Opened by {incident.signature_text[:200]}"
        announce.note(incident, TimelineKind.OPENED, text, actor=MACHINE, now=incident.opened_at)
        work.enqueue("analyse", tenant_id, [incident.pk], incident.opened_at)


def _take_numbers(tenant_id: UUID, count: int) -> range:
    tenant = Tenant.objects.filter(pk=tenant_id)
    tenant.update(last_incident_number=F("last_incident_number") + count)
    last = tenant.values_list("last_incident_number", flat=True).get()
    return range(last - count + 1, last + 1)


def _new_incident(group: Sequence[Failure], number: int) -> Incident:
    first, signature = group[0].event, group[0].signature
    severity = first.payload.get("severity")
    return Incident(
        tenant_id=first.tenant_id,
        number=number,
        workflow=first.workflow,
        vendor=first.vendor,
        signature=signature.digest,
        signature_kind=signature.kind,
        signature_text=signature.text,
        title=title_of(first),
        severity=severity if severity in Severity.values else Severity.MEDIUM,
        first_seen_at=first.received_at,
        last_seen_at=first.received_at,
        opened_at=first.received_at,
        correlation_id=first.correlation_id,
    )


def title_of(event: Event) -> str:
    """A sentence for people: the first line of the message, else the code or the type."""
    lines = event.error_message.strip().splitlines()
    words = (event.error_code or event.event_type).replace("_", " ").replace(".", " ")
    title = lines[0] if lines else f"{words} on {event.workflow.name}"
    return title[:1].upper() + title[1:120]
