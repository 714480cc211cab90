"""What holds without Redis, and what a tenant is told of its limits [S4]."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import redis
from django.utils import timezone
from pytest_django import Settings

from actions.controls.limits_in_use import limits_in_use
from awfdrs_site.kernel.redis_client import client_of, redis_client
from safety import limiter
from safety.limiter import take
from safety.limits_in_use import LimitInUse
from safety.models import Vendor
from safety.window import Limit, SharedWindow
from tests.builders import a_tenant


@pytest.fixture(autouse=True)
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[limiter._Link]:
    """A link to Redis that has not noticed anything yet, and empty windows."""
    link = limiter._Link()
    monkeypatch.setattr(limiter, "_link", link)
    limiter._local.cache_clear()
    redis_client().flushdb()
    yield link
    limiter._local.cache_clear()


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers at Redis's address."""
    client = client_of("redis://127.0.0.1:1")
    monkeypatch.setattr(limiter, "_shared", lambda: SharedWindow(client))


def passes(name: str, most: int, times: int) -> list[bool]:
    return [take(Limit(name, most)).over is None for _ in range(times)]


@pytest.mark.usefixtures("nobody")
def test_it_falls_back_to_a_share_of_the_limit() -> None:
    """A limit of 3 still lets one through; a limit of 0 none."""
    assert passes("a", 8, 4) == [True, True, False, False]
    assert passes("b", 3, 2) == [True, False]
    assert passes("c", 0, 1) == [False]
    assert take(Limit("a", 8)).is_local


@pytest.mark.usefixtures("nobody")
def test_it_has_no_shared_answer_without_redis() -> None:
    """What may go only as counted by all is not let through by the local share."""
    assert limiter.ask_shared(Limit("a", 8), counts=True) is None
    assert limiter.look(Limit("a", 8)).uses[0].used == 0


def test_it_does_not_wait_for_a_redis_that_hangs(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """It accepts connections and never answers: one of many requests runs into its timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}"
        hung = SharedWindow(redis_client.__wrapped__())
        monkeypatch.setattr(limiter, "_shared", lambda: hung)
        outcomes = passes("a", 16, 6)
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
    link.failed(redis.RedisError())
    assert not link.may_ask()
    now[0] += limiter.PAUSE_SECONDS
    assert [link.may_ask(), link.may_ask()] == [True, False]
    link.worked()
    assert [link.may_ask(), link.may_ask()] == [True, True]


@pytest.fixture
def stripe(db: None) -> Vendor:
    tenant = a_tenant(events_per_minute=40)
    return Vendor.objects.create(tenant=tenant, name="stripe", requests_per_minute=10)


def in_use(vendor: Vendor) -> dict[str, LimitInUse]:
    return {row.label: row for row in limits_in_use(vendor.tenant, timezone.now())}


def test_it_lists_every_limit_with_its_use(stripe: Vendor) -> None:
    """Eight of ten is near, ten of ten is over; another tenant's use is not among it."""
    elsewhere = Vendor.objects.create(tenant=a_tenant(), name="stripe")
    take(limiter.calls_of(elsewhere, timezone.now()), limiter.events_of(elsewhere.tenant))
    for _ in range(8):
        take(limiter.events_of(stripe.tenant), limiter.events_naming(stripe))
    for _ in range(11):
        take(limiter.calls_of(stripe, timezone.now()))
    rows = in_use(stripe)
    figures = {label: (row.used, row.limit, row.window, row.level) for label, row in rows.items()}
    assert figures == {
        "Automated actions": (0, 600, "hour", "ok"),
        "Automated actions a day": (0, 5000, "day", "ok"),
        "Events": (8, 40, "minute", "ok"),
        "Events of stripe": (8, 10, "minute", "near"),
        "Calls to stripe": (10, 10, "minute", "over"),
    }
    assert 0 < rows["Calls to stripe"].reset_seconds <= 60
    assert rows["Automated actions"].reset_seconds == 0


@pytest.mark.usefixtures("nobody")
def test_it_says_what_is_counted_here_alone(stripe: Vendor) -> None:
    """Without Redis: this process's own count, against its share."""
    take(limiter.events_of(stripe.tenant))
    row = in_use(stripe)["Events"]
    assert (row.is_local, row.used, row.limit) == (True, 1, 10)
    assert not in_use(stripe)["Automated actions"].is_local
