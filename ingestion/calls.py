"""Events as reports of calls to a vendor: which of them count, and when they open its breaker [S3].

What came in is stored at once and counted a little later, by stage `detect`. Who must know now
(the next event, a permit, a send) looks at the stored events themselves: without a lock, by one
index, and only while the breaker is closed. Where they are too many the breaker is opened as of the
failure that made them so, which is what `detect` would have written when it came to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Min, Q, QuerySet

from ingestion.models import Event, VendorOutcome
from safety import breaker as pure
from safety import breakers
from safety.breaker import BreakerPolicy, Second
from safety.models import EventKind, Vendor
from safety.selectors import rules_for


def outcome_of(
    tenant_id: UUID, kind: EventKind, *, vendor: str, error_code: str, error_message: str
) -> VendorOutcome:
    """How the call to `vendor` ended that such an event reports, by the rules of this moment."""
    if not vendor or kind not in (EventKind.FAILURE, EventKind.SUCCESS):
        return VendorOutcome.NONE
    if kind == EventKind.SUCCESS:
        return VendorOutcome.SUCCESS
    blamed = rules_for(tenant_id).blames_vendor(error_code, error_message)
    return VendorOutcome.FAILURE if blamed else VendorOutcome.NONE


def current(tenant_id: UUID, name: str, vendor: Vendor | None, now: datetime) -> Vendor | None:
    """The row of the vendor of that name, opened first if what has come in says so.

    `vendor`: its row as it was just read; None if it has none, which it gets if it must open.
    One statement, none unless it is closed. Locks the row only to open it. What slow successes
    alone make too many is left to `detect`.
    """
    policy = vendor.policy() if vendor else BreakerPolicy()
    breaker = vendor.breaker() if vendor else pure.Breaker()
    if not name or breaker.state != "closed":
        return vendor
    # Whatever opened it before that is half-open by now.
    since = now - timedelta(seconds=policy.window_seconds + policy.open_seconds)
    since = max(since, breaker.since or since)
    last = _last_failure(tenant_id, name, policy, since)
    if last is None:
        return vendor
    start = max(since, pure.window_start(last, policy))
    calls = _calls(tenant_id, name, [VendorOutcome.FAILURE, VendorOutcome.SUCCESS], start)
    window = _window(calls.filter(received_at__lte=last), policy, last)
    if not pure.too_many(window, policy):
        return vendor
    return breakers.open_by_events(tenant_id, name, breaker.since, window, last, now)


def _calls(
    tenant_id: UUID, name: str, outcomes: Sequence[VendorOutcome], since: datetime
) -> QuerySet[Event]:
    return Event.objects.filter(
        tenant_id=tenant_id,
        vendor__iexact=name,
        vendor_outcome__in=outcomes,
        received_at__gte=since,
    )


def _last_failure(
    tenant_id: UUID, name: str, policy: BreakerPolicy, since: datetime
) -> datetime | None:
    """When the latest failure came in, if enough of them to open lie in the window it ends.

    Reads no more index entries than failures open a breaker, however many there are.
    """
    # Slow successes count as well, so there any failure is a reason to count.
    enough = 1 if policy.slow_call_ms else policy.failure_threshold
    failures = _calls(tenant_id, name, [VendorOutcome.FAILURE], since)
    found: dict[str, Any] = failures.order_by("-received_at")[:enough].aggregate(
        count=Count("received_at"), first=Min("received_at"), last=Max("received_at")
    )
    if found["count"] < enough or found["first"] < pure.window_start(found["last"], policy):
        return None
    last: datetime = found["last"]
    return last


def _window(calls: QuerySet[Event], policy: BreakerPolicy, at: datetime) -> Second:
    """Their sum: at most what the vendor's limit of calls a minute lets into a window."""
    failed, slow = Q(vendor_outcome=VendorOutcome.FAILURE), Q()
    sums: dict[str, Any] = {"calls": Count("received_at"), "failures": Count("received_at", failed)}
    if policy.slow_call_ms:
        slow = Q(payload__duration_ms__gte=policy.slow_call_ms) & ~failed
        sums["slow"] = Count("received_at", slow)
    return Second(int(at.timestamp()), **calls.aggregate(**sums))
