"""`/api/v1/incidents/{id}/split` and `/api/v1/pins`: one incident that is two failures [I6]."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from awfdrs_site.kernel.rest import Body, NothingBody, Text
from incidents.api import TAGS
from incidents.detecting.pins import TRAITS
from incidents.models import GroupingPin
from incidents.regrouping import pinning
from incidents.regrouping.variants import variants_of
from incidents.selectors import get_incident_for, get_pin_for, pins_for
from incidents.serializers import IncidentSerializer
from incidents.services import COMMENT_LIMIT
from tenants.rest import TenantList, TenantView


class SplitBody(Body):
    """`value`: one that GET shows for the trait; "" for failures that have none."""

    trait = serializers.ChoiceField(list(TRAITS.items()))
    value = Text(allow_blank=True, trim_whitespace=False)
    reason = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)


class VariantSerializer(serializers.Serializer[Any]):
    """`value` is what is compared, `text` the same for people; `example`: the newest message."""

    value = serializers.CharField()
    text = serializers.CharField()
    events = serializers.IntegerField()
    example = serializers.CharField()
    last_seen_at = serializers.DateTimeField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """The commonest values of a trait; it has `more`."""

    trait = serializers.ChoiceField(list(TRAITS.items()))
    variants = VariantSerializer(many=True)
    more = serializers.IntegerField()


class VariantsSerializer(serializers.Serializer[Any]):
    """Of the newest `looked` of `events` failures that the incident's own signature brought."""

    differences = DifferenceSerializer(many=True)
    looked = serializers.IntegerField()
    events = serializers.IntegerField()


class PinSerializer(serializers.ModelSerializer[GroupingPin]):
    """Failures of signature `splits` whose `trait` has this `value` are of `signature`."""

    class Meta:
        model = GroupingPin
        fields = (
            "id",
            "splits",
            "trait",
            "value",
            "shown",
            "signature",
            "text",
            "reason",
            "created_by",
            "created_at",
        )
        read_only_fields = fields


class SplitSerializer(serializers.Serializer[Any]):
    """`moved` failures are in `incident` now."""

    pin = PinSerializer()
    incident = IncidentSerializer()
    moved = serializers.IntegerField()


class SplitView(TenantView):
    """Split an incident for good: what its failures differ in, and what of it goes."""

    scopes = {"GET": "read", "POST": "act"}
    serializer_class = VariantsSerializer

    @extend_schema(tags=TAGS, operation_id="incidents_variants")
    def get(self, request: Request, pk: UUID) -> Response:
        found = variants_of(get_incident_for(self.tenant, pk))
        return Response(VariantsSerializer(found).data)

    @extend_schema(
        tags=TAGS, operation_id="incidents_split", request=SplitBody, responses=SplitSerializer
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Move the failures whose trait has this value to an incident of their own.

        A pin sends those to come the same way, until it is removed.
        """
        incident = get_incident_for(self.tenant, pk)
        body: dict[str, Any] = self.body(SplitBody, request)
        done = pinning.split(
            tenant=self.tenant,
            incident_id=incident.pk,
            actor=self.identity.actor,
            now=timezone.now(),
            **body,
        )
        part = get_incident_for(self.tenant, done.part.pk)
        answer = {"pin": done.pin, "incident": part, "moved": done.moved}
        return Response(SplitSerializer(answer).data)


class PinList(TenantList):
    """Where people overrule the grouper, the newest first."""

    scopes = {"GET": "read"}
    serializer_class = PinSerializer
    queryset = GroupingPin.objects.none()

    @extend_schema(tags=TAGS, operation_id="pins_list")
    def get(self, request: Request) -> Response:
        return self.listing(pins_for(self.tenant).order_by("-id"))


class PinDetail(TenantView):
    scopes = {"DELETE": "act"}
    serializer_class = PinSerializer

    @extend_schema(
        tags=TAGS, operation_id="pins_remove", responses={204: OpenApiResponse(description="Gone.")}
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Let the grouper decide again about failures to come; what was split off stays so."""
        pin = get_pin_for(self.tenant, pk)
        pinning.remove(
            tenant=self.tenant, pin_id=pin.pk, actor=self.identity.actor, now=timezone.now()
        )
        return Response(status=204)


class PinUndo(TenantView):
    """Take a split back: the pin goes, and what it split off is where it was. Answers with that."""

    scopes = {"POST": "act"}
    serializer_class = IncidentSerializer

    @extend_schema(tags=TAGS, operation_id="pins_undo", request=NothingBody)
    def post(self, request: Request, pk: UUID) -> Response:
        pin = get_pin_for(self.tenant, pk)
        self.body(NothingBody, request)
        source = pinning.take_back(
            tenant=self.tenant, pin_id=pin.pk, actor=self.identity.actor, now=timezone.now()
        )
        return Response(IncidentSerializer(get_incident_for(self.tenant, source.pk)).data)
