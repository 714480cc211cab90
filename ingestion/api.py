"""`/api/v1/events`: events in, and what came in [E1 E2 E3]."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awfdrs_site.kernel.strict_json import document_of
from ingestion.filters import EventFilter
from ingestion.models import Event
from ingestion.selectors import events_for, get_event_for
from ingestion.serializers import AcceptedSerializer, EventDocument, EventSerializer
from ingestion.services import ingest
from tenants.rest import TenantList, TenantView

TAGS = ["Events"]
_EXAMPLE: dict[str, Any] = {
    "tenant_id": "00000000-0000-0000-0000-000000000001",
    "workflow_id": "10000000-0000-0000-0000-000000000001",
    "event_type": "payment.failed",
    "payload": {
        "error_code": "payment_timeout",
        "error_message": "Payment gateway timeout",
        "vendor": "stripe",
        "amount": 100.0,
    },
    "idempotency_key": "order-4711-attempt-1",
    "occurred_at": "2026-01-19T10:00:00Z",
    "schema_version": "1.0.0",
    "resource_type": "order",
    "resource_id": "4711",
}


class EventList(TenantList):
    """The tenant's events, the latest received first."""

    scopes = {"GET": "read", "POST": "ingest"}
    # An event's schema and idempotency are judged before its tenant.
    looks_at_tenant_itself = frozenset({"POST"})
    serializer_class = EventSerializer
    filterset_class = EventFilter
    queryset = Event.objects.none()

    def get_order(self, request: Request) -> tuple[str, str]:
        return "-received_at", "-id"

    @extend_schema(tags=TAGS, operation_id="events_list")
    def get(self, request: Request) -> Response:
        return self.listing(events_for(self.tenant))

    @extend_schema(
        tags=TAGS,
        operation_id="events_create",
        request=EventDocument,
        responses={201: AcceptedSerializer},
        examples=[OpenApiExample("A failed payment", _EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Take in one event. 201 means it is stored for good and will be looked at."""
        (verdict,) = ingest(
            identity=self.identity, documents=[document_of(request)], now=timezone.now()
        )
        event = verdict.accepted()
        headers = {"Location": f"/api/v1/events/{event.pk}"}
        if verdict.use is not None:
            headers |= verdict.use.headers()
        return Response(AcceptedSerializer(event).data, status=201, headers=headers)


class EventDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = EventSerializer

    @extend_schema(tags=TAGS, operation_id="events_retrieve")
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(EventSerializer(get_event_for(self.tenant, pk)).data)
