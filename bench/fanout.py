"""G6: what changed, on the screens of 200 open pages, against Channels' own way on the same server.

Both sides are one daphne process. Ours reads and renders the rows it sends; the reference forwards
texts of the same size that are ready. The pages are lean clients in this process, on one loop.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import wire
from bench.instance import PROJECT, await_answer, free_port, make_tenant

PAGES = 200
ROUNDS = 3
BURST = 20
SINGLES = 8
# Longer than our window, so that each is the first change after a quiet time.
SINGLE_PAUSE_SECONDS = 0.35
STORM = 150
TELL_BYTES = 64 * 1024
STORM_PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 120
# The title of a row that changed for the nth time, of the same length for all n.
TITLE, NUMBER = "change {} of the bench", re.compile(rb"change (\d{6}) of the bench")
_numbers = itertools.count(100_000)


@dataclass
class Screen:
    """What came to one page, and when."""

    frames: list[tuple[float, bytes]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    read: int = 0
    untold: list[int] = field(default_factory=list)

    def to_tell(self, size: int) -> int:
        """How many frames it took, when it is time to say so, as `static/js/live.js` does."""
        self.untold.append(size)
        if sum(self.untold) < TELL_BYTES:
            return 0
        told, self.untold = len(self.untold), []
        return told

    def heard(self, frame: bytes) -> None:
        self.frames.append((time.perf_counter(), frame))

    def shows(self, numbers: set[int]) -> bool:
        """Whether all of them came by now. Read only here: it must not delay what still comes."""
        for _, frame in self.frames[self.read :]:
            self.seen.update(map(int, NUMBER.findall(frame)))
        self.read = len(self.frames)
        return numbers <= self.seen


@dataclass(frozen=True)
class Fanned:
    """What a load took: deliveries a second, the seconds of each, sorted, and the server's seconds
    of CPU a change."""

    per_second: float
    latencies: tuple[float, ...]
    cpu_seconds: float

    def at(self, share: float) -> float:
        """The seconds in which that share was delivered."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


@dataclass(frozen=True)
class Server:
    url: str
    pid: int


class Side:
    """A server and how to make its pages show something."""

    subscribe: bytes = b""
    says_what_it_took = False

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self.url, self.headers, self._folder = server.url, headers, Path(f"/proc/{server.pid}/task")

    def cpu_seconds(self) -> float:
        """What the server has had of the CPU, to the microsecond: in bursts of some milliseconds
        the ticks of `times` would show nothing."""
        threads = self._folder.glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def prepare(self, numbers: list[int]) -> None:
        """A row for each number, if the side has rows."""

    def tell(self, number: int, row: int = 0) -> None:
        """Announce what `prepare` wrote to that row; from any thread."""
        raise NotImplementedError

    def change(self, number: int) -> float:
        """Change the first row and announce it; when it was changed: the clock runs from then."""
        changed_at = time.perf_counter()
        self.tell(number)
        return changed_at


class Ours(Side):
    says_what_it_took = True
    subscribe = b'{"subscribe":["incidents"],"age":0}'

    def __init__(self, server: Server) -> None:
        self._tenant, self._rows, headers = _people_and_rows()
        super().__init__(server, headers)

    def prepare(self, numbers: list[int]) -> None:
        for row, number in zip(self._rows, numbers, strict=False):
            row.title = TITLE.format(number)
        type(self._rows[0]).objects.bulk_update(self._rows, ["title"])

    def tell(self, number: int, row: int = 0) -> None:
        from awfdrs_site.kernel import live

        live.publish(self._tenant.pk, "incidents", self._rows[row].pk)

    def change(self, number: int) -> float:
        from django.db import transaction

        row = self._rows[0]
        with transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(title=TITLE.format(number))
            self.tell(number)
        return time.perf_counter()

    def text(self) -> str:
        """What a page gets for one row."""
        import json

        from awfdrs_site.live.topics import incidents

        self.prepare([next(_numbers)])
        (html,) = incidents(self._tenant, [str(self._rows[0].pk)])
        return json.dumps({"changes": [["incidents", html]]})


class Bare(Side):
    def __init__(self, server: Server, text: str, loop: asyncio.AbstractEventLoop) -> None:
        from channels_redis.core import RedisChannelLayer

        super().__init__(server, {})
        self._parts = NUMBER.sub(b"|", text.encode()).decode().split("|")
        self._loop = loop
        host = {"address": os.environ["REDIS_URL"], "socket_timeout": None}
        self._layer = RedisChannelLayer(hosts=[host], prefix="bench", capacity=10_000)

    def tell(self, number: int, row: int = 0) -> None:
        text = TITLE.format(number).join(self._parts)
        sent = self._layer.group_send("bench", {"type": "told", "text": text})
        asyncio.run_coroutine_threadsafe(sent, self._loop).result(PATIENCE_SECONDS)


def _people_and_rows() -> tuple[Any, list[Any], dict[str, str]]:
    """A tenant, its open incidents, and the cookie of somebody who may see them."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client
    from django.utils import timezone

    from awfdrs_site.kernel.actor import MACHINE
    from incidents.models import Incident
    from tenants.models import Tenant, Workflow
    from tenants.services import set_member

    made, now = make_tenant(), timezone.now()
    tenant = Tenant.objects.get(pk=made["tenant_id"])
    workflow = Workflow.objects.get(pk=made["workflow_id"])
    user = User.objects.create(username=f"viewer {tenant.name}")
    set_member(tenant=tenant, user=user, role="viewer", actor=MACHINE, now=now)
    times = dict.fromkeys(("first_seen_at", "opened_at", "last_seen_at"), now)
    rows = [
        Incident.objects.create(
            tenant=tenant,
            number=number,
            workflow=workflow,
            signature=f"signature-{number}",
            signature_kind="code",
            signature_text="payment_timeout",
            title="Gateway timed out",
            status="actioned",
            **times,
        )
        for number in range(1, BURST + 1)
    ]
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    name = settings.SESSION_COOKIE_NAME
    return tenant, rows, {"Cookie": f"{name}={client.cookies[name].value}"}


@contextmanager
def _daphne(application: str) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), application]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=PROJECT, stdout=quiet, stderr=quiet)
    try:
        await_answer(f"http://127.0.0.1:{port}/api/v1/health", process)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.kill()  # nothing in it is worth the seconds of an orderly end
        process.wait(10)


@contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@asynccontextmanager
async def _looked_at(side: Side) -> AsyncIterator[list[Screen]]:
    """200 open pages of that side."""
    screens, wires = [Screen() for _ in range(PAGES)], []
    ready = [asyncio.Event() for _ in screens]

    def hear(number: int, frame: bytes) -> None:
        if side.says_what_it_took and (frames := screens[number].to_tell(len(frame))):
            wires[number].send(b'{"took":%d}' % frames)
        if b'"changes"' in frame:
            screens[number].heard(frame)
        elif b'{"live":true' in frame:
            ready[number].set()

    for number in range(PAGES):
        open_wire = await wire.connect(
            f"{side.url}/ws/live/", lambda frame, n=number: hear(n, frame), side.headers
        )
        wires.append(open_wire)
        if side.subscribe:
            open_wire.send(side.subscribe)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ready[number].wait()
    try:
        yield screens
    finally:
        for one in wires:
            one.transport.close()


async def _burst(side: Side, screens: list[Screen]) -> Fanned:
    """Many rows at once."""
    numbers, cpu = [next(_numbers) for _ in range(BURST)], side.cpu_seconds()
    await asyncio.to_thread(side.prepare, numbers)
    told: dict[int, float] = {}

    def tell() -> None:
        for row, number in enumerate(numbers):
            told[number] = time.perf_counter()
            side.tell(number, row)

    await asyncio.to_thread(tell)
    await _all_see(screens, set(numbers))
    return _fanned(screens, told, side.cpu_seconds() - cpu)


async def _singles(side: Side, screens: list[Screen]) -> Fanned:
    """One row after the other, each once all have seen the last."""
    told: dict[int, float] = {}
    cpu = side.cpu_seconds()

    def change(number: int) -> None:
        told[number] = side.change(number)

    for _ in range(SINGLES):
        number = next(_numbers)
        await asyncio.to_thread(change, number)
        await _all_see(screens, {number})
        await asyncio.sleep(SINGLE_PAUSE_SECONDS)
    return _fanned(screens, told, side.cpu_seconds() - cpu)


async def _storm(side: Side, screens: list[Screen]) -> Fanned:
    """Fifty commits a second to one row: each is shown with the first push after it."""
    told: dict[int, float] = {}
    cpu = side.cpu_seconds()

    def change() -> None:
        for _ in range(STORM):
            number = next(_numbers)
            told[number] = side.change(number)
            time.sleep(STORM_PAUSE_SECONDS)

    await asyncio.to_thread(change)
    await _all_see(screens, {max(told)})
    return _fanned(screens, told, side.cpu_seconds() - cpu)


async def _all_see(screens: list[Screen], numbers: set[int]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        # From the last: while it waits, those before it are not read.
        while not all(screen.shows(numbers) for screen in reversed(screens)):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def _fanned(screens: list[Screen], told: dict[int, float], cpu_seconds: float) -> Fanned:
    """A number is delivered with the first frame that has it, or a later one of a single row."""
    numbers = sorted(told)
    latencies, last = [], 0.0
    for screen in screens:
        waiting = dict.fromkeys(numbers)
        is_one_row = not set(numbers) <= screen.seen
        for at, frame in screen.frames:
            found = map(int, NUMBER.findall(frame))
            shown = {number for number in found if numbers[0] <= number <= numbers[-1]}
            newest = max(shown, default=0)
            done = [n for n in waiting if n in shown or (is_one_row and n <= newest)]
            latencies += [max(0.0, at - told[n]) for n in done]
            last = max(last, at) if done else last
            for number in done:
                del waiting[number]
    per_second = len(latencies) / (last - told[numbers[0]])
    return Fanned(per_second, tuple(sorted(latencies)), cpu_seconds / len(numbers))


Rounds = list[tuple[Fanned, Fanned]]


async def _measured(ours: Side, bare: Side) -> tuple[Rounds, Rounds, list[Fanned]]:
    bursts: Rounds = []
    singles: Rounds = []
    storms = []
    async with _looked_at(ours) as mine, _looked_at(bare) as theirs:
        for _ in range(ROUNDS):
            for rounds, load in ((bursts, _burst), (singles, _singles)):
                first = await load(ours, mine)
                rounds.append((first, await load(bare, theirs)))
            storms.append(await _storm(ours, mine))
    return bursts, singles, storms


def measure() -> tuple[Rounds, Rounds, list[Fanned]]:
    """Rounds of (ours, reference) for a burst and for single changes, and of ours for a storm."""
    with (
        _daphne("awfdrs_site.asgi:application") as our_server,
        _daphne("bench.bare_channels:application") as bare_server,
        _loop_in_a_thread() as loop,
    ):
        ours = Ours(our_server)
        return asyncio.run(_measured(ours, Bare(bare_server, ours.text(), loop)))
