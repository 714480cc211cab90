"""Reading connectors; the first argument is always the tenant."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from actions.connectors.models import Connector, Delivery
from awfdrs_site.kernel.problem import not_found
from tenants.models import Tenant


def connectors_for(tenant: Tenant) -> QuerySet[Connector]:
    return Connector.objects.filter(tenant=tenant).order_by("-id")


def get_connector_for(tenant: Tenant, pk: UUID) -> Connector:
    """The tenant's connector, or the same 404 that an unknown id gets."""
    connector = connectors_for(tenant).filter(pk=pk).first()
    if connector is None:
        raise not_found("No such connector.")
    return connector


def deliveries_for(tenant: Tenant, connector: Connector) -> QuerySet[Delivery]:
    """The calls that went over it, newest first."""
    return Delivery.objects.filter(tenant=tenant, connector=connector).order_by("-id")
