"""Events as the API shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ingestion import schema
from ingestion.models import Event


class EventSerializer(serializers.ModelSerializer[Event]):
    """An event as it was received; `payload` is what was stored, scrubbed of secrets."""

    event_id = serializers.UUIDField(source="id", read_only=True)

    class Meta:
        model = Event
        fields = (
            "event_id",
            "tenant_id",
            "workflow_id",
            "event_type",
            "kind",
            "payload",
            "idempotency_key",
            "occurred_at",
            "received_at",
            "clock_skew",
            "schema_version",
            "correlation_id",
            "resource_type",
            "resource_id",
            "fingerprint",
            "error_code",
            "vendor",
        )
        read_only_fields = fields


class AcceptedSerializer(serializers.ModelSerializer[Event]):
    """The answer to an event that was taken in."""

    event_id = serializers.UUIDField(source="id", read_only=True)
    status = serializers.SerializerMethodField()

    class Meta:
        model = Event
        fields = ("event_id", "correlation_id", "status", "received_at")
        read_only_fields = fields

    def get_status(self, event: Event) -> str:
        return "accepted"


class PayloadDocument(serializers.Serializer[Any]):
    """Keys with a meaning here; any others are kept."""

    error_code = serializers.CharField(required=False, max_length=schema.CODE_CHARS)
    error_message = serializers.CharField(required=False)
    vendor = serializers.CharField(required=False, max_length=schema.CODE_CHARS)
    severity = serializers.CharField(required=False, max_length=schema.CODE_CHARS)
    duration_ms = serializers.FloatField(required=False, min_value=0)
    stack = serializers.CharField(required=False)
    attempt = serializers.IntegerField(required=False, min_value=0)


class EventDocument(serializers.Serializer[Any]):
    """What a sender posts; for the API's description only: `schema.validate` is what judges it."""

    tenant_id = serializers.UUIDField(help_text="The key's tenant.")
    workflow_id = serializers.UUIDField()
    event_type = serializers.CharField(
        max_length=schema.CODE_CHARS, help_text="Lower-case with dots: `payment.failed`."
    )
    payload = PayloadDocument()
    idempotency_key = serializers.CharField(
        max_length=schema.NAME_CHARS, help_text="The same for every repeat of one event."
    )
    occurred_at = serializers.DateTimeField(help_text="RFC 3339 with an offset.")
    schema_version = serializers.ChoiceField([schema.SCHEMA_VERSION])
    correlation_id = serializers.CharField(required=False, max_length=128)
    resource_type = serializers.CharField(required=False, max_length=schema.CODE_CHARS)
    resource_id = serializers.CharField(required=False, max_length=schema.NAME_CHARS)
    fingerprint = serializers.CharField(
        required=False, max_length=schema.NAME_CHARS, help_text="Groups by this alone."
    )
