"""Connectors in use: opened for a call, tested, and each of their calls logged."""

from __future__ import annotations

from uuid import UUID

import msgspec
from django.conf import settings

from actions.catalog.kind import Outcome
from actions.connectors.calling import Link, carry_out
from actions.connectors.kind import connector_kinds
from actions.connectors.models import Connector, Delivery
from awfdrs_site.kernel.sealing import SealBrokenError


class NoLinkError(Exception):
    """The connector cannot be used; the text says why."""


def link_named(tenant_id: UUID, name: str, kind: str) -> Link:
    """The tenant's connector of that name, opened. Raises NoLinkError."""
    connector = Connector.objects.filter(tenant_id=tenant_id, name=name).first()
    if connector is None or connector.kind != kind:
        label = connector_kinds()[kind].label
        raise NoLinkError(f"There is no connector {name!r} of the kind {label}.")
    if not connector.is_enabled:
        raise NoLinkError(f"The connector {name} is disabled.")
    return link_of(connector)


def link_of(connector: Connector) -> Link:
    """The connector, opened. Raises NoLinkError."""
    kind = connector_kinds()[connector.kind]
    try:
        secret, its_settings = connector.secret(), kind.read(connector.settings)
    except SealBrokenError as error:
        raise NoLinkError(f"The secret of {connector.name} does not open: {error}") from error
    except msgspec.ValidationError as error:
        raise NoLinkError(f"The settings of {connector.name} are wrong: {error}") from error
    if not kind.takes_secret(secret):
        raise NoLinkError(f"The connector {connector.name} has no secret: {kind.secret_form}.")
    return Link(
        connector_id=connector.pk,
        name=connector.name,
        settings=its_settings,
        named_hosts=settings.RETRY_ALLOWED_HOSTS,
        dry_run=connector.dry_run,
        secret=secret,
    )


def keep_deliveries(tenant_id: UUID, action_id: UUID | None, outcome: Outcome) -> None:
    """Log the calls that `outcome` took, in the caller's transaction."""
    Delivery.objects.bulk_create(
        Delivery(tenant_id=tenant_id, action_id=action_id, **vars(one)) for one in outcome.exchanges
    )


def test_connection(connector: Connector) -> Outcome:
    """Ask the target something that changes nothing, dry run or not, and log it.

    Outside of any transaction: it takes as long as a call may. Never raises.
    """
    try:
        link = link_of(connector)
    except NoLinkError as error:
        return Outcome("refused", 0, str(error))
    outcome = carry_out(link, connector_kinds()[connector.kind].test)
    keep_deliveries(connector.tenant_id, None, outcome)
    return outcome
