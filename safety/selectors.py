"""Reading what the safety app knows; the first argument is always the tenant."""

from __future__ import annotations

import time
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from awfdrs_site.kernel.problem import not_found
from safety import rule_rows
from safety.models import (
    AutomationPolicy,
    BreakerChange,
    EventKind,
    KillSwitch,
    SwitchScope,
    Vendor,
)
from safety.rule_types import Ruleset, kind_of
from safety.switches import switch_stopping
from tenants.models import Tenant

# An edited rule holds in every process at most this much later.
RULES_SECONDS = 1.0
_rules: dict[UUID, tuple[float, Ruleset]] = {}


def rules_for(tenant_id: UUID) -> Ruleset:
    """The tenant's rules, at most a second old: its own, and the defaults it has no own for."""
    read_at, rules = _rules.get(tenant_id, (float("-inf"), Ruleset()))
    now = time.monotonic()
    if now - read_at > RULES_SECONDS:
        rules = rule_rows.load(tenant_id)
        _rules[tenant_id] = (now, rules)
    return rules


def forget_rules() -> None:
    """Let this process read the rules anew at the next look (they were just written)."""
    _rules.clear()


def event_kind(tenant_id: UUID, event_type: str) -> EventKind:
    """What an event type means to the tenant; information when no rule fits."""
    return EventKind(kind_of(event_type, rules_for(tenant_id)))


def policy_for(tenant_id: UUID, workflow_id: UUID | None) -> AutomationPolicy:
    """What automation may do in the workflow: its policy, the tenant's, the default's, or the
    fields' own defaults (an unsaved row). Without a workflow: in those that have no own.
    What is over does not count."""
    rows = AutomationPolicy.objects.filter(
        AutomationPolicy.in_force(timezone.now()),
        Q(tenant_id=tenant_id) | Q(tenant=None),
        Q(workflow_id=workflow_id) | Q(workflow=None),
    )
    by_reach = {(row.tenant_id is not None, row.workflow_id is not None): row for row in rows}
    return by_reach[max(by_reach)] if by_reach else AutomationPolicy(tenant_id=tenant_id)


def vendor_for(tenant_id: UUID, name: str) -> Vendor | None:
    """The tenant's vendor of that name in any case."""
    if not name or "\x00" in name:
        return None
    return Vendor.objects.filter(tenant_id=tenant_id, name__iexact=name).first()


def get_vendor_for(tenant: Tenant, name: str) -> Vendor:
    """The tenant's vendor, or the same 404 that an unknown name gets."""
    vendor = vendor_for(tenant.pk, name)
    if vendor is None:
        raise not_found("No such vendor.")
    return vendor


def breaker_history(vendor: Vendor, most: int = 20) -> list[BreakerChange]:
    """The last steps of the vendor's breaker, newest first."""
    return list(vendor.breaker_changes.all()[:most])


def engaged_switches(tenant: Tenant | UUID, now: datetime) -> list[KillSwitch]:
    """The global and the tenant's switches that stop something at `now`, the widest first."""
    rows = KillSwitch.objects.filter(
        Q(tenant=None) | Q(tenant=tenant),
        Q(expires_at=None) | Q(expires_at__gt=now),
        released_at=None,
    ).select_related("workflow", "tenant")
    widest = SwitchScope.values  # declared in this order
    return sorted(rows, key=lambda switch: (widest.index(switch.scope), switch.engaged_at))


def switches_for(tenant: Tenant) -> QuerySet[KillSwitch]:
    """The tenant's and the global ones, over or not; drills are in the audit log alone."""
    rows = KillSwitch.objects.filter(Q(tenant=None) | Q(tenant=tenant), is_drill=False)
    return rows.select_related("workflow", "tenant")


def get_switch_for(tenant: Tenant, pk: UUID | str) -> KillSwitch:
    """A switch of the tenant or a global one, engaged or not; else 404."""
    switch = switches_for(tenant).filter(pk=pk).first()
    if switch is None:
        raise not_found("No such kill switch.")
    return switch


def ingestion_switch(
    tenant_id: UUID, workflow_id: UUID, vendor: str, now: datetime
) -> KillSwitch | None:
    """The engaged switch that keeps this workflow's (or vendor's) events out, if any."""
    switches = engaged_switches(tenant_id, now)
    return switch_stopping(switches, "ingestion", workflow_id=workflow_id, vendor=vendor)
