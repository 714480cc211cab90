"""Admin page: events, to look at."""

from __future__ import annotations

from django.contrib import admin

from ingestion.models import Event
from tenants.backoffice import ReadOnlyAdmin, TenantFilter


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("event_type", "kind", "workflow", "tenant", "error_code", "received_at")
    list_filter = (TenantFilter, "kind")
    list_select_related = ("workflow", "tenant")
    search_fields = ("correlation_id__exact", "idempotency_key__exact")
    exclude = ("content_hash",)
