"""Admin pages: actions, to look at (they are decided on in the dashboard); connectors."""

from __future__ import annotations

from django.contrib import admin

from actions.connectors.admin import ConnectorAdmin, DeliveryAdmin
from actions.escalation.admin import ChannelAdmin, EscalationPolicyAdmin, PageAdmin
from actions.models import Action
from actions.plans.admin import RecoveryPlanAdmin
from tenants.backoffice import TenantFilter
from tenants.backoffice_lists import NewestChoices, ReadOnlyAdmin

__all__ = [
    "ActionAdmin",
    "ChannelAdmin",
    "ConnectorAdmin",
    "DeliveryAdmin",
    "EscalationPolicyAdmin",
    "PageAdmin",
    "RecoveryPlanAdmin",
]


@admin.register(Action)
class ActionAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at", "kind", "status", "attempt", "max_attempts", "incident", "tenant",
        "requested_by",
    )  # fmt: skip
    list_filter = (TenantFilter, ("status", NewestChoices))
    search_fields = ("id", "incident")
    search_help_text = "An action's id (the engine's idempotency key) or its incident's, whole."
    list_select_related = ("incident", "tenant")
