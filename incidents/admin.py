"""Admin page: incidents, to look at; people work on them in the dashboard."""

from __future__ import annotations

from django.contrib import admin

from incidents.models import Incident
from tenants.backoffice import TenantFilter
from tenants.backoffice_lists import NewestChoices, ReadOnlyAdmin


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    list_display = (
        "label", "title", "status", "severity", "workflow", "tenant", "event_count", "last_seen_at"
    )  # fmt: skip
    list_filter = (TenantFilter, ("status", NewestChoices), ("severity", NewestChoices))
    list_select_related = ("workflow", "tenant")
    search_fields = ("id", "number", "signature")
    search_help_text = "An incident's number (12 finds INC-12), id or signature, whole."
    in_tenant = ("-last_seen_at",)
