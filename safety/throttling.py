"""Every write of the throttles: columns of the vendor's row, under its lock [A1 S4].

As with the breaker, a caller's transaction locks nothing after that row.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from awfdrs_site.kernel import audit, live
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.transition import lock
from safety.models import Vendor
from safety.throttle import Throttle, holding


@transaction.atomic
def throttle(*, vendor: Vendor, new: Throttle, actor: Actor, now: datetime) -> Vendor:
    """Let `new` hold beside those that do. Audited. Locks the vendor."""
    vendor = lock(vendor)
    kept = holding(vendor.throttles, now)
    _write(vendor, kept, [*kept, new], "throttled", actor, now)
    return vendor


@transaction.atomic
def unthrottle(
    *, vendor: Vendor, actor: Actor, now: datetime, actions: Collection[str] | None = None
) -> list[Throttle]:
    """End the throttles of these actions, or all of them; return those that held until now.

    Idempotent; audited where there was one. Locks the vendor.
    """
    vendor = lock(vendor)
    held = holding(vendor.throttles, now)
    ended = [one for one in held if actions is None or one.action in actions]
    if ended:
        kept = [one for one in held if one not in ended]
        _write(vendor, held, kept, "unthrottled", actor, now)
    return ended


def _write(
    vendor: Vendor,
    before: list[Throttle],
    after: list[Throttle],
    verb: str,
    actor: Actor,
    now: datetime,
) -> None:
    vendor.throttles = [one.to_json() for one in after]
    vendor.save(update_fields=["throttles"])
    audit.record(
        tenant_id=vendor.tenant_id,
        actor=actor,
        verb=verb,
        subject=vendor,
        now=now,
        before=[one.to_json() for one in before],
        after=vendor.throttles,
    )
    live.publish(vendor.tenant_id, "safety")
