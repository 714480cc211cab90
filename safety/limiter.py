"""Rate limits that hold across all processes: a moving window in Redis [S4 P11].

In any 60 seconds at most the limit passes (`limits`' moving window keeps the time of every hit).
Where Redis is down or hangs, ingestion goes on under a small cap of this process alone, and Redis
is asked again only after a pause: a dead Redis costs one request half a second, not every one.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cache

import structlog
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import RedisError

from awfdrs_site.kernel.redis_client import redis_client

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
# The share of a limit that one process lets through while it cannot count with the others.
LOCAL_SHARE = 4
PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class Refusal:
    """Over the limit: it frees up in `reset_seconds` at the latest, some of it maybe sooner."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        return {
            "Retry-After": str(self.reset_seconds),
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }


def take(kind: str, name: str, per_minute: int) -> Refusal | None:
    """Count one hit of `name` (a tenant, a vendor); None if it is within `per_minute`.

    A refused hit is not counted. Never raises for Redis: then the local cap decides.
    """
    if _link.may_ask():
        try:
            refusal = _hit(_shared(), kind, name, per_minute)
        except RedisError as error:
            _link.failed(error)
        else:
            _link.worked()
            return refusal
    return _hit(_local(), kind, name, max(1, per_minute // LOCAL_SHARE) if per_minute else 0)


def _hit(limiter: MovingWindowRateLimiter, kind: str, name: str, per_minute: int) -> Refusal | None:
    if per_minute == 0:
        return Refusal(0, 0, WINDOW_SECONDS)
    item = RateLimitItemPerMinute(per_minute, namespace="awfdrs")
    if limiter.hit(item, kind, name):
        return None
    stats = limiter.get_window_stats(item, kind, name)
    reset = max(1, min(WINDOW_SECONDS, int(stats.reset_time - time.time()) + 1))
    return Refusal(per_minute, max(0, stats.remaining), reset)


@cache
def _shared() -> MovingWindowRateLimiter:
    pool = redis_client().connection_pool
    return MovingWindowRateLimiter(RedisStorage("redis://", connection_pool=pool))


@cache
def _local() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


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
