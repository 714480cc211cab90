"""What the safety page shows: every lever with what hangs on it, the limits, the breakers [S6]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from actions.controls.limits_in_use import limits_in_use
from actions.controls.stopping import OUT
from actions.models import Action
from actions.states import ActionStatus
from safety.limits_in_use import LimitInUse
from safety.models import KillSwitch, SwitchedKind, SwitchScope, Vendor
from safety.pages import HISTORY, history, vendors_by_state
from safety.selectors import engaged_switches, switches_for
from tenants.access import OPERATE, Identity
from tenants.models import Engine, Scope, Tenant, Workflow
from tenants.selectors import admins_of

# So many workflows and vendors that run are shown; the question "what to stop" lists all.
MOST_RUNNING = 8
MOST_GAUGES = 8


@dataclass(frozen=True)
class Lever:
    """What can be stopped, and the switch that stops it now. `held`: recoveries it has skipped."""

    id: str
    scope: SwitchScope
    target: str
    label: str
    note: str
    engaged: KillSwitch | None
    held: int
    may_use: bool


def safety_page(identity: Identity, now: datetime) -> dict[str, Any]:
    """Everything `safety/page.html` asks for."""
    tenant = identity.tenant
    vendors, workflows = vendors_by_state(tenant), list(tenant.workflows.order_by("name"))
    engaged = engaged_switches(tenant, now)
    used = list(switches_for(tenant).order_by("-engaged_at")[:HISTORY])
    traffic = _traffic(tenant, [*engaged, *used])
    levers = Levers(identity, engaged, traffic)
    return {
        "levers": levers.shown(workflows, vendors),
        "failed_over": [row for row in workflows if row.engine == Engine.STANDBY],
        "left_out": levers.left_out,
        "undecided": [
            {"stop": switch, "held": traffic.held[switch.pk]}
            for switch in used
            if traffic.held[switch.pk] and not switch.is_engaged(now)
        ],
        "limits": nearest(limits_in_use(tenant, now, vendors)),
        "vendors": vendors,
        "history": history(tenant, used, now),
        "admins": [] if Scope.ACT in identity.scopes else admins_of(tenant),
    }


def stop_targets(identity: Identity, now: datetime) -> dict[str, Any]:
    """All that runs and that the person may stop: [(title, levers)] of `safety/ask_what.html`."""
    tenant = identity.tenant
    levers = Levers(identity, engaged_switches(tenant, now), Traffic())
    rows = levers.all(list(tenant.workflows.order_by("name")), vendors_by_state(tenant))
    may = [lever for lever in rows if lever.may_use and lever.engaged is None]
    return {
        "groups": [
            (scope.label, found)
            for scope in SwitchScope
            if (found := [lever for lever in may if lever.scope == scope])
        ]
    }


def nearest(limits: Iterable[LimitInUse]) -> list[LimitInUse]:
    """Those that are throttled or nearest to being reached, in the order in which they came."""
    rows = list(limits)
    shown = sorted(rows, key=_room)[:MOST_GAUGES]
    return [limit for limit in rows if limit in shown]


def _room(limit: LimitInUse) -> tuple[bool, float]:
    return limit.throttle is None, -limit.used / max(1, limit.limit)


def may_use(scopes: frozenset[str], scope: str) -> bool:
    """Whether a person with these scopes may stop and resume at this level."""
    return (OPERATE if scope == SwitchScope.GLOBAL else Scope.ACT) in scopes


class Traffic:
    """How many retries are in flight by workflow and by vendor, and held by each switch."""

    def __init__(self) -> None:
        self.by_workflow: Counter[UUID] = Counter()
        self.by_vendor: Counter[str] = Counter()
        self.held: Counter[UUID] = Counter()


def _traffic(tenant: Tenant, switches: Sequence[KillSwitch]) -> Traffic:
    """Counted with one query for all rows of the page."""
    blocked = Q(status=ActionStatus.BLOCKED, stopped_by__in=switches)
    rows = (
        Action.objects.filter(Q(status__in=OUT) | blocked, tenant=tenant)
        .values_list("status", "stopped_by", "incident__workflow", "incident__vendor")
        .annotate(n=Count("pk"))
    )
    traffic = Traffic()
    for status, switch, workflow, vendor, count in rows:
        if status == ActionStatus.BLOCKED:
            traffic.held[switch] += count
        else:
            traffic.by_workflow[workflow] += count
            traffic.by_vendor[vendor.casefold()] += count
    return traffic


class Levers:
    """One row for each target, with the switch that stops it now, if any."""

    def __init__(self, identity: Identity, engaged: Sequence[KillSwitch], traffic: Traffic) -> None:
        self.tenant, self.scopes = identity.tenant, identity.scopes
        self.engaged = {target_of(switch): switch for switch in engaged}
        self.traffic = traffic
        self.left_out = 0

    def all(self, workflows: Sequence[Workflow], vendors: Sequence[Vendor]) -> list[Lever]:
        """Every target, the widest first, workflows and vendors by name."""
        known = {vendor.name.casefold() for vendor in vendors}
        # A switch may name a vendor that was never seen.
        unseen = [
            self._row(SwitchScope.VENDOR, switch.vendor, switch.vendor, "")
            for (scope, target), switch in self.engaged.items()
            if scope == SwitchScope.VENDOR and target not in known
        ]
        named = sorted(
            [*map(self._of_vendor, vendors), *unseen], key=lambda lever: lever.label.casefold()
        )
        return [*self._wide(workflows, vendors), *map(self._of_workflow, workflows), *named,
                *map(self._of_kind, SwitchedKind)]  # fmt: skip

    def shown(self, workflows: Sequence[Workflow], vendors: Sequence[Vendor]) -> list[Lever]:
        """All that is stopped, and of the workflows and vendors that run some, the busiest."""
        rows = self.all(workflows, vendors)
        idle = set[str]()
        for scope in (SwitchScope.WORKFLOW, SwitchScope.VENDOR):
            runs = [lever for lever in rows if lever.scope == scope and lever.engaged is None]
            runs.sort(key=self._in_flight, reverse=True)
            idle |= {lever.id for lever in runs[MOST_RUNNING:]}
        self.left_out = len(idle)
        return [lever for lever in rows if lever.id not in idle]

    def _row(self, scope: SwitchScope, target: str, label: str, note: str) -> Lever:
        switch = self.engaged.get((scope, target.casefold()))
        return Lever(
            id=f"switch-{scope}-{target}",
            scope=scope,
            target=target,
            label=label,
            note=note,
            engaged=switch,
            held=self.traffic.held[switch.pk] if switch else 0,
            may_use=may_use(self.scopes, scope),
        )

    def _wide(self, workflows: Sequence[Workflow], vendors: Sequence[Vendor]) -> list[Lever]:
        out = self.traffic.by_workflow.total()
        reach = f"{out} in flight. Workflows: {len(workflows)}, vendors: {len(vendors)}."
        everything = "Every tenant, workflow and vendor"
        return [
            self._row(SwitchScope.GLOBAL, "", everything, "The whole installation."),
            self._row(SwitchScope.TENANT, str(self.tenant.pk), self.tenant.name, reach),
        ]

    def _of_workflow(self, workflow: Workflow) -> Lever:
        note = _out(self.traffic.by_workflow[workflow.pk]) or workflow.description
        return self._row(SwitchScope.WORKFLOW, str(workflow.pk), workflow.name, note)

    def _of_vendor(self, vendor: Vendor) -> Lever:
        state = f"Its breaker is {vendor.get_breaker_state_display().lower()}."
        note = f"{_out(self.traffic.by_vendor[vendor.name.casefold()])} {state}".lstrip()
        return self._row(SwitchScope.VENDOR, vendor.name, vendor.name, note)

    def _of_kind(self, kind: SwitchedKind) -> Lever:
        return self._row(SwitchScope.ACTION, kind.value, kind.label, "People are still called.")

    def _in_flight(self, lever: Lever) -> int:
        if lever.scope == SwitchScope.WORKFLOW:
            return self.traffic.by_workflow[UUID(lever.target)]
        return self.traffic.by_vendor[lever.target.casefold()]


def _out(count: int) -> str:
    return f"{count} in flight." if count else ""


def target_of(switch: KillSwitch) -> tuple[str, str]:
    """Scope and target, the same for two switches that stop the same thing."""
    target = {
        SwitchScope.GLOBAL: "",
        SwitchScope.TENANT: str(switch.tenant_id),
        SwitchScope.WORKFLOW: str(switch.workflow_id),
        SwitchScope.VENDOR: switch.vendor.casefold(),
        SwitchScope.ACTION: switch.action_kind,
    }[SwitchScope(switch.scope)]
    return switch.scope, target


def engaged_like(tenant: Tenant, lever: KillSwitch, now: datetime) -> KillSwitch | None:
    """The engaged switch that stops just what this unsaved one would."""
    engaged = engaged_switches(tenant, now)
    return next((s for s in engaged if target_of(s) == target_of(lever)), None)
