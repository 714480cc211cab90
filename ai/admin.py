"""Admin page: decisions, to look at; they never change."""

from __future__ import annotations

from django.contrib import admin

from ai.models import Decision
from tenants.backoffice import ReadOnlyAdmin, TenantFilter


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "type", "category", "confidence", "incident", "tenant", "model")
    list_filter = (TenantFilter, "type")
    list_select_related = ("incident", "tenant")
