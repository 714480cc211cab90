"""`/api/v1/connectors`: what plans may call, whether it answers, and what was called [A7]."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from actions.catalog.kind import Outcome
from actions.connectors import services
from actions.connectors.models import Connector, Delivery
from actions.connectors.selectors import connectors_for, deliveries_for, get_connector_for
from awfdrs_site.kernel.rest import NothingBody
from tenants.rest import TenantList, TenantView

TAGS = ["Connectors"]


class ConnectorSerializer(serializers.ModelSerializer[Connector]):
    """A connector without its secret, which is written in the admin and never shown."""

    has_secret = serializers.SerializerMethodField()

    class Meta:
        model = Connector
        fields = (
            *("id", "name", "kind", "settings", "has_secret", "dry_run", "is_enabled"),
            "created_at",
        )
        read_only_fields = fields

    def get_has_secret(self, connector: Connector) -> bool:
        return bool(connector.sealed)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One call. `action_id`: null where a person tested the connection."""

    class Meta:
        model = Delivery
        fields = (
            *("id", "action_id", "at", "method", "host", "status", "certainty", "duration_ms"),
        )
        read_only_fields = fields


class ConnectionTestSerializer(serializers.Serializer[Outcome]):
    """`certainty`: accepted where it answers and takes the secret. `status`: 0 without a reply."""

    certainty = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()


class ConnectorList(TenantList):
    """The tenant's connectors, newest first."""

    scopes = {"GET": "read"}
    serializer_class = ConnectorSerializer
    queryset = Connector.objects.none()

    @extend_schema(tags=TAGS, operation_id="connectors_list")
    def get(self, request: Request) -> Response:
        return self.listing(connectors_for(self.tenant))


class ConnectorTest(TenantView):
    """Ask the target something that changes nothing, in a dry run too; up to 10 s."""

    scopes = {"POST": "admin"}
    serializer_class = ConnectionTestSerializer

    @extend_schema(tags=TAGS, operation_id="connectors_test", request=NothingBody)
    def post(self, request: Request, pk: UUID) -> Response:
        connector = get_connector_for(self.tenant, pk)
        self.body(NothingBody, request)
        return Response(ConnectionTestSerializer(services.test_connection(connector)).data)


class ConnectorDeliveries(TenantList):
    """Every call that went over the connector, or would have in a dry run; newest first."""

    scopes = {"GET": "read"}
    serializer_class = DeliverySerializer
    queryset = Delivery.objects.none()

    @extend_schema(tags=TAGS, operation_id="connectors_deliveries")
    def get(self, request: Request, pk: UUID) -> Response:
        return self.listing(deliveries_for(self.tenant, get_connector_for(self.tenant, pk)))
