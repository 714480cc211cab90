"""Admin page: events, to look at."""

from __future__ import annotations

from django.contrib import admin

from ingestion.models import Event
from tenants.backoffice import TenantFilter
from tenants.backoffice_lists import NewestChoices, ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("event_type", "kind", "workflow", "tenant", "error_code", "received_at")
    list_filter = (TenantFilter, ("kind", NewestChoices))
    list_select_related = ("workflow", "tenant")
    search_fields = ("id", "correlation_id", "idempotency_key")
    search_help_text = "A correlation id, an idempotency key or an event's id, whole."
    in_tenant = ("-received_at",)
    exclude = ("content_hash",)
