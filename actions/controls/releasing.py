"""Stage `release`: a vendor is back, and what its breaker held back goes out again, a few a second.

Without this, all of it would be due in the same moment and the vendor down again [S3]. Of a breaker
that was asked to probe, as many go as there are probes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from actions.gatekeeping import is_parked
from actions.models import Action
from actions.states import ActionStatus
from awfdrs_site.kernel import handoff
from safety.breaker import PASSING, probes_free, spread
from safety.breakers import as_of
from safety.gate import Receipt
from safety.models import Vendor


def release(change_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, datetime]:
    """Spread the held recoveries of the vendors that these steps closed or half-opened.

    Each passes the gate once more when it is due.

    Locks: the held actions, skipping those that a worker has just taken.
    """
    for vendor in Vendor.objects.filter(breaker_changes__in=change_ids).distinct():
        breaker = as_of(vendor, now)
        if breaker.state in PASSING:
            _release(vendor, None, now)
        elif free := probes_free(breaker, vendor.policy()):
            _release(vendor, free, now)
    return {}


def _release(vendor: Vendor, most: int | None, now: datetime) -> None:
    """Make the held recoveries of `vendor` due, those first that nothing else holds."""
    planned = Action.objects.filter(
        tenant_id=vendor.tenant_id,
        status=ActionStatus.PLANNED,
        acts=True,
        incident__vendor__iexact=vendor.name,
        receipt__outcome="defer",
    )
    rows = planned.order_by("created_at", "pk").select_for_update(of=("self",), skip_locked=True)
    parked = [action for action in rows if is_parked(action.receipt)]
    parked = sorted(parked, key=lambda action: _held_until(action, now))[:most]
    chances = [random.random() for _ in parked]  # noqa: S311  (jitter, not a secret)
    starts = spread(len(parked), vendor.release_per_second, chances)
    for action, seconds in zip(parked, starts, strict=True):
        action.due_at = max(now + timedelta(seconds=seconds), _held_until(action, now))
    Action.objects.bulk_update(parked, ["due_at"])
    if parked:
        handoff.ring_on_commit("send")


def _held_until(action: Action, now: datetime) -> datetime:
    """When the last of the other checks lets it go (the cooldown); `now` if none holds it."""
    checks = Receipt.from_json(action.receipt).checks
    others = [c.until for c in checks if c.name != "circuit_breaker" and c.verdict == "defer"]
    return max([now, *(until for until in others if until is not None)])
