"""Admin page: decisions, to look at; they never change."""

from __future__ import annotations

from django.contrib import admin

from ai.models import Decision
from tenants.backoffice import TenantFilter
from tenants.backoffice_lists import NewestChoices, ReadOnlyAdmin


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "type", "category", "confidence", "incident", "tenant", "model")
    list_filter = (TenantFilter, ("type", NewestChoices))
    search_fields = ("id", "incident")
    search_help_text = "A decision's id or its incident's, whole."
    list_select_related = ("incident", "tenant")
