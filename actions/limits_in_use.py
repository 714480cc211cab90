"""Every limit of a tenant and how much of it is used: the rates, and the caps on automation."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Min

from actions import gatekeeping
from actions.gatekeeping import DAY, HOUR
from safety.limits_in_use import LimitInUse
from safety.limits_in_use import limits_in_use as rates_in_use
from safety.selectors import policy_for
from tenants.models import Tenant


def limits_in_use(tenant: Tenant, now: datetime) -> tuple[LimitInUse, ...]:
    """The caps on automated actions, then the rates of `safety.limits_in_use`."""
    policy = policy_for(tenant.pk, None)
    return (
        _automated(tenant, "Automated actions", HOUR, policy.max_actions_per_hour, now),
        _automated(tenant, "Automated actions a day", DAY, policy.max_actions_per_day, now),
        *rates_in_use(tenant),
    )


def _automated(
    tenant: Tenant, label: str, window: timedelta, limit: int, now: datetime
) -> LimitInUse:
    sent = gatekeeping.automated_since(tenant.pk, now - window)
    seen = sent.aggregate(used=Count("pk"), oldest=Min("sent_at"))
    frees = seen["oldest"] + window - now if seen["oldest"] else timedelta()
    return LimitInUse(
        kind="automated_actions",
        subject="",
        label=label,
        used=seen["used"],
        limit=limit,
        window_seconds=round(window.total_seconds()),
        reset_seconds=-(-frees // timedelta(seconds=1)),
    )
