"""Every limit of a tenant and how much of it is used: the rates, and the caps on automation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from actions.sent_lately import DAY, HOUR, automated_since
from safety.limits_in_use import LimitInUse
from safety.limits_in_use import limits_in_use as rates_in_use
from safety.models import Vendor
from safety.selectors import policy_for
from tenants.models import Tenant


def limits_in_use(
    tenant: Tenant, now: datetime, vendors: Iterable[Vendor] | None = None
) -> tuple[LimitInUse, ...]:
    """The caps on automated actions, then the rates of `safety.limits_in_use`."""
    policy, last_hour = policy_for(tenant.pk, None), Q(sent_at__gt=now - HOUR)
    seen = automated_since(tenant.pk, now - DAY).aggregate(
        day=Count("pk"),
        day_oldest=Min("sent_at"),
        hour=Count("pk", filter=last_hour),
        hour_oldest=Min("sent_at", filter=last_hour),
    )
    hour = _left(seen["hour_oldest"], HOUR, now)
    day = _left(seen["day_oldest"], DAY, now)
    return (
        _automated("Automated actions", seen["hour"], policy.max_actions_per_hour, HOUR, hour),
        _automated("Automated actions a day", seen["day"], policy.max_actions_per_day, DAY, day),
        *rates_in_use(tenant, now, vendors),
    )


def _left(oldest: datetime | None, window: timedelta, now: datetime) -> timedelta:
    return oldest + window - now if oldest else timedelta()


def _automated(
    label: str, used: int, limit: int, window: timedelta, frees: timedelta
) -> LimitInUse:
    return LimitInUse(
        kind="automated_actions",
        subject="",
        label=label,
        used=used,
        limit=limit,
        window_seconds=round(window.total_seconds()),
        reset_seconds=-(-frees // timedelta(seconds=1)),
    )
