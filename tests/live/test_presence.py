"""Who has an incident's page open: told by Redis alone, and forgotten by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from awfdrs_site.kernel.redis_client import client_of
from awfdrs_site.live.page import OpenPage
from awfdrs_site.live.presence import HERE_SECONDS, Presence
from tenants.access import identity_of, memberships_of
from tests.cast import Cast

pytestmark = pytest.mark.django_db

NOW = 1_800_000_000.0
INCIDENT = "incident:01a2008b-b88f-7035-b773-f11d108fbed3"
OTHER = "incident:01a2008b-b88f-7035-b773-f11d108fbed4"


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Process:
    """A web process: its pages, and what each shows."""

    def __init__(self, url: str = "") -> None:
        self.presence = Presence(client_of(url or settings.REDIS_URL))
        self.pages: list[OpenPage] = []

    def beat(self, now: float) -> dict[OpenPage, str]:
        return {page: frame.text for page, frame in self.presence.frames(self.pages, now)}


@pytest.fixture
def open_page(cast: Cast, loop: asyncio.AbstractEventLoop) -> Any:
    """Open the page of an incident in a process."""

    def opened(process: Process, name: str, topic: str = INCIDENT) -> OpenPage:
        identity = identity_of(memberships_of(cast.people[name])[0])
        topics = frozenset({topic, "incidents"})
        page = OpenPage(identity, name, lambda _: None, topics=topics, loop=loop)
        process.pages.append(page)
        return page

    return opened


def test_people_see_each_other_across_processes(open_page: Any) -> None:
    """Each the others, of this incident and this tenant alone; who leaves is soon gone."""
    one, two = Process(), Process()
    alice, anna = open_page(one, "alice"), open_page(two, "anna")
    elsewhere, stranger = open_page(two, "vera", OTHER), open_page(two, "mallory")
    assert "Also here" not in one.beat(NOW)[alice]
    seen = two.beat(NOW + 1)
    assert "lice" in seen[anna]
    assert "Also here" not in seen[elsewhere] + seen[stranger]
    assert list(one.beat(NOW + 4)) == [alice]
    assert one.beat(NOW + 8) == {}  # what is shown is not sent again
    two.pages.clear()
    assert one.beat(NOW + 12) == {}
    assert "Also here" not in one.beat(NOW + 2 + HERE_SECONDS)[alice]


def test_who_has_two_pages_open_is_one(open_page: Any) -> None:
    process = Process()
    mine = [open_page(process, "alice") for _ in range(2)]
    other = open_page(process, "anna")
    seen = process.beat(NOW)
    assert seen[other].count('class=\\"avatar') == 1
    assert seen[mine[0]] == seen[mine[1]]


def test_it_asks_the_database_nothing(open_page: Any, django_assert_num_queries: Any) -> None:
    process = Process()
    for name in ("alice", "anna"):
        open_page(process, name)
    with django_assert_num_queries(0):
        process.beat(NOW)


def test_without_redis_nobody_is_shown(open_page: Any) -> None:
    """And nothing is raised."""
    gone = Process("redis://127.0.0.1:1/0")
    page = open_page(gone, "alice")
    assert "Also here" not in gone.beat(NOW)[page]
    assert gone.beat(NOW) == {}
