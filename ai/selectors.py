"""Reading decisions; the first argument is always the tenant."""

from __future__ import annotations

from uuid import UUID

from ai.models import Decision
from awfdrs_site.kernel.problem import not_found
from incidents.models import Incident
from tenants.models import Tenant


def get_decision_for(tenant: Tenant, pk: UUID | str) -> Decision:
    """The tenant's decision, or the same 404 that an unknown id gets."""
    decision = Decision.objects.filter(tenant=tenant, pk=pk).select_related("incident").first()
    if decision is None:
        raise not_found("No such decision.")
    return decision


def latest_decision(incident: Incident) -> Decision | None:
    """The one in force; None before the first analysis."""
    return incident.decisions.order_by("-id").first()
