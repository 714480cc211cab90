"""The incidents that belong to one picture with another [I4]: what correlation.py asks for.

Every query is bounded: so many of the incident's own events, so many of other incidents' with the
same correlation ids, and the incidents of a vendor that began within the window, by an index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from incidents.detail.correlation import (
    WINDOW,
    Case,
    Picture,
    Relation,
    finding_of,
    picture_of,
    relate,
)
from incidents.models import Incident, IncidentEvent
from incidents.selectors import events_of, incidents_for
from incidents.states import IncidentStatus
from ingestion.models import Event
from tenants.models import Tenant

# Of the incident's own events, the newest; of all with their correlation ids, any; of the vendor's
# incidents, the first to begin.
OWN_EVENTS, LIKE_EVENTS, LIKE_INCIDENTS = 100, 1_000, 50


@dataclass(frozen=True)
class Related:
    """`rows`: each relation with its incident, the strongest first."""

    finding: str
    rows: Sequence[tuple[Relation, Incident]]
    picture: Picture | None


def related_to(tenant: Tenant, incident: Incident, now: datetime) -> Related:
    """By four queries at most."""
    runs = _runs_of(tenant, incident)
    found = {one.pk: one for one in _of_vendor(tenant, incident)}
    found |= incidents_for(tenant).in_bulk(runs.keys() - found.keys() - {incident.pk})
    case = _case(incident, runs)
    relations = relate(case, [_case(one, runs) for one in found.values()])
    rows = [(relation, found[relation.other.id]) for relation in relations]
    return Related(finding_of(relations), rows, picture_of(case, relations, now))


def _runs_of(tenant: Tenant, incident: Incident) -> Mapping[UUID, frozenset[str]]:
    """The correlation ids of the incident's events, by the incidents that they are found in."""
    own = set(events_of(incident).values_list("correlation_id", flat=True)[:OWN_EVENTS]) - {""}
    like = Event.objects.filter(tenant=tenant, correlation_id__in=own).values("pk")[:LIKE_EVENTS]
    members = IncidentEvent.objects.filter(event__in=like) if own else IncidentEvent.objects.none()
    runs: dict[UUID, set[str]] = defaultdict(set)
    for incident_id, run in members.values_list("incident_id", "event__correlation_id"):
        runs[incident_id].add(run)
    runs[incident.pk] = own
    return {pk: frozenset(found) for pk, found in runs.items()}


def _of_vendor(tenant: Tenant, incident: Incident) -> Sequence[Incident]:
    if not incident.vendor:
        return []
    began = incident.opened_at - WINDOW, incident.opened_at + WINDOW
    rows = incidents_for(tenant).filter(vendor=incident.vendor, opened_at__range=began)
    rows = rows.exclude(workflow=incident.workflow_id)
    return list(rows.order_by("opened_at")[:LIKE_INCIDENTS])


def _case(incident: Incident, runs: Mapping[UUID, frozenset[str]]) -> Case:
    return Case(
        incident.pk,
        incident.label,
        incident.workflow.name,
        incident.vendor,
        incident.opened_at,
        incident.resolved_at if incident.status == IncidentStatus.RESOLVED else None,
        runs.get(incident.pk, frozenset()),
    )
