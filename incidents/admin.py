"""Admin page: incidents, to look at; people work on them in the dashboard."""

from __future__ import annotations

from django.contrib import admin

from incidents.models import Incident
from tenants.backoffice import ReadOnlyAdmin, TenantFilter


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    list_display = (
        "label", "title", "status", "severity", "workflow", "tenant", "event_count", "last_seen_at"
    )  # fmt: skip
    list_filter = (TenantFilter, "status", "severity")
    list_select_related = ("workflow", "tenant")
    search_fields = ("title",)
