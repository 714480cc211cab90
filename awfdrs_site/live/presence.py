"""Who has an incident's page open: each web process tells Redis with its beat, and asks.

A courtesy, never truth: kept nowhere else, without a question to PostgreSQL; without Redis nobody
is shown to be there.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from weakref import WeakKeyDictionary

import redis
from django.template.loader import render_to_string

from awfdrs_site.live.page import Frame, OpenPage
from awfdrs_site.live.topics import INCIDENT

# Who was not told of for so long is gone: three beats, and the next one says so.
HERE_SECONDS = 13.0
# Avatars that are drawn; of more, their number.
MOST_DRAWN = 4

# Key in Redis -> the pages of this process.
Places = Mapping[str, Collection[OpenPage]]


class Presence:
    """What the pages of one process were shown. One thread's own."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._shown: WeakKeyDictionary[OpenPage, tuple[str, ...]] = WeakKeyDictionary()

    def frames(self, pages: Iterable[OpenPage], now: float) -> list[tuple[OpenPage, Frame]]:
        """Tell that their people are there at `now` (seconds since 1970); for each page that shows
        others than are there, the frame with who else is. One round trip to Redis."""
        places = _places_of(pages)
        try:
            here = self._told(places, now)
        except redis.RedisError:
            here = {}
        found = []
        for key, looking in places.items():
            for page in looking:
                others = tuple(sorted(here.get(key, set()) - {_member(page)}))
                if self._shown.get(page) != others:
                    self._shown[page] = others
                    found.append((page, _frame(others)))
        return found

    def _told(self, places: Places, now: float) -> dict[str, set[str]]:
        if not places:
            return {}
        pipe = self._client.pipeline(transaction=False)
        for key, pages in places.items():
            pipe.zadd(key, {_member(page): now for page in pages})
            pipe.zremrangebyscore(key, "-inf", now - HERE_SECONDS)
            pipe.expire(key, int(2 * HERE_SECONDS))
            pipe.zrange(key, 0, -1)
        told = pipe.execute()[3::4]
        return {
            key: {member.decode() for member in members}
            for key, members in zip(places, told, strict=True)
        }


def _places_of(pages: Iterable[OpenPage]) -> Places:
    places = defaultdict(list)
    for page in pages:
        for topic in page.topics:
            if page.identity.user and INCIDENT.fullmatch(topic):
                places[f"awfdrs:here:{page.tenant_id}:{topic}"].append(page)
    return places


def _member(page: OpenPage) -> str:
    """The person, by name first so that they sort; the id keeps two of one name apart."""
    user = page.identity.user
    assert user  # see _places_of
    return f"{user.get_full_name() or user.get_username()}\n{user.pk}"


def _frame(others: tuple[str, ...]) -> Frame:
    names = [member.partition("\n")[0] for member in others]
    context = {"here": names, "drawn": names[:MOST_DRAWN], "more": len(names[MOST_DRAWN:])}
    html = render_to_string("incidents/_present.html", context)
    return Frame(json.dumps({"changes": [["present", html]]}))
