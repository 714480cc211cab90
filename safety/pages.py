"""What pages show of switches and breakers: the breakers as they stand, and who used what when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from safety import breaker as pure
from safety.breakers import as_of
from safety.models import BreakerChange, BreakerState, KillSwitch, Vendor
from tenants.models import Tenant

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

    Each has `failures` (of its window), `probes` (those of a half-open breaker that passed) and
    `steps` (the states a person may set it to).
    """
    now = timezone.now()
    vendors = list(Vendor.objects.filter(tenant=tenant).order_by("name"))
    for vendor in vendors:
        breaker = as_of(vendor, now)
        window = pure.in_window(breaker, vendor.policy(), now)
        vendor.breaker_state, vendor.breaker_changed_at = breaker.state, breaker.since
        vendor.failures = window.failures + window.slow  # type: ignore[attr-defined]
        vendor.probes = breaker.passed  # type: ignore[attr-defined]
        vendor.steps = pure.steps_by_hand(breaker.state)  # type: ignore[attr-defined]
    return sorted(
        vendors, key=lambda vendor: _WORST_FIRST.index(BreakerState(vendor.breaker_state))
    )


@dataclass(frozen=True)
class Line:
    """One use of a switch or step of a breaker. `shuts`: it stops something; `switch`: its id."""

    at: datetime
    actor: str
    text: str
    reason: str
    shuts: bool
    switch: UUID | None = None


def history(tenant: Tenant, switches: Iterable[KillSwitch], now: datetime) -> list[Line]:
    """What was done with these switches, and the last steps of breakers, newest first."""
    lines = [line for switch in switches for line in _of_switch(switch, now)]
    steps = BreakerChange.objects.filter(tenant=tenant).select_related("vendor")
    lines += map(_of_breaker, steps.order_by("-at", "-id")[:HISTORY])
    return sorted(lines, key=lambda line: line.at, reverse=True)[:HISTORY]


def _of_switch(switch: KillSwitch, now: datetime) -> Iterable[Line]:
    target, pk = switch.target(), switch.pk
    stopped = f"stopped {target}"
    yield Line(switch.engaged_at, switch.engaged_by, stopped, switch.reason, True, pk)
    if switch.released_at is not None:
        words, why = f"resumed {target}", switch.release_reason
        yield Line(switch.released_at, switch.released_by, words, why, False, pk)
    elif switch.expires_at is not None and switch.expires_at <= now:
        yield Line(switch.expires_at, "The stop", f"of {target} ended at its time", "", False, pk)


def _of_breaker(step: BreakerChange) -> Line:
    words = f"moved breaker {step.vendor.name} to {step.get_after_display().lower()}"
    return Line(step.at, step.actor, words, step.why, step.after in pure.SHUT)
