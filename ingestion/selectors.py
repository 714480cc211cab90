"""Reading events; the first argument is always the tenant."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from awfdrs_site.kernel.problem import not_found
from ingestion.models import Event
from tenants.models import Tenant


def events_for(tenant: Tenant) -> QuerySet[Event]:
    """The tenant's events, in no order yet."""
    return Event.objects.filter(tenant=tenant)


def get_event_for(tenant: Tenant, pk: UUID) -> Event:
    """One of the tenant's events; another tenant's is the same 404 as none."""
    event = events_for(tenant).filter(pk=pk).first()
    if event is None:
        raise not_found("No such event.")
    return event
