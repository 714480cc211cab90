"""Channels are added and tested; an escalation's calls and a plan's notices written down [A6]."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from actions.escalation.kinds import kind_of
from actions.escalation.models import Channel, Page
from actions.escalation.schedule import calls_of
from actions.escalation.selectors import channels_on, policy_of
from awfdrs_site.kernel import audit, correlation, handoff, live
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, invalid
from tenants.models import Tenant

if TYPE_CHECKING:
    from actions.models import Action

STAGE = "page"


@transaction.atomic
def add_channel(*, tenant: Tenant, name: str, url: str, actor: Actor, now: datetime) -> Channel:
    """A channel under a name that is new in the tenant; its URL is never shown again.

    400 `url_not_allowed` or `validation_error`.
    """
    channel = Channel(tenant=tenant, name=name)
    write_url(channel, url)
    try:
        with transaction.atomic():
            channel.save(force_insert=True)
    except IntegrityError:
        raise invalid([FieldError("name", "not_unique", "There is one of this name.")]) from None
    after = {"name": name, "kind": channel.kind}
    audit.record(
        tenant_id=tenant.pk, actor=actor, verb="created", subject=channel, now=now, after=after
    )
    return channel


def write_url(channel: Channel, url: str) -> None:
    """Set the unsaved or locked channel's URL, and with it its kind. Raises as `kind_of` does."""
    channel.kind = kind_of(url, settings.CHANNEL_ALLOWED_HOSTS)
    channel.keep_secret(url)


@transaction.atomic
def test_channel(*, channel: Channel, actor: Actor, now: datetime) -> Page:
    """Send a test to the channel, soon and like any page, also if it is switched off."""
    page = Page(tenant_id=channel.tenant_id, channel=channel, due_at=now, created_at=now)
    page.correlation_id = correlation.current()
    page.save(force_insert=True)
    audit.record(tenant_id=channel.tenant_id, actor=actor, verb="tested", subject=channel, now=now)
    handoff.ring_on_commit(STAGE)
    return page


def call_people(escalation: Action, now: datetime) -> list[Page]:
    """Write the calls of an escalation that begins now; its incident is locked by the caller.

    All of them are written at once, so what is going to happen can be seen. Empty where no channel
    is on, or the policy has no steps: then the log alone tells.
    """
    channels = channels_on(escalation.tenant_id)
    policy = policy_of(escalation.incident, channels)
    pages = [
        Page(
            tenant_id=escalation.tenant_id,
            incident=escalation.incident,
            escalation=escalation,
            channel=channels[call.channel],
            step=call.step,
            round=call.round,
            due_at=call.due_at,
            created_at=now,
            correlation_id=escalation.correlation_id,
        )
        for call in calls_of(policy, channels, now)
    ]
    Page.objects.bulk_create(pages)
    if pages:
        handoff.ring_on_commit(STAGE)
    return pages


def send_notice(action: Action, channel: Channel, now: datetime) -> Page:
    """Write the one page of a `notify` step; in the commit that says the step was done."""
    page = Page.objects.create(
        tenant_id=action.tenant_id,
        incident=action.incident,
        escalation=action,
        channel=channel,
        due_at=now,
        created_at=now,
        correlation_id=action.correlation_id,
    )
    handoff.ring_on_commit(STAGE)
    return page


def note_outcome(channel_id: UUID, *, delivered: bool, detail: str, now: datetime) -> Channel:
    """Count what became of a call for its channel, and tell the pages when that changes how it is.

    Locks the channel.
    """
    channel = Channel.objects.select_for_update(no_key=True).defer("sealed").get(pk=channel_id)
    was = channel.failing_since
    channel.count(delivered=delivered, detail=detail, now=now)
    fields = ("failures", "failing_since", "last_error", "last_delivered_at")
    channel.save(update_fields=fields)
    if (was is None) != (channel.failing_since is None):
        live.publish(channel.tenant_id, "channels")
    return channel
