"""Reading incidents; the first argument is always the tenant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count, F, Q, QuerySet, Subquery, Window

from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.problem import Problem, not_found
from incidents.models import (
    FailingResource,
    GroupingPin,
    Incident,
    TimelineEntry,
    TimelineKind,
)
from incidents.states import IncidentStatus
from ingestion.models import Event
from tenants.models import Tenant

THING = ("resource_type", "resource_id")


def incidents_for(tenant: Tenant) -> QuerySet[Incident]:
    return Incident.objects.filter(tenant=tenant).select_related("workflow", "assignee")


def get_incident_for(tenant: Tenant, pk: UUID | str, **beside: Subquery) -> Incident:
    """The tenant's incident, or the same 404 that an unknown id gets; `beside`: annotations of it.

    For one that was merged, 409 `incident_merged` that names the survivor.
    """
    shown = ("workflow", "assignee", "acknowledged_by", "snoozed_by")
    rows = Incident.everything.filter(tenant=tenant).select_related(*shown)
    incident = rows.filter(pk=pk).annotate(**beside).first()
    if incident is None:
        raise not_found("No such incident.")
    refuse_merged(incident)
    return incident


def refuse_merged(incident: Incident) -> None:
    """409 `incident_merged` for an incident that was merged; pages go on to the survivor's."""
    survivor = incident
    while survivor.merged_into is not None:
        survivor = survivor.merged_into
    if survivor != incident:
        raise Problem(
            409,
            "incident_merged",
            f"{incident.label} was merged into {survivor.label}.",
            page=("incidents:detail", survivor.pk),
            merged_into={"id": str(survivor.pk), "label": survivor.label},
        )


def merged_into(incident: Incident) -> list[Incident]:
    """What was merged into it, by number, but for what a split left that was taken back."""
    rows = Incident.everything.filter(merged_into=incident).select_related("workflow")
    return [one for one in rows.order_by("number") if not is_emptied(one)]


def is_emptied(incident: Incident) -> bool:
    """Whether the split that made it was taken back: it is kept to be used again."""
    return incident.signature_kind == "pin" and not incident.event_count


def pins_for(tenant: Tenant) -> QuerySet[GroupingPin]:
    return GroupingPin.objects.filter(tenant=tenant)


def get_pin_for(tenant: Tenant, pk: UUID | str) -> GroupingPin:
    """The tenant's pin, or the same 404 that an unknown id gets."""
    pin = pins_for(tenant).filter(pk=pk).first()
    if pin is None:
        raise not_found("No such pin.")
    return pin


def members_of(tenant: Tenant) -> list[User]:
    """The people who can be given an incident, by name."""
    members = User.objects.filter(memberships__tenant=tenant, is_active=True)
    return list(members.order_by("first_name", "username"))


def timeline_of(incident: Incident) -> QuerySet[TimelineEntry]:
    """Newest first."""
    return TimelineEntry.objects.filter(incident=incident).order_by("-id")


def events_of(incident: Incident) -> QuerySet[Event]:
    """The incident's events, newest first."""
    return Event.objects.filter(membership__incident=incident).order_by("-id")


def still_failing(incident: Incident) -> QuerySet[FailingResource]:
    """What the incident broke and has not recovered, oldest failure first."""
    return incident.resources.filter(recovered_at=None).order_by("failed_at", "id")


@dataclass(frozen=True)
class Broken:
    """What an incident broke: how many things, how many of them still fail, and the first of those
    by name, oldest failure first."""

    all: int
    failing: int
    named: Sequence[FailingResource]

    @property
    def more(self) -> int:
        return self.failing - len(self.named)


def broken_by(incident: Incident, names: int = 5) -> Broken:
    """By one query."""
    # A thing that stands in it for several origins is one, failing if it is so for any.
    each = incident.resources.order_by(
        *THING, F("recovered_at").asc(nulls_first=True), "-failed_at"
    )
    rows = list(
        FailingResource.objects.filter(pk__in=each.distinct(*THING).values("pk"))
        .annotate(all=Window(Count("pk")), failing=Window(Count("pk", filter=Q(recovered_at=None))))
        .order_by(F("recovered_at").asc(nulls_first=True), "failed_at", "id")[:names]
    )
    if not rows:
        return Broken(0, 0, [])
    named = [row for row in rows if row.recovered_at is None]
    return Broken(rows[0].all, rows[0].failing, named)


def closed_by_person(incident: Incident) -> bool:
    """Whether a person resolved or ignores it; what its own events ended is not meant."""
    if incident.status != IncidentStatus.RESOLVED:
        return bool(incident.status == IncidentStatus.IGNORED)
    last = timeline_of(incident).filter(kind=TimelineKind.RESOLVED).first()
    return last is not None and last.actor_kind != MACHINE.kind


def feed_for(tenant: Tenant, limit: int = 50) -> list[TimelineEntry]:
    entries = TimelineEntry.objects.filter(tenant=tenant).select_related("incident")
    return list(entries.order_by("-id")[:limit])
