"""One thread a process: hears what changed, reads and renders it once, sends it to open pages.

The pages themselves are served by event loops (the websockets'); to those the thread only hands
over. While it cannot hear, every page is told so; when it hears again, that something was missed.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable

import redis
import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.retry import Retry

from awfdrs_site.kernel.live import CHANNEL, COUNTER
from awfdrs_site.kernel.redis_client import client_of
from awfdrs_site.kernel.windows import EVERYTHING, Changes, Windows
from awfdrs_site.live.page import LIVE, LOST, MISSED, Frame, OpenPage
from awfdrs_site.live.presence import Presence
from awfdrs_site.live.topics import load_of
from tenants.access import Identity, identities_of_sessions

log = structlog.get_logger(__name__)

# A page is sent what changed at most four times a second.
WINDOW_SECONDS = 0.25
MOST_CHANGES = 2_000
# Each page hears something this often, and whether its session is still good is looked up.
BEAT_SECONDS = 4.0
# After a quiet time Redis is asked whether it is there; without an answer it is taken for gone.
QUIET_SECONDS = 1.0
DEAF_SECONDS = 2.0
PAUSE_SECONDS = 0.5
MOST_AT_ONCE = 10_000

SIGNED_OUT, REFUSED = 4401, 4403

Frames = list[tuple[OpenPage, Frame | int]]


def _offer_all(frames: Frames, taken: threading.Event) -> None:
    for page, frame in frames:
        page.offer(frame)
    taken.set()


class Hub:
    """What the pages of this process follow."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._lock = threading.Lock()
        self._pages: defaultdict[str, set[OpenPage]] = defaultdict(set)
        self._changed_at: dict[str, float] = {}
        self._hears_since: float | None = None
        self._thread: threading.Thread | None = None
        # The thread's own.
        self._presence = Presence(client_of(redis_url))
        self._windows = Windows(WINDOW_SECONDS, MOST_CHANGES)
        self._told = 0
        self._beat_at = 0.0

    def join(self, page: OpenPage, topics: Iterable[str], age_seconds: float) -> None:
        """Send the page what changes of these topics from now on, after the word whether it missed
        a change since it was made, `age_seconds` ago."""
        made_at = time.monotonic() - age_seconds
        with self._lock:
            page.topics |= frozenset(topics)
            self._pages[page.tenant_id].add(page)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="live-hub", daemon=True)
                self._thread.start()
            since, changed_at = self._hears_since, self._changed_at.get(page.tenant_id, 0.0)
        if since is None:
            page.offer(LOST)
        else:
            page.offer(LIVE if made_at > max(since, changed_at) else MISSED)

    def leave(self, page: OpenPage) -> None:
        with self._lock:
            pages = self._pages[page.tenant_id]
            pages.discard(page)
            if not pages:
                del self._pages[page.tenant_id]

    # The thread.

    def _run(self) -> None:
        while True:
            try:
                self._hear()
            except redis.RedisError as error:
                if self._hears_since is not None:
                    log.warning("live_deaf", error=repr(error))
            except Exception:
                log.exception("live_hub_failed")
            if self._hears_since is not None:
                self._hears_since = None
                self._send((page, LOST) for page in self._all())
            time.sleep(PAUSE_SECONDS)

    def _hear(self) -> None:
        """Listen until Redis is lost (redis.RedisError)."""
        # A new link is made here alone: what was told between two must not pass for heard.
        client = redis.Redis.from_url(
            self._url,
            socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        link = client.pubsub()
        try:
            link.subscribe(CHANNEL)
            heard_at = asked_at = time.monotonic()
            self._beat_at = heard_at + BEAT_SECONDS
            while True:
                wait_until = (
                    asked_at + DEAF_SECONDS if asked_at > heard_at else heard_at + QUIET_SECONDS
                )
                heard = self._hear_all(link, client, self._wake_at(wait_until))
                now = time.monotonic()
                if heard:
                    heard_at = now
                elif asked_at > heard_at and now - asked_at > DEAF_SECONDS:
                    raise redis.ConnectionError("no answer to a ping")
                elif asked_at <= heard_at and now - heard_at > QUIET_SECONDS:
                    link.ping()
                    asked_at = now
                for tenant_id, changes in self._windows.take(now).items():
                    self._show(tenant_id, changes)
                if now >= self._beat_at:
                    self._beat_at = now + BEAT_SECONDS
                    self._beat()
        finally:
            link.close()
            client.close()

    def _wake_at(self, wait_until: float) -> float:
        due_at = self._windows.due_at()
        next_at = min(self._beat_at, wait_until)
        return next_at if due_at is None else min(due_at, next_at)

    def _hear_all(self, link: PubSub, client: redis.Redis, wake_at: float) -> bool:
        """Take all that has come, or comes until then; whether anything did.

        All of it, before any is shown: one message for each showing would be a queue that grows
        while showing takes longer than the next change does.
        """
        wait = max(0.0, wake_at - time.monotonic())
        for turn in range(MOST_AT_ONCE):
            message = link.get_message(timeout=0.0 if turn else wait)
            if message is None:
                return turn > 0
            if message["type"] == "subscribe":
                self._told = int(client.get(COUNTER) or 0)
            self._take(message, time.monotonic())
        return True

    def _take(self, message: dict[str, object], now: float) -> None:
        """A `subscribe` means that from now on all is heard."""
        if message["type"] == "subscribe":
            with self._lock:
                self._hears_since = now
            self._send((page, MISSED) for page in self._all())
        if message["type"] != "message":
            return
        number, _, hints = bytes(message["data"]).partition(b" ")  # type: ignore[call-overload]
        if int(number) != self._told + 1:
            log.warning("live_gap", told=int(number), heard=self._told)
            with self._lock:
                self._changed_at = dict.fromkeys(self._changed_at, now)
            self._send((page, MISSED) for page in self._all())
        self._told = int(number)
        with self._lock:
            for tenant_id, topic, key in json.loads(hints):
                self._changed_at[tenant_id] = now
                if tenant_id in self._pages:
                    self._windows.add(tenant_id, topic, key)

    def _show(self, tenant_id: str, changes: Changes) -> None:
        with self._lock:
            pages = tuple(self._pages.get(tenant_id, ()))
        if EVERYTHING in changes:
            self._send((page, MISSED) for page in pages)
            return
        try:
            self._send(frames_of(pages, changes))
        except DatabaseError as error:
            log.warning("live_unread", error=repr(error))
            close_old_connections()
            for topic, keys in changes.items():
                for key in keys:
                    self._windows.add(tenant_id, topic, key)
        except Exception:  # what one topic cannot render must not stop the others
            log.exception("live_unrendered", tenant_id=tenant_id)
            self._send((page, MISSED) for page in pages)

    def _beat(self) -> None:
        # Here the connection is given back, not with each push: to get it is as long as to read.
        pages = self._all()
        state = LIVE if self._hears_since is not None else LOST
        try:
            codes = _ended(pages)
        except DatabaseError as error:
            log.warning("live_unread", error=repr(error))
            codes = {}
        finally:
            close_old_connections()
        self._send((page, codes.get(page, state)) for page in pages)
        staying = [page for page in pages if page not in codes]
        self._send(self._presence.frames(staying, time.time()))

    def _all(self) -> list[OpenPage]:
        with self._lock:
            return [page for pages in self._pages.values() for page in pages]

    def _send(self, frames: Iterable[tuple[OpenPage, Frame | int]]) -> None:
        """Hand over, and wait until it was taken: what changes meanwhile is joined, so that a busy
        event loop is not given more to do than it gets done."""
        by_loop: defaultdict[asyncio.AbstractEventLoop, Frames] = defaultdict(list)
        for page, frame in frames:
            by_loop[page.loop].append((page, frame))
        for loop, mine in by_loop.items():
            taken = threading.Event()
            if loop.is_running():
                loop.call_soon_threadsafe(_offer_all, mine, taken)
            while loop.is_running() and not taken.wait(PAUSE_SECONDS):
                pass


def frames_of(pages: Collection[OpenPage], changes: Changes) -> Frames:
    """Each topic read, rendered and encoded once; pages with the same topics share one frame."""
    if not pages:
        return []
    tenant = next(iter(pages)).identity.tenant
    parts = {
        topic: _parts(topic, load_of(topic), tenant, keys)
        for topic, keys in changes.items()
        if any(topic in page.topics for page in pages)
    }
    made: dict[frozenset[str], Frame] = {}
    frames: Frames = []
    for page in pages:
        followed = page.topics.intersection(parts)
        if followed not in made:
            inside = ",".join(part for topic in parts if topic in followed for part in parts[topic])
            made[followed] = Frame(f'{{"changes":[{inside}]}}')
        if followed:
            frames.append((page, made[followed]))
    return frames


def _parts(topic: str, load: object, tenant: object, keys: Collection[str]) -> list[str]:
    rows = load(tenant, keys) if callable(load) else []
    return [json.dumps([topic, html]) for html in rows or [""]]


def _ended(pages: Collection[OpenPage]) -> dict[OpenPage, Frame | int]:
    """The code to close with, for the pages whose person may not follow them any more."""
    now = timezone.now()
    identities = identities_of_sessions({page.session_key for page in pages}, now)
    codes: dict[OpenPage, Frame | int] = {}
    for page in pages:
        identity = identities.get(page.session_key)
        if page.session_key not in identities:
            codes[page] = SIGNED_OUT
        elif identity is None or _place(identity) != _place(page.identity):
            codes[page] = REFUSED
    return codes


def _place(identity: Identity) -> tuple[object, str | None]:
    return identity.tenant.pk, identity.membership_role


hub = Hub(settings.REDIS_URL)
