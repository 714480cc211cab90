"""What the safety page shows: every lever, the breakers, and who used a switch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from safety.breaker import in_window
from safety.breakers import as_of
from safety.models import BreakerChange, BreakerState, KillSwitch, SwitchedKind, SwitchScope, Vendor
from safety.selectors import engaged_switches, switches_for
from tenants.access import OPERATE, Identity
from tenants.models import Scope, Tenant, Workflow

HISTORY = 20
_WORST_FIRST = (
    BreakerState.FORCED_OPEN,
    BreakerState.OPEN,
    BreakerState.HALF_OPEN,
    BreakerState.DISABLED,
    BreakerState.CLOSED,
)


def vendors_by_state(tenant: Tenant) -> list[Vendor]:
    """The tenant's vendors as they stand now (not to be saved), the worst first, then by name.

    Each has `failures` (of its window) and `probes`: those of a half-open breaker that passed.
    """
    now = timezone.now()
    vendors = list(Vendor.objects.filter(tenant=tenant).order_by("name"))
    for vendor in vendors:
        breaker = as_of(vendor, now)
        window = in_window(breaker, vendor.policy(), now)
        vendor.breaker_state, vendor.breaker_changed_at = breaker.state, breaker.since
        vendor.failures = window.failures + window.slow  # type: ignore[attr-defined]
        vendor.probes = breaker.passed  # type: ignore[attr-defined]
    return sorted(
        vendors, key=lambda vendor: _WORST_FIRST.index(BreakerState(vendor.breaker_state))
    )


def safety_page(identity: Identity, now: datetime) -> dict[str, Any]:
    """Everything `safety/page.html` asks for."""
    tenant = identity.tenant
    vendors, workflows = vendors_by_state(tenant), list(tenant.workflows.all())
    levers = _Levers(identity, engaged_switches(tenant, now))
    reach = f"Workflows: {len(workflows)}, vendors: {len(vendors)}"
    rows = [
        levers.row(SwitchScope.GLOBAL, "", "Every tenant, workflow and vendor", "Widest of all"),
        levers.row(SwitchScope.TENANT, str(tenant.pk), tenant.name, reach),
        *levers.of_workflows(workflows),
        *levers.of_vendors(vendors),
        *(
            levers.row(SwitchScope.ACTION, k, k.label, "People are still called")
            for k in SwitchedKind
        ),
    ]
    return {
        "switches": rows,
        "stop_targets": [
            {
                "value": f"{row['scope']}:{row['target']}",
                "label": f"{row['scope_name']} {row['label']}",
            }
            for row in rows
            if row["may_stop"]
        ],
        "vendors": vendors,
        "history": history(tenant, now),
    }


class _Levers:
    """One row for each target, with the switch that stops it now, if any."""

    def __init__(self, identity: Identity, engaged: Sequence[KillSwitch]) -> None:
        self.scopes = identity.scopes
        self.engaged = {_key(switch): switch for switch in engaged}

    def row(self, scope: SwitchScope, target: str, label: str, note: str) -> dict[str, Any]:
        switch = self.engaged.get((scope, target.casefold()))
        may = may_use(self.scopes, scope)
        return {
            "scope": scope.value,
            "scope_name": _SCOPE_NAMES[scope],
            "target": target,
            "label": label,
            "engaged": switch,
            "note": note,
            "may_stop": may and switch is None,
            "may_resume": may and switch is not None,
        }

    def of_workflows(self, workflows: Iterable[Workflow]) -> list[dict[str, Any]]:
        rows = [
            self.row(SwitchScope.WORKFLOW, str(workflow.pk), workflow.name, workflow.description)
            for workflow in workflows
        ]
        return sorted(rows, key=lambda row: row["engaged"] is None)

    def of_vendors(self, vendors: Sequence[Vendor]) -> list[dict[str, Any]]:
        known = {vendor.name.casefold() for vendor in vendors}
        notes = {
            vendor.name: f"Its breaker is {vendor.get_breaker_state_display().lower()}."
            for vendor in vendors
        }
        # A switch may name a vendor that was never seen.
        for scope, target in self.engaged:
            if scope == SwitchScope.VENDOR and target not in known:
                notes[self.engaged[scope, target].vendor] = ""
        rows = [self.row(SwitchScope.VENDOR, name, name, note) for name, note in notes.items()]
        return sorted(rows, key=lambda row: row["engaged"] is None)


_SCOPE_NAMES = {
    SwitchScope.GLOBAL: "Everything",
    SwitchScope.TENANT: "Tenant",
    SwitchScope.WORKFLOW: "Workflow",
    SwitchScope.VENDOR: "Vendor",
    SwitchScope.ACTION: "Action type",
}


def _key(switch: KillSwitch) -> tuple[str, str]:
    target = {
        SwitchScope.GLOBAL: "",
        SwitchScope.TENANT: str(switch.tenant_id),
        SwitchScope.WORKFLOW: str(switch.workflow_id),
        SwitchScope.VENDOR: switch.vendor.casefold(),
        SwitchScope.ACTION: switch.action_kind,
    }[SwitchScope(switch.scope)]
    return switch.scope, target


def may_use(scopes: frozenset[str], scope: str) -> bool:
    """Whether a person with these scopes may stop and resume at this level."""
    return (OPERATE if scope == SwitchScope.GLOBAL else Scope.ACT) in scopes


def history(tenant: Tenant, now: datetime) -> list[dict[str, Any]]:
    """The last uses of switches and steps of breakers that concern the tenant, newest first."""
    lines: list[dict[str, Any]] = []
    for switch in switches_for(tenant).order_by("-engaged_at")[:HISTORY]:
        target = switch.target()
        lines.append(
            _line(switch.engaged_at, switch.engaged_by, f"stopped {target}", switch.reason, True)
        )
        if switch.released_at is not None:
            words, why = f"resumed {target}", switch.release_reason
            lines.append(_line(switch.released_at, switch.released_by, words, why, False))
        elif switch.expires_at is not None and switch.expires_at <= now:
            words = f"of {target} ended at its time"
            lines.append(_line(switch.expires_at, "The stop", words, "", False))
    steps = BreakerChange.objects.filter(tenant=tenant).select_related("vendor")
    for step in steps.order_by("-at", "-id")[:HISTORY]:
        words = f"moved breaker {step.vendor.name} to {step.get_after_display().lower()}"
        shut = step.after in (BreakerState.OPEN, BreakerState.FORCED_OPEN)
        lines.append(_line(step.at, step.actor, words, step.why, shut))
    return sorted(lines, key=lambda line: line["at"], reverse=True)[:HISTORY]


def _line(at: datetime, actor: str, text: str, reason: str, stopped: bool) -> dict[str, Any]:
    return {"at": at, "actor": actor, "text": text, "reason": reason, "stopped": stopped}
