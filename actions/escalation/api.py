"""`/api/v1/channels` and the ledger of calls [A6]."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from actions.escalation import services
from actions.escalation.kinds import MAX_CHARS
from actions.escalation.models import Channel, Page
from actions.escalation.selectors import channels_for, get_channel_for, pages_of, pages_to
from awfdrs_site.kernel.rest import Body, NothingBody, Text
from incidents.selectors import get_incident_for
from tenants.rest import TenantList, TenantView

TAGS = ["Escalation"]


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    """A way to reach people; its URL is never shown.

    `failures`: calls in a row that did not arrive; `failing_since`: it counts as failing.
    """

    class Meta:
        model = Channel
        fields = (
            "id",
            "name",
            "kind",
            "enabled",
            "failures",
            "failing_since",
            "last_error",
            "last_delivered_at",
        )
        read_only_fields = fields


class PageSerializer(serializers.ModelSerializer[Page]):
    """One notice to one channel. The id is the key that receivers tell repetitions by.

    `detail`: what the last call came to, or why there was none. Without an incident it is a test.
    """

    channel = serializers.CharField(source="channel.name", read_only=True)
    channel_id = serializers.UUIDField(read_only=True)
    incident_id = serializers.UUIDField(read_only=True, allow_null=True)
    action_id = serializers.UUIDField(source="escalation_id", read_only=True, allow_null=True)

    class Meta:
        model = Page
        fields = (
            "id",
            "channel",
            "channel_id",
            "incident_id",
            "action_id",
            "step",
            "round",
            "status",
            "due_at",
            "attempts",
            "finished_at",
            "detail",
        )
        read_only_fields = fields


class ChannelBody(Body):
    """`url`: an address as apprise writes them, with its secrets."""

    name = Text(max_length=100)
    url = Text(max_length=MAX_CHARS)


class ChannelList(TenantList):
    """The tenant's channels, newest first; an admin adds one."""

    scopes = {"GET": "read", "POST": "admin"}
    serializer_class = ChannelSerializer
    queryset = Channel.objects.none()

    @extend_schema(tags=TAGS, operation_id="channels_list")
    def get(self, request: Request) -> Response:
        return self.listing(channels_for(self.tenant))

    @extend_schema(
        tags=TAGS,
        operation_id="channels_create",
        request=ChannelBody,
        responses={201: ChannelSerializer},
    )
    def post(self, request: Request) -> Response:
        given: dict[str, Any] = self.body(ChannelBody, request)
        actor = self.identity.actor
        channel = services.add_channel(tenant=self.tenant, actor=actor, now=timezone.now(), **given)
        return Response(ChannelSerializer(channel).data, status=201)


class TestChannel(TenantView):
    """Send a test. 202: it is sent within seconds; the channel's ledger says whether it arrived."""

    scopes = {"POST": "admin"}
    serializer_class = PageSerializer

    @extend_schema(
        tags=TAGS,
        operation_id="channels_test",
        request=NothingBody,
        responses={202: PageSerializer},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        self.body(NothingBody, request)
        channel = get_channel_for(self.tenant, pk)
        actor = self.identity.actor
        page = services.test_channel(channel=channel, actor=actor, now=timezone.now())
        return Response(PageSerializer(page).data, status=202)


class ChannelPages(TenantList):
    """Every call to the channel, tests too, newest first."""

    scopes = {"GET": "read"}
    serializer_class = PageSerializer
    queryset = Page.objects.none()

    @extend_schema(tags=TAGS, operation_id="channels_pages")
    def get(self, request: Request, pk: UUID) -> Response:
        return self.listing(pages_to(get_channel_for(self.tenant, pk)))


class IncidentPages(TenantList):
    """Whom the incident called, calls and will call, newest first."""

    scopes = {"GET": "read"}
    serializer_class = PageSerializer
    queryset = Page.objects.none()

    @extend_schema(tags=TAGS, operation_id="incidents_pages")
    def get(self, request: Request, pk: UUID) -> Response:
        return self.listing(pages_of(get_incident_for(self.tenant, pk)))
