"""Limits that hold for all processes together, and what happens without Redis [S4 P11]."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from pytest_django import Settings
from redis import RedisError

from awfdrs_site.kernel.redis_client import redis_client
from safety import limiter
from safety.limiter import take
from tests.threads import at_once

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[limiter._Link]:
    """A link to Redis that has not noticed anything yet, and an empty local window."""
    link = limiter._Link()
    monkeypatch.setattr(limiter, "_link", link)
    limiter._local.cache_clear()
    yield link
    limiter._local.cache_clear()


def test_it_lets_exactly_the_limit_through() -> None:
    """Seen red with the hit split into a test and a hit."""
    outcomes = at_once(40, lambda _: [take("tenant", "a", 10) is None for _ in range(5)])
    passed = [ok for outcome in outcomes for ok in outcome]  # type: ignore[attr-defined]
    assert (passed.count(True), len(passed)) == (10, 200)


def test_it_counts_each_name_for_itself() -> None:
    assert take("tenant", "a", 1) is None
    assert take("tenant", "b", 1) is None
    assert take("vendor", "a", 1) is None
    assert take("tenant", "a", 1) is not None


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    limit=st.integers(1, 6),
    pauses=st.lists(st.floats(0, 40, allow_nan=False), min_size=1, max_size=40),
)
def test_it_holds_in_any_minute(limit: int, pauses: list[float]) -> None:
    """However the hits fall: between any two that passed with the limit between them lie 60 s."""
    redis_client().flushdb()
    now, passed = NOW, []
    with time_machine.travel(now, tick=False) as clock:
        for pause in pauses:
            now += timedelta(seconds=pause)
            clock.move_to(now, tick=False)
            if take("tenant", "a", limit) is None:
                passed.append(now)
    for first, last in zip(passed, passed[limit:], strict=False):
        assert (last - first).total_seconds() >= 59.999


def test_it_says_when_there_is_room_again() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        assert take("tenant", "a", 2) is None
        clock.shift(20)
        assert take("tenant", "a", 2) is None
        refusal = take("tenant", "a", 2)
        assert refusal is not None
        assert refusal.headers() == {
            "Retry-After": "41",
            "RateLimit-Limit": "2",
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": "41",
        }
        clock.shift(41)
        assert take("tenant", "a", 2) is None


def test_it_falls_back_to_a_share_of_the_limit(
    link: limiter._Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers at the address; a limit of 3 still lets one through."""
    nobody = RedisStorage("redis://127.0.0.1:1", socket_connect_timeout=0.5)
    monkeypatch.setattr(limiter, "_shared", lambda: MovingWindowRateLimiter(nobody))
    outcomes = [take("tenant", "a", 8) is None for _ in range(4)]
    assert outcomes == [True, True, False, False]
    assert [take("tenant", "b", 3) is None for _ in range(2)] == [True, False]
    assert take("tenant", "c", 0) is not None


def test_it_does_not_wait_for_a_redis_that_hangs(
    link: limiter._Link, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """It accepts connections and never answers: one of many requests runs into its timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}"
        pool = redis_client.__wrapped__().connection_pool
        hung = MovingWindowRateLimiter(RedisStorage("redis://", connection_pool=pool))
        monkeypatch.setattr(limiter, "_shared", lambda: hung)
        outcomes = [take("tenant", "a", 16) is None for _ in range(6)]
        listener.settimeout(0)
        listener.accept()
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert outcomes == [True] * 4 + [False] * 2


def test_it_asks_redis_again_once_a_pause(
    link: limiter._Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that hangs costs one request a pause its half second, not every request."""
    now = [100.0]
    monkeypatch.setattr(limiter.time, "monotonic", lambda: now[0])
    assert link.may_ask()
    link.failed(RedisError())
    assert not link.may_ask()
    now[0] += limiter.PAUSE_SECONDS
    assert [link.may_ask(), link.may_ask()] == [True, False]
    link.worked()
    assert [link.may_ask(), link.may_ask()] == [True, True]
