"""The other half of detection: a success ends what it proves recovered [I7]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE
from incidents import announce
from incidents.models import FailingResource, Incident, TimelineKind
from incidents.services import move
from incidents.states import IncidentStatus, Recovery
from ingestion.models import Event


def heal(tenant_id: UUID, successes: Sequence[Event], now: datetime) -> None:
    """Mark what the events prove recovered; resolve incidents in which nothing fails any more.

    `successes` are in order of receipt. The caller has locked the open incidents within their
    reach.
    """
    # By the receipt of the success that healed it last: what happens after that is a regression.
    healed: dict[UUID, datetime] = {}
    for event in _telling(tenant_id, successes):
        proven = _proven(tenant_id, event)
        incident_ids = set(proven.values_list("incident_id", flat=True))
        if incident_ids:
            proven.update(recovered_at=event.received_at)
            healed |= dict.fromkeys(incident_ids, event.received_at)
    if not healed:
        return
    failing = FailingResource.objects.filter(incident=OuterRef("pk"), recovered_at=None)
    over = Incident.objects.filter(pk__in=healed).exclude(Exists(failing))
    over = over.exclude(status=IncidentStatus.IGNORED).select_related("workflow")
    # Locked again: one may have been opened since the caller looked.
    for incident in over.order_by("signature").select_for_update(of=("self",), no_key=True):
        _resolve(incident, healed[incident.pk], now)
    work.enqueue("verify", tenant_id, healed, now)


def within_reach(tenant_id: UUID, successes: Sequence[Event]) -> Q:
    """The incidents that the successes may heal. Of a workflow with many open ones, that is what
    names the same resource or none: the others are left to who works on them."""
    nameless = {event.workflow_id for event in successes if not event.resource_id}
    failing = _failing_like(tenant_id, successes)
    return Q(workflow_id__in=nameless) | Q(pk__in=failing.values("incident_id"))


def _failing_like(tenant_id: UUID, successes: Sequence[Event]) -> QuerySet[FailingResource]:
    """What still fails in these workflows and has the name of a success, or none."""
    return FailingResource.objects.filter(
        incident__tenant_id=tenant_id,
        incident__workflow_id__in={event.workflow_id for event in successes},
        resource_id__in={event.resource_id for event in successes} | {""},
        recovered_at=None,
    )


def _telling(tenant_id: UUID, successes: Sequence[Event]) -> list[Event]:
    """Those that may prove something: most successes are of what never failed. One query."""
    failing = _failing_like(tenant_id, successes)
    known = set(failing.values_list("incident__workflow_id", "resource_id").distinct())
    return [
        event
        for event in successes
        if not event.resource_id
        or {(event.workflow_id, event.resource_id), (event.workflow_id, "")} & known
    ]


def _proven(tenant_id: UUID, event: Event) -> QuerySet[FailingResource]:
    """What failed in this workflow before the event and is proven good by it.

    A success that names a resource proves that resource, and failures that named none; a success
    that names none proves the whole workflow.
    """
    rows = FailingResource.objects.filter(
        incident__tenant_id=tenant_id,
        incident__workflow_id=event.workflow_id,
        recovered_at=None,
        failed_at__lte=event.received_at,
    ).exclude(incident__status=IncidentStatus.RESOLVED)
    if not event.resource_id:
        return rows
    same = Q(resource_type=event.resource_type, resource_id=event.resource_id)
    return rows.filter(same | Q(resource_id=""))


def _resolve(incident: Incident, resolved_at: datetime, now: datetime) -> None:
    retried = incident.recovery == Recovery.VERIFYING
    stays = incident.recovery in (Recovery.ESCALATED, Recovery.FAILED)
    recovery = incident.recovery if stays else Recovery.NONE
    if retried:
        recovery = Recovery.RECOVERED
    move(
        incident,
        IncidentStatus.RESOLVED,
        actor=MACHINE,
        now=now,
        resolved_at=resolved_at,
        recovery=recovery,
    )
    how = "after a retry" if retried else "on its own"
    text = f"Resolved: {incident.workflow.name} succeeded again {how}"
    announce.note(incident, TimelineKind.RESOLVED, text, actor=MACHINE, now=now)
