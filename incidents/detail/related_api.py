"""`/api/v1/incidents/{id}/related`: the incidents that belong to one picture with it [I4]."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from incidents.api import TAGS
from incidents.detail.correlation import Relation
from incidents.detail.related import related_to
from incidents.models import Incident
from incidents.selectors import get_incident_for
from incidents.serializers import IncidentSerializer
from tenants.rest import TenantView

KINDS = ("cascade", "correlation", "vendor")


class RelationSerializer(serializers.Serializer[Any]):
    """`cause` and `effect`: ids, of a cascade only. `gap_seconds`: from this incident's beginning
    to the other's, negative where the other was first."""

    kind = serializers.ChoiceField(choices=KINDS)
    reason = serializers.CharField()
    gap_seconds = serializers.FloatField()
    cause = serializers.UUIDField(allow_null=True)
    effect = serializers.UUIDField(allow_null=True)
    incident = IncidentSerializer()


class RelatedSerializer(serializers.Serializer[Any]):
    """`finding`: all of it in a sentence, empty where nothing is related."""

    finding = serializers.CharField()
    related = RelationSerializer(many=True)


class RelatedView(TenantView):
    """What failed with it: the same run, the same vendor, and what came of what by time."""

    scopes = {"GET": "read"}
    serializer_class = RelatedSerializer

    @extend_schema(tags=TAGS, operation_id="incidents_related")
    def get(self, request: Request, pk: UUID) -> Response:
        incident = get_incident_for(self.tenant, pk)
        found = related_to(self.tenant, incident, timezone.now())
        rows = [_plain(relation, other) for relation, other in found.rows]
        return Response(RelatedSerializer({"finding": found.finding, "related": rows}).data)


def _plain(relation: Relation, other: Incident) -> dict[str, Any]:
    return vars(relation) | {"incident": other}
