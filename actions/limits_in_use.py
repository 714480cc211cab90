"""Every limit of a tenant and how much of it is used: the rates, and the caps on automation."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Min

from actions import gatekeeping
from safety.limits_in_use import LimitInUse
from safety.limits_in_use import limits_in_use as rates_in_use
from safety.selectors import policy_for
from tenants.models import Tenant

HOUR = timedelta(hours=1)


def limits_in_use(tenant: Tenant, now: datetime) -> tuple[LimitInUse, ...]:
    """The caps on automated actions, then the rates of `safety.limits_in_use`."""
    return (_actions_per_hour(tenant, now), *rates_in_use(tenant))


def _actions_per_hour(tenant: Tenant, now: datetime) -> LimitInUse:
    sent = gatekeeping.automated_since(tenant.pk, now - HOUR)
    seen = sent.aggregate(used=Count("pk"), oldest=Min("sent_at"))
    frees = seen["oldest"] + HOUR - now if seen["oldest"] else timedelta()
    return LimitInUse(
        kind="automated_actions",
        subject="",
        label="Automated actions",
        used=seen["used"],
        limit=policy_for(tenant.pk, None).max_actions_per_hour,
        window_seconds=3600,
        reset_seconds=-(-frees // timedelta(seconds=1)),
    )
