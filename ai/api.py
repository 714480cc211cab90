"""`/api/v1/decisions`: what the system concluded, and why [D4]."""

from __future__ import annotations

from uuid import UUID

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ai.models import Decision, DecisionType
from ai.selectors import get_decision_for, latest_decision
from ai.serializers import DecisionSerializer, SimilarSerializer
from awfdrs_site.kernel.rest import InstantFilter, OneOf
from incidents.selectors import get_incident_for
from tenants.rest import TenantList, TenantView

TAGS = ["Decisions"]


class DecisionFilter(filters.FilterSet):
    incident = filters.UUIDFilter("incident_id", label="The incident's id.")
    type = OneOf(choices=DecisionType.choices, label="One or several, with commas between.")
    since = InstantFilter("created_at", "gte", label="Made at this time or later.")
    until = InstantFilter("created_at", "lt", label="Made before this time.")

    class Meta:
        model = Decision
        fields: list[str] = []


class DecisionList(TenantList):
    """The tenant's decisions, newest first."""

    scopes = {"GET": "read"}
    serializer_class = DecisionSerializer
    filterset_class = DecisionFilter
    queryset = Decision.objects.none()

    @extend_schema(tags=TAGS, operation_id="decisions_list")
    def get(self, request: Request) -> Response:
        return self.listing(Decision.objects.filter(tenant=self.tenant))


class DecisionDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = DecisionSerializer

    @extend_schema(tags=TAGS, operation_id="decisions_retrieve")
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(DecisionSerializer(get_decision_for(self.tenant, pk)).data)


class IncidentDecisions(TenantList):
    """The decisions on one incident, newest first; the first is the one in force."""

    scopes = {"GET": "read"}
    serializer_class = DecisionSerializer
    queryset = Decision.objects.none()

    @extend_schema(tags=TAGS, operation_id="incidents_decisions")
    def get(self, request: Request, pk: UUID) -> Response:
        incident = get_incident_for(self.tenant, pk)
        return self.listing(Decision.objects.filter(incident=incident))


class IncidentSimilar(TenantView):
    """Past incidents like this one, as the latest decision weighed them."""

    scopes = {"GET": "read"}
    serializer_class = SimilarSerializer

    @extend_schema(tags=TAGS, operation_id="incidents_similar")
    def get(self, request: Request, pk: UUID) -> Response:
        decision = latest_decision(get_incident_for(self.tenant, pk))
        found: dict[str, object] = {"decision_id": None, "results": []}
        if decision is not None:
            found = {"decision_id": decision.pk, "results": decision.similar}
        return Response(SimilarSerializer(found).data)
