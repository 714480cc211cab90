"""`/api/v1/incidents`: reading incidents and what people do to them [I5 I6]."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awfdrs_site.kernel.pages import words_of
from awfdrs_site.kernel.problem import FieldError, invalid
from awfdrs_site.kernel.rest import Body, NothingBody
from incidents import services
from incidents.listing.filters import (
    DEFAULT_ORDERING,
    ORDERINGS,
    IncidentFilter,
    order_of,
    with_severity_rank,
)
from incidents.models import Incident, TimelineEntry
from incidents.selectors import events_of, get_incident_for, incidents_for, timeline_of
from incidents.serializers import (
    AssignBody,
    BulkBody,
    BulkReport,
    CommentBody,
    CommentedSerializer,
    IncidentSerializer,
    OptionalComment,
    SnoozeBody,
    StatusBody,
    TimelineEntrySerializer,
    UnacknowledgeBody,
)
from incidents.triage import bulk, snoozing, undoing
from ingestion.models import Event
from ingestion.serializers import EventSerializer
from tenants.access import Identity
from tenants.models import Tenant
from tenants.rest import TenantList, TenantView

TAGS = ["Incidents"]


class IncidentList(TenantList):
    """The tenant's incidents, the latest seen first."""

    scopes = {"GET": "read"}
    serializer_class = IncidentSerializer
    filterset_class = IncidentFilter
    query_parameters = frozenset({"ordering"})
    queryset = Incident.objects.none()

    def get_order(self, request: Request) -> tuple[str, str]:
        return order_of(request.query_params.get("ordering", DEFAULT_ORDERING))

    @extend_schema(
        tags=TAGS,
        operation_id="incidents_list",
        parameters=[
            OpenApiParameter(
                "ordering",
                enum=[f"{sign}{name}" for name in ORDERINGS for sign in ("", "-")],
                default=DEFAULT_ORDERING,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        rows = incidents_for(self.tenant).select_related("acknowledged_by", "snoozed_by")
        return self.listing(with_severity_rank(rows))


class IncidentDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = IncidentSerializer

    @extend_schema(tags=TAGS, operation_id="incidents_retrieve")
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(IncidentSerializer(get_incident_for(self.tenant, pk)).data)


class IncidentEvents(TenantList):
    """The events that were counted in the incident, newest first."""

    scopes = {"GET": "read"}
    serializer_class = EventSerializer
    queryset = Event.objects.none()

    @extend_schema(tags=TAGS, operation_id="incidents_events")
    def get(self, request: Request, pk: UUID) -> Response:
        return self.listing(events_of(get_incident_for(self.tenant, pk)))


class IncidentTimeline(TenantList):
    """What happened to the incident, newest first: by the machine, people and senders."""

    scopes = {"GET": "read"}
    serializer_class = TimelineEntrySerializer
    queryset = TimelineEntry.objects.none()

    @extend_schema(tags=TAGS, operation_id="incidents_timeline")
    def get(self, request: Request, pk: UUID) -> Response:
        return self.listing(timeline_of(get_incident_for(self.tenant, pk)))


class _Command(TenantView):
    """One thing a person does to an incident; answers with the incident as it is then."""

    scopes = {"POST": "act", "PATCH": "act"}
    serializer_class = IncidentSerializer
    body_class: ClassVar[type[Body]] = NothingBody

    def command(self, request: Request, pk: UUID) -> Response:
        tenant = self.tenant
        incident = get_incident_for(tenant, pk)
        self.run(incident, self.identity, self.body(self.body_class, request))
        return Response(IncidentSerializer(get_incident_for(tenant, pk)).data)

    def run(self, incident: Incident, identity: Identity, body: dict[str, Any]) -> None:
        raise NotImplementedError


class ChangeStatus(_Command):
    """Resolve, ignore or open again; an illegal step answers 409 with the legal ones."""

    body_class = StatusBody

    @extend_schema(tags=TAGS, operation_id="incidents_set_status", request=StatusBody)
    def patch(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, incident: Incident, identity: Identity, body: dict[str, Any]) -> None:
        services.change_status(
            incident=incident,
            to=body["status"],
            comment=body.get("comment", ""),
            actor=identity.actor,
            now=timezone.now(),
        )


class Ignore(_Command):
    """Stop acting on it; its events are still counted."""

    body_class = OptionalComment

    @extend_schema(tags=TAGS, operation_id="incidents_ignore", request=OptionalComment)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, incident: Incident, identity: Identity, body: dict[str, Any]) -> None:
        services.ignore(incident=incident, actor=identity.actor, now=timezone.now(), **body)


class Acknowledge(_Command):
    """Say that somebody has it. The first acknowledgement stands."""

    @extend_schema(tags=TAGS, operation_id="incidents_acknowledge", request=NothingBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, incident: Incident, identity: Identity, body: dict[str, Any]) -> None:
        services.acknowledge(
            incident=incident, user=identity.user, actor=identity.actor, now=timezone.now()
        )


class Unacknowledge(_Command):
    """Take an acknowledgement back; 409 if another stands there now, or none."""

    body_class = UnacknowledgeBody

    @extend_schema(tags=TAGS, operation_id="incidents_unacknowledge", request=UnacknowledgeBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, incident: Incident, identity: Identity, body: dict[str, Any]) -> None:
        undoing.unacknowledge(incident=incident, actor=identity.actor, now=timezone.now(), **body)


class Assign(_Command):
    """Give it to a member of the tenant, or to nobody."""

    body_class = AssignBody

    @extend_schema(tags=TAGS, operation_id="incidents_assign", request=AssignBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, incident: Incident, identity: Identity, body: dict[str, Any]) -> None:
        user = _member(identity.tenant, body["assignee"])
        services.assign(incident=incident, user=user, actor=identity.actor, now=timezone.now())


class Comment(TenantView):
    """Add a remark to the timeline; `@` and a member's user name tells that member."""

    scopes = {"POST": "act"}
    serializer_class = CommentedSerializer

    @extend_schema(tags=TAGS, operation_id="incidents_comment", request=CommentBody)
    def post(self, request: Request, pk: UUID) -> Response:
        incident = get_incident_for(self.tenant, pk)
        said: dict[str, Any] = {"actor": self.identity.actor, "now": timezone.now()}
        entry = services.comment(incident=incident, **said, **self.body(CommentBody, request))
        incident.mentions = entry.data["mentions"]  # type: ignore[attr-defined]
        return Response(CommentedSerializer(incident).data)


class Snooze(_Command):
    """Be quiet about it until a time, or until it recovers; anything new that fails ends that."""

    body_class = SnoozeBody

    @extend_schema(tags=TAGS, operation_id="incidents_snooze", request=SnoozeBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, incident: Incident, identity: Identity, body: dict[str, Any]) -> None:
        snoozing.snooze(
            incident=incident,
            user=identity.user,
            actor=identity.actor,
            now=timezone.now(),
            **body,
        )


class Wake(_Command):
    """End the snooze now. Does nothing to what is awake."""

    @extend_schema(tags=TAGS, operation_id="incidents_wake", request=NothingBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, incident: Incident, identity: Identity, body: dict[str, Any]) -> None:
        snoozing.wake(incident=incident, actor=identity.actor, now=timezone.now())


class Bulk(TenantView):
    """The same to up to 200 incidents, each by itself; what it could not be done to is told."""

    scopes = {"POST": "act"}
    serializer_class = BulkReport

    @extend_schema(
        tags=TAGS, operation_id="incidents_bulk", request=BulkBody, responses={200: BulkReport}
    )
    def post(self, request: Request) -> Response:
        body: dict[str, Any] = self.body(BulkBody, request)
        incidents = bulk.selected(self.tenant, body["ids"], body["expected"])
        if body["verb"] == "assign":
            body["assignee"] = _member(self.tenant, body["assignee"])
        do = bulk.command(body["verb"], self.identity, timezone.now(), body)
        report = bulk.do_each(incidents, do)
        left = [
            {"id": one.pk, "label": one.label, "code": why.code, "detail": words_of(why)}
            for one, why in report.left
        ]
        done = [incident.pk for incident in report.done]
        return Response(BulkReport({"done": done, "left": left}).data)


def _member(tenant: Tenant, name: str | None) -> AbstractBaseUser | None:
    if name is None:
        return None
    users = get_user_model().objects.filter(memberships__tenant=tenant, is_active=True)
    user = users.filter(username=name).first()
    if user is None:
        raise invalid([FieldError("assignee", "not_a_member", "Not a member of this tenant.")])
    return user
