"""`/api/v1/actions` and `/api/v1/approvals`: what is done, and who lets it [A1 A4 A5]."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from actions import deciding, reversing, services
from actions.action_filters import ActionFilter
from actions.models import Action
from actions.selectors import actions_for, approvals_for, get_action_for
from actions.serializers import (
    ActionSerializer,
    ApproveBody,
    CancelBody,
    PreviewedSerializer,
    RejectBody,
    RequestActionBody,
)
from awfdrs_site.kernel.rest import Body, NothingBody
from incidents.selectors import get_incident_for
from incidents.serializers import IncidentSerializer, OptionalComment
from tenants.access import Identity
from tenants.rest import TenantList, TenantView

TAGS = ["Actions"]


class ActionList(TenantList):
    """The tenant's actions, newest first."""

    scopes = {"GET": "read"}
    serializer_class = ActionSerializer
    filterset_class = ActionFilter
    queryset = Action.objects.none()

    @extend_schema(tags=TAGS, operation_id="actions_list")
    def get(self, request: Request) -> Response:
        return self.listing(actions_for(self.tenant))


class ApprovalList(TenantList):
    """Actions that wait for a person and have not expired, the next to expire first."""

    scopes = {"GET": "read"}
    serializer_class = PreviewedSerializer
    queryset = Action.objects.none()

    def get_order(self, request: Request) -> tuple[str, str]:
        return "expires_at", "id"

    @extend_schema(tags=TAGS, operation_id="approvals_list")
    def get(self, request: Request) -> Response:
        return self.listing(approvals_for(self.tenant, timezone.now()))


class ActionDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = PreviewedSerializer

    @extend_schema(tags=TAGS, operation_id="actions_retrieve")
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(PreviewedSerializer(get_action_for(self.tenant, pk)).data)


class IncidentActions(TenantList):
    """The actions of one incident; a person's own one is gated like any."""

    scopes = {"GET": "read", "POST": "act"}
    serializer_class = ActionSerializer
    queryset = Action.objects.none()

    @extend_schema(tags=TAGS, operation_id="incidents_actions")
    def get(self, request: Request, pk: UUID) -> Response:
        incident = get_incident_for(self.tenant, pk)
        return self.listing(actions_for(self.tenant).filter(incident=incident))

    @extend_schema(
        tags=TAGS,
        operation_id="incidents_request_action",
        request=RequestActionBody,
        responses={201: ActionSerializer},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        identity = self.identity
        incident = get_incident_for(identity.tenant, pk)
        body = self.body(RequestActionBody, request)
        action = services.request_action(
            incident=incident, actor=identity.actor, now=timezone.now(), **body
        )
        document = ActionSerializer(get_action_for(identity.tenant, action.pk)).data
        return Response(document, status=201)


class _Command(TenantView):
    """One thing a person does to an action; answers with the action as it is then."""

    scopes = {"POST": "act"}
    serializer_class = ActionSerializer
    body_class: ClassVar[type[Body]] = NothingBody

    def command(self, request: Request, pk: UUID) -> Response:
        tenant = self.tenant
        action = get_action_for(tenant, pk)
        self.run(action, self.identity, self.body(self.body_class, request))
        return Response(ActionSerializer(get_action_for(tenant, pk)).data)

    def run(self, action: Action, identity: Identity, body: dict[str, Any]) -> None:
        raise NotImplementedError


class Approve(_Command):
    """Let a waiting action be done, perhaps with other parameters. The first decision stands."""

    body_class = ApproveBody

    @extend_schema(tags=TAGS, operation_id="actions_approve", request=ApproveBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, action: Action, identity: Identity, body: dict[str, Any]) -> None:
        deciding.approve(
            action=action, user=identity.user, actor=identity.actor, now=timezone.now(), **body
        )


class TakeBack(_Command):
    """Undo an approval that has started nothing yet: 5 s, or as long as its delay."""

    @extend_schema(tags=TAGS, operation_id="actions_take_back", request=NothingBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, action: Action, identity: Identity, body: dict[str, Any]) -> None:
        deciding.take_back(action=action, actor=identity.actor, now=timezone.now())


class Reject(_Command):
    """Say no to a waiting action. The first decision stands."""

    body_class = RejectBody

    @extend_schema(tags=TAGS, operation_id="actions_reject", request=RejectBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, action: Action, identity: Identity, body: dict[str, Any]) -> None:
        deciding.reject(
            action=action,
            user=identity.user,
            actor=identity.actor,
            now=timezone.now(),
            comment=body.get("comment", ""),
        )


class Cancel(_Command):
    """Take back an action that has not been sent."""

    body_class = CancelBody

    @extend_schema(tags=TAGS, operation_id="actions_cancel", request=CancelBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, action: Action, identity: Identity, body: dict[str, Any]) -> None:
        services.cancel(action=action, actor=identity.actor, now=timezone.now(), **body)


class Run(_Command):
    """Put a blocked action back in line; the gate looks at it again."""

    @extend_schema(tags=TAGS, operation_id="actions_run", request=NothingBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.command(request, pk)

    def run(self, action: Action, identity: Identity, body: dict[str, Any]) -> None:
        services.run(action=action, actor=identity.actor, now=timezone.now())


class Reverse(TenantView):
    """Take back an action by another, which passes the gate like any; answers with that one.

    409 `not_reversible` or `already_reversed`: a retry has run the work again and a notice has been
    read, and what is taken back once is not taken back again.
    """

    scopes = {"POST": "act"}
    serializer_class = ActionSerializer

    @extend_schema(
        tags=TAGS,
        operation_id="actions_reverse",
        request=NothingBody,
        responses={201: ActionSerializer},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        identity = self.identity
        action = get_action_for(identity.tenant, pk)
        self.body(NothingBody, request)
        undo = reversing.reverse(action=action, actor=identity.actor, now=timezone.now())
        return Response(ActionSerializer(get_action_for(identity.tenant, undo.pk)).data, 201)


class Escalate(TenantView):
    """Hand the incident to people; automation leaves it alone."""

    scopes = {"POST": "act"}
    serializer_class = IncidentSerializer

    @extend_schema(tags=["Incidents"], operation_id="incidents_escalate", request=OptionalComment)
    def post(self, request: Request, pk: UUID) -> Response:
        identity = self.identity
        incident = get_incident_for(identity.tenant, pk)
        body = self.body(OptionalComment, request)
        services.escalate(incident=incident, actor=identity.actor, now=timezone.now(), **body)
        return Response(IncidentSerializer(get_incident_for(identity.tenant, pk)).data)
