"""How much of each rate limit a tenant uses now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from safety import limiter
from safety.models import Vendor
from safety.throttle import Throttle
from safety.window import Limit
from tenants.models import Tenant

Kind = Literal["tenant_events", "vendor_events", "vendor_calls", "automated_actions"]
Level = Literal["ok", "near", "over"]

# From this share on a limit is shown as near.
NEAR = 0.8
_WINDOWS = {60: "minute", 3600: "hour", 86_400: "day"}


@dataclass(frozen=True, slots=True)
class LimitInUse:
    """One limit and how much of it the last `window_seconds` used.

    `subject`: the vendor's name, "" for the tenant's own limits. `reset_seconds`: when one more of
    it is free, 0 while nothing is used. `is_local`: Redis is away, so used and limit are the share
    of the process that answers. `throttle`: what keeps it below the vendor's own limit.
    """

    kind: Kind
    subject: str
    label: str
    used: int
    limit: int
    window_seconds: int
    reset_seconds: int
    is_local: bool = False
    throttle: Throttle | None = None

    @property
    def window(self) -> str:
        return _WINDOWS[self.window_seconds]

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def level(self) -> Level:
        if self.used >= self.limit:
            return "over"
        return "near" if self.used >= NEAR * self.limit else "ok"


def limits_in_use(
    tenant: Tenant, now: datetime, vendors: Iterable[Vendor] | None = None
) -> tuple[LimitInUse, ...]:
    """The tenant's events, then by vendor its events and calls. One look at Redis.

    `vendors`: all the tenant's, if they were read already; else one query.
    """
    if vendors is None:
        vendors = Vendor.objects.filter(tenant=tenant)
    asked: list[tuple[Kind, str, str, Limit, Throttle | None]] = [
        ("tenant_events", "", "Events", limiter.events_of(tenant), None)
    ]
    for vendor in sorted(vendors, key=lambda vendor: vendor.name):
        name, throttle = vendor.name, vendor.throttle(now)
        calls = limiter.calls_of(vendor, now)
        asked += [
            ("vendor_events", name, f"Events of {name}", limiter.events_naming(vendor), None),
            ("vendor_calls", name, f"Calls to {name}", calls, throttle),
        ]
    answer = limiter.look(*(limit for *_, limit, _ in asked))
    return tuple(
        LimitInUse(
            kind=kind,
            subject=subject,
            label=label,
            used=use.used,
            limit=use.limit,
            window_seconds=60,
            reset_seconds=use.reset_seconds if use.used else 0,
            is_local=answer.is_local,
            throttle=throttle,
        )
        for (kind, subject, label, _, throttle), use in zip(asked, answer.uses, strict=True)
    )
