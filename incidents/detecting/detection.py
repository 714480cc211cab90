"""Stage `detect`: events become incidents, and successes end them [I1 I2 I7].

One transaction a batch. Locks: the tenant's merges, shared (routes.py); the batch's incidents, in
signature order; then, only to open new ones (opening.py), the tenant's number counter; last, the
vendors whose breakers the events feed, by id. What two workers do at once is decided by the partial
unique index `incident_one_open_per_signature`, never by what either of them read before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import Work
from incidents import announce
from incidents.detecting import healing
from incidents.detecting.opening import Failure, Groups, grouped, open_new
from incidents.detecting.routes import Routes, count_on_the_way, hold_merges, routes_of
from incidents.lifecycle import Arrival, arrival
from incidents.models import FailingResource, Incident, IncidentEvent, TimelineKind
from incidents.services import move
from incidents.states import IncidentStatus, Recovery
from incidents.triage import snoozing
from ingestion.admission import probe_of
from ingestion.models import Event
from safety import breakers
from safety.breaker import Outcome
from safety.breakers import Call
from safety.models import EventKind

STAGE = "detect"
RESOURCE_FIELDS = ["origin", "resource_type", "resource_id"]
# How long a success stands back for a failure that another worker has in hand.
PASSING_PAUSE = timedelta(seconds=0.5)
_CALLS = (EventKind.FAILURE, EventKind.SUCCESS)


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
    hold_merges(tenant_id)
    failures = [event for event in events if event.kind == EventKind.FAILURE]
    successes = [event for event in events if event.kind == EventKind.SUCCESS]
    groups = grouped(tenant_id, failures) if failures else {}
    routes = routes_of(tenant_id, groups) if groups else {}
    open_now = _lock_open(tenant_id, groups, routes, healing.within_reach(tenant_id, successes))
    while groups:
        _absorb_into_open(groups, open_now, routes, now)
        groups = {digest: group for digest, group in groups.items() if digest not in open_now}
        groups = _reopen_or_count_late(tenant_id, groups, routes, now)
        # Looked for again before any is opened: another worker may have reopened it meanwhile,
        # and its row, waited for, is locked by us now. Nobody may want the counter after that.
        open_now = _lock_open(tenant_id, groups, routes)
        if missing := {digest: groups[digest] for digest in groups if digest not in open_now}:
            open_new(tenant_id, missing)
            open_now |= _lock_open(tenant_id, missing, {})
    if successes:
        healing.heal(tenant_id, successes, now)


def _lock_open(
    tenant_id: UUID, digests: Iterable[str], routes: Routes, also: Q | None = None
) -> dict[str, Incident]:
    """The open incident of each signature that has one: its own, else where it was merged into."""
    survivors = {digest: routes[digest].survivor for digest in digests if digest in routes}
    wanted = Q(signature__in=list(digests))
    wanted |= Q(pk__in=set(survivors.values())) if survivors else Q()
    rows = Incident.objects.filter(wanted | also if also else wanted, tenant_id=tenant_id)
    rows = rows.exclude(status=IncidentStatus.RESOLVED).select_related("workflow")
    locked = list(rows.order_by("signature").select_for_update(of=("self",), no_key=True))
    standing = {incident.pk: incident for incident in locked}
    merged = {digest: standing[pk] for digest, pk in survivors.items() if pk in standing}
    return merged | {incident.signature: incident for incident in locked}


def _absorb_into_open(
    groups: Groups, open_now: Mapping[str, Incident], routes: Routes, now: datetime
) -> None:
    absorbed = [(open_now[d], group) for d, group in groups.items() if d in open_now]
    for incident, group in absorbed:
        _join(incident, group, routes)
        snoozing.rouse_for_news(incident, [failure.event for failure in group], now)
    _mark_failing(absorbed, routes)
    # A recovery that is being verified must hear of a new failure at once.
    verifying = [incident for incident, _ in absorbed if incident.recovery == Recovery.VERIFYING]
    for incident in verifying:
        work.enqueue("verify", incident.tenant_id, [incident.pk], now)


def _join(incident: Incident, group: Sequence[Failure], routes: Routes) -> None:
    received = [failure.event.received_at for failure in group]
    IncidentEvent.objects.bulk_create(
        IncidentEvent(incident=incident, event=one.event, origin_id=_origin(incident, one, routes))
        for one in group
    )
    for digest in {failure.signature.digest for failure in group} & routes.keys():
        if routes[digest].survivor == incident.pk:
            same = [f.event.received_at for f in group if f.signature.digest == digest]
            count_on_the_way(routes[digest], same)
    incident.event_count += len(group)
    incident.first_seen_at = min(incident.first_seen_at, *received)
    incident.last_seen_at = max(incident.last_seen_at, *received)
    incident.save(update_fields=["event_count", "first_seen_at", "last_seen_at"])
    announce.changed(incident)


def _origin(incident: Incident, failure: Failure, routes: Routes) -> UUID | None:
    route = routes.get(failure.signature.digest)
    return route.origin if route and route.survivor == incident.pk else None


def _mark_failing(absorbed: Sequence[tuple[Incident, Sequence[Failure]]], routes: Routes) -> None:
    rows: dict[tuple[UUID, UUID | None, str, str], FailingResource] = {}
    for incident, group in absorbed:
        for failure in group:
            event, origin = failure.event, _origin(incident, failure, routes)
            key = (incident.pk, origin, event.resource_type, event.resource_id)
            rows[key] = FailingResource(
                incident=incident,
                origin_id=origin,
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
    tenant_id: UUID, groups: Groups, routes: Routes, now: datetime
) -> dict[str, list[Failure]]:
    """Deal with failures whose signature was resolved before; return those that open anew."""
    left = {digest: list(group) for digest, group in groups.items()}
    for incident, digests in _lock_last_resolved(tenant_id, groups, routes):
        assert incident.resolved_at is not None
        failures = list(chain.from_iterable(left.pop(digest) for digest in digests))
        arrivals: dict[Arrival, list[Failure]] = defaultdict(list)
        for failure in sorted(failures, key=lambda one: (one.event.received_at, one.event.pk)):
            arrivals[_arrival(failure.event, incident.resolved_at)].append(failure)
        if late := arrivals[Arrival.LATE]:
            _join(incident, late, routes)
            text = f"{len(late)} late event(s) from before it was resolved; it stays resolved"
            announce.note(incident, TimelineKind.LATE, text, actor=MACHINE, now=now)
        if regressions := arrivals[Arrival.REGRESSION]:
            _regress(incident, regressions, routes, now)
        # After a merged incident's survivor is long over, each signature opens its own again.
        for failure in arrivals[Arrival.NEW]:
            left.setdefault(failure.signature.digest, []).append(failure)
    return left


def _arrival(event: Event, resolved_at: datetime) -> Arrival:
    return arrival(
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        clock_skew=event.clock_skew,
        resolved_at=resolved_at,
    )


def _lock_last_resolved(
    tenant_id: UUID, digests: Iterable[str], routes: Routes
) -> list[tuple[Incident, list[str]]]:
    """Each with the signatures whose last resolved incident it is, by itself or by a merge."""
    resolved = Incident.objects.filter(tenant_id=tenant_id, status=IncidentStatus.RESOLVED)
    own = resolved.filter(signature__in=list(digests)).order_by("signature", "-resolved_at")
    newest = own.distinct("signature").values_list("signature", "pk")
    homes = {digest: {pk} for digest, pk in newest}
    for digest in digests:
        if digest in routes:
            homes.setdefault(digest, set()).add(routes[digest].survivor)
    # Filtered again: whoever held the lock before us may have reopened it.
    locked = resolved.filter(pk__in=set(chain.from_iterable(homes.values())))
    locked = locked.select_related("workflow").order_by("signature")
    found = {one.pk: one for one in locked.select_for_update(of=("self",), no_key=True)}
    last: dict[UUID, list[str]] = defaultdict(list)
    for digest, pks in homes.items():
        if known := [found[pk] for pk in pks if pk in found]:
            last[max(known, key=_resolved_at).pk].append(digest)
    return [(found[pk], same) for pk, same in last.items()]


def _resolved_at(incident: Incident) -> datetime:
    assert incident.resolved_at is not None
    return incident.resolved_at


def _regress(
    incident: Incident, failures: Sequence[Failure], routes: Routes, now: datetime
) -> None:
    first = failures[0].event
    move(
        incident,
        IncidentStatus.NEW,
        actor=MACHINE,
        now=now,
        recovery=Recovery.NONE,
        reopen_count=incident.reopen_count + 1,
        opened_at=first.received_at,
        escalated_at=None,
        acknowledged_at=None,
    )
    _join(incident, failures, routes)
    _mark_failing([(incident, failures)], routes)
    text = f"Reopened: {first.workflow.name} fails again after it was resolved"
    announce.note(incident, TimelineKind.REOPENED, text, actor=MACHINE, now=now)
    work.enqueue("analyse", incident.tenant_id, [incident.pk], now)
