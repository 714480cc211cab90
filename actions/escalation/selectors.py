"""Reading channels, policies and pages; the first argument is always the tenant."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from actions.escalation.models import Channel, EscalationPolicy, Page
from actions.escalation.schedule import Policy, Step
from awfdrs_site.kernel.problem import not_found
from incidents.models import Incident
from tenants.models import Tenant


def channels_for(tenant: Tenant) -> QuerySet[Channel]:
    """By when they were added, newest first."""
    return Channel.objects.filter(tenant=tenant).order_by("-id")


def get_channel_for(tenant: Tenant, pk: UUID | str) -> Channel:
    """The tenant's channel, or the same 404 that an unknown id gets."""
    channel = channels_for(tenant).filter(pk=pk).first()
    if channel is None:
        raise not_found("No such channel.")
    return channel


def failing_channels(tenant: Tenant) -> list[Channel]:
    """The channels that are on and reach nobody, the longest first."""
    rows = Channel.objects.filter(tenant=tenant, enabled=True, failing_since__isnull=False)
    return list(rows.order_by("failing_since").defer("sealed"))


def channels_on(tenant_id: UUID) -> dict[str, Channel]:
    """The channels that are switched on, by name."""
    rows = Channel.objects.filter(tenant_id=tenant_id, enabled=True).defer("sealed")
    return {row.name: row for row in rows}


def policy_of(incident: Incident, channels: dict[str, Channel]) -> Policy:
    """The tenant's policy for the severity, or for all others; else every channel at once."""
    rows = EscalationPolicy.objects.filter(
        tenant_id=incident.tenant_id, severity__in=(incident.severity, "")
    )
    if row := max(rows, key=lambda one: len(one.severity), default=None):
        return row.read()
    return Policy((Step(0, tuple(sorted(channels))),))


def pages_of(incident: Incident) -> QuerySet[Page]:
    """The ledger of the incident, newest first."""
    return _pages().filter(incident=incident)


def pages_to(channel: Channel) -> QuerySet[Page]:
    """The ledger of the channel, tests too, newest first."""
    return _pages().filter(channel=channel)


def _pages() -> QuerySet[Page]:
    return Page.objects.select_related("channel").defer("channel__sealed").order_by("-id")
