"""The limits of tenants and vendors, held across all processes, and what holds without Redis [S4].

Where Redis is down or hangs, ingestion goes on under a small cap of this process alone, and Redis
is asked again only after a pause: a dead Redis costs one request half a second, not every one.
Actions have no such cap: what cannot be counted is not sent (see actions/gatekeeping).
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime
from functools import cache

import structlog
from redis import RedisError

from awfdrs_site.kernel.problem import Problem
from awfdrs_site.kernel.redis_client import redis_client
from safety.models import Vendor
from safety.window import Answer, Limit, LocalWindow, SharedWindow
from tenants.models import Tenant

log = structlog.get_logger(__name__)

# The share of a limit that one process lets through while it cannot count with the others.
LOCAL_SHARE = 4
PAUSE_SECONDS = 5.0


def events_of(tenant: Tenant) -> Limit:
    """The events a tenant may post."""
    return Limit(f"tenant:{tenant.pk}", tenant.events_per_minute)


def events_naming(vendor: Vendor) -> Limit:
    """The events a tenant may post about a vendor."""
    return Limit(f"vendor:{vendor.pk}", vendor.requests_per_minute)


def calls_of(vendor: Vendor, now: datetime) -> Limit:
    """The calls that may be made to a vendor: our recoveries, and what asks for a permit.

    A throttle counts here alone: events that name the vendor are no calls.
    """
    return Limit(f"calls:{vendor.pk}", vendor.calls_per_minute(now))


def take(*limits: Limit) -> Answer:
    """Count one hit against all of `limits`, or against none if one of them is used up.

    Never raises for Redis: then a share of each limit holds, counted in this process.
    """
    return ask_shared(*limits, counts=True) or _ask_local(*limits, counts=True)


def look(*limits: Limit) -> Answer:
    """How much of each is used, counted as `take` would count now."""
    return ask_shared(*limits, counts=False) or _ask_local(*limits, counts=False)


def refusal(answer: Answer, what: str) -> Problem:
    """The 429 of an answer that is over; `what` names the limit: `events a minute of …`."""
    use = answer.tightest
    headers = {"Retry-After": str(use.reset_seconds), **use.headers()}
    return Problem(429, "rate_limited", f"Over {use.limit} {what}.", headers=headers)


def ask_shared(*limits: Limit, counts: bool) -> Answer | None:
    """As `take` or `look`, but only as counted by all processes: None while Redis is away."""
    if not _link.may_ask():
        return None
    try:
        answer = _shared().ask(limits, counts=counts)
    except RedisError as error:
        _link.failed(error)
        return None
    _link.worked()
    return answer


def _ask_local(*limits: Limit, counts: bool) -> Answer:
    shares = [replace(limit, most=_share(limit.most)) for limit in limits]
    return _local().ask(shares, counts=counts)


def _share(most: int) -> int:
    return max(1, most // LOCAL_SHARE) if most else 0


@cache
def _shared() -> SharedWindow:
    return SharedWindow(redis_client())


@cache
def _local() -> LocalWindow:
    return LocalWindow()


class _Link:
    """Whether Redis is worth asking; after a failure one request a pause tries it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ask_at = 0.0
        self._down = False

    def may_ask(self) -> bool:
        if not self._down:
            return True
        with self._lock:
            if time.monotonic() < self._ask_at:
                return False
            self._ask_at = time.monotonic() + PAUSE_SECONDS
            return True

    def failed(self, error: RedisError) -> None:
        with self._lock:
            if not self._down:
                log.warning("limiter_local", error=repr(error), pause_seconds=PAUSE_SECONDS)
            self._down = True
            self._ask_at = time.monotonic() + PAUSE_SECONDS

    def worked(self) -> None:
        if self._down:
            log.info("limiter_shared_again")
            self._down = False


_link = _Link()
