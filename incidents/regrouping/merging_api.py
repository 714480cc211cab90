"""`/api/v1/incidents`: merging, splitting back, and why failures are grouped [I6]."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from awfdrs_site.kernel.rest import Body, Text, Uuid
from incidents.api import TAGS
from incidents.regrouping import merging
from incidents.regrouping.grouping import grouping_of
from incidents.regrouping.pinning_api import PinSerializer
from incidents.selectors import get_incident_for
from incidents.serializers import IncidentSerializer
from incidents.services import COMMENT_LIMIT
from ingestion.serializers import EventSerializer
from tenants.rest import TenantView


class MergeBody(Body):
    """`into`: the one that stays; it may be among `ids`."""

    into = Uuid()
    ids = serializers.ListField(child=Uuid(), min_length=1, max_length=merging.MOST)
    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)


class UnmergeBody(Body):
    ids = serializers.ListField(child=Uuid(), min_length=1, max_length=merging.MOST)


class PartSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    value = serializers.CharField()


class TakenOutSerializer(serializers.Serializer[Any]):
    mask = serializers.CharField()
    value = serializers.CharField()


class MergedSerializer(serializers.Serializer[Any]):
    """`event_count`: what its own signature brought, before the merge and since."""

    id = serializers.UUIDField()
    label = serializers.CharField()  # type: ignore[assignment]  # the class's own `label`
    title = serializers.CharField()
    signature = serializers.CharField()
    signature_text = serializers.CharField()
    event_count = serializers.IntegerField()
    merged_at = serializers.DateTimeField()


class GroupingSerializer(serializers.Serializer[Any]):
    """What the signature is made of; `taken_out` of the example's message, `merged` and split by
    `pins` by people."""

    kind = serializers.CharField()
    about = serializers.CharField()
    parts = PartSerializer(many=True)
    taken_out = TakenOutSerializer(many=True)
    example = EventSerializer(allow_null=True)
    merged = MergedSerializer(many=True)
    pins = PinSerializer(many=True)


class Merge(TenantView):
    """Merge open incidents of one workflow into one of them; answers with that one.

    Failures of their signatures are counted there from then on, and the others answer 409
    `incident_merged`, which names it. All or none.
    """

    scopes = {"POST": "act"}
    serializer_class = IncidentSerializer

    @extend_schema(tags=TAGS, operation_id="incidents_merge", request=MergeBody)
    def post(self, request: Request) -> Response:
        body: dict[str, Any] = self.body(MergeBody, request)
        actor = self.identity.actor
        survivor = merging.merge(tenant=self.tenant, actor=actor, now=timezone.now(), **body)
        return Response(IncidentSerializer(get_incident_for(self.tenant, survivor.pk)).data)


class Unmerge(TenantView):
    """Split what was merged into the incident off again, each as it was; answers with the rest."""

    scopes = {"POST": "act"}
    serializer_class = IncidentSerializer

    @extend_schema(tags=TAGS, operation_id="incidents_unmerge", request=UnmergeBody)
    def post(self, request: Request, pk: UUID) -> Response:
        survivor = get_incident_for(self.tenant, pk)
        body: dict[str, Any] = self.body(UnmergeBody, request)
        actor = self.identity.actor
        merging.split_back(
            tenant=self.tenant, survivor_id=pk, actor=actor, now=timezone.now(), **body
        )
        return Response(IncidentSerializer(get_incident_for(self.tenant, survivor.pk)).data)


class GroupingView(TenantView):
    """Why its failures are one: the signature's parts, an example, and what people merged."""

    scopes = {"GET": "read"}
    serializer_class = GroupingSerializer

    @extend_schema(tags=TAGS, operation_id="incidents_grouping")
    def get(self, request: Request, pk: UUID) -> Response:
        found = grouping_of(get_incident_for(self.tenant, pk))
        plain = vars(found) | {
            "taken_out": [{"mask": mask, "value": value} for mask, value in found.taken_out],
            "pins": [row.pin for row in found.pins],
        }
        return Response(GroupingSerializer(plain).data)
