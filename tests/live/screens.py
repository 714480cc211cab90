"""Open pages without a browser: what the hub sends them, taken or left, on a real event loop."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from awfdrs_site.live.hub import Hub
from awfdrs_site.live.page import Frame, OpenPage
from bench.wire import Wire, connect
from tenants.access import Identity, identity_of, memberships_of
from tests.cast import Cast

PATIENCE_SECONDS = 30


def hub() -> Hub:
    return Hub(settings.REDIS_URL)


@dataclass(eq=False, kw_only=True)
class Screen:
    """The frames that reached one page, read as JSON; a close is its code."""

    frames: list[Any] = field(default_factory=list)

    def await_(self, wanted: Callable[[Any], bool], since: int = 0) -> Any:
        """The first frame from the `since`th on that is wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (seen := next(filter(wanted, self.frames[since:]), None)) is None:
            assert time.monotonic() < deadline, f"never came: {str(self.frames)[:2_000]}"
            time.sleep(0.01)
        return seen

    def await_row(self, words: str, topic: str = "incidents", since: int = 0) -> Any:
        """The first frame with these words in a row of the topic."""
        return self.await_(lambda frame: any(words in row for row in rows(frame, topic)), since)

    def rows(self, topic: str = "incidents") -> list[str]:
        """Every row of the topic that was pushed, in order."""
        return [row for frame in self.frames for row in rows(frame, topic)]


@dataclass(eq=False, kw_only=True)
class HubScreen(Screen):
    """One that is fed by the hub of this process."""

    page: OpenPage


def rows(frame: Any, topic: str) -> list[str]:
    changes = frame.get("changes", []) if isinstance(frame, dict) else []
    return [html for name, html in changes if name == topic]


def is_live(frame: Any) -> bool:
    return isinstance(frame, dict) and frame.get("live") is True


def is_lost(frame: Any) -> bool:
    return isinstance(frame, dict) and frame.get("live") is False


def missed(frame: Any) -> bool:
    return isinstance(frame, dict) and frame.get("missed") is True


@dataclass
class Screens:
    hub: Hub
    cast: Cast
    loop: asyncio.AbstractEventLoop
    reading: set[asyncio.Task[None]] = field(default_factory=set)
    wires: list[Wire] = field(default_factory=list)

    def open(
        self, person: str, *topics: str, takes: bool = True, age: float = 0.0, **more: Any
    ) -> HubScreen:
        """The page of a person who signed in, once it is live."""
        user = self.cast.people[person]
        session = self.cast.client_as(person).session
        identity = more.get("identity") or identity_of(memberships_of(user)[0])
        screen: HubScreen = self.run(self._open(identity, session.session_key, topics, takes, age))
        screen.await_(is_live)
        return screen

    def connect(self, url: str, headers: dict[str, str] | None = None) -> tuple[Screen, Wire]:
        """A real websocket to the server at `url`; says of each frame that it took it."""
        screen = Screen()

        def hear(text: bytes) -> None:
            screen.frames.append(json.loads(text))
            wire.send(b'{"took":1}')

        wire: Wire = self.run(connect(f"{url}/ws/live/", hear, headers))
        self.wires.append(wire)
        return screen, wire

    def took_one(self, screen: HubScreen) -> None:
        self.do(screen.page.took, 1)

    def do(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Call it on the loop."""
        self.loop.call_soon_threadsafe(call, *arguments)

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_SECONDS)

    async def _open(
        self,
        identity: Identity,
        session_key: str,
        topics: tuple[str, ...],
        takes: bool,
        age: float,
    ) -> HubScreen:
        frames: asyncio.Queue[Frame | int] = asyncio.Queue()
        screen = HubScreen(page=OpenPage(identity, session_key, frames.put_nowait))
        self.reading.add(asyncio.create_task(_read(screen, frames, takes)))
        self.hub.join(screen.page, topics, age)
        return screen


async def _read(screen: HubScreen, frames: asyncio.Queue[Frame | int], takes: bool) -> None:
    while True:
        frame = await frames.get()
        screen.frames.append(frame if isinstance(frame, int) else json.loads(frame.text))
        if takes:
            screen.page.took(1)


async def _end_others() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


@contextmanager
def screens_of(hub: Hub, cast: Cast) -> Iterator[Screens]:
    """A loop of their own in a thread; every page is closed with it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    screens = Screens(hub, cast, loop)
    try:
        yield screens
    finally:
        for page in hub._all():
            hub.leave(page)
        for wire in screens.wires:
            screens.do(wire.transport.close)
        screens.run(_end_others())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
