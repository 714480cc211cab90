"""G6: what changed, on the screens of 200 open pages, against Channels' own way on the same server.

Both sides are one daphne process. Ours reads and renders the rows it sends; the reference forwards
texts of the same size that are ready. The pages are lean clients in this process, on one loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from bench import wire
from bench.sides import NUMBER, PATIENCE_SECONDS, ROWS, Bare, Ours, Side, daphne, serial

PAGES = 200
ROUNDS = 3
BURST = ROWS
SINGLES = 8
# Longer than our window, so that each is the first change after a quiet time.
SINGLE_PAUSE_SECONDS = 0.35
STORM = 150
TELL_BYTES = 64 * 1024
STORM_PAUSE_SECONDS = 0.02


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
    numbers, cpu = [next(serial) for _ in range(BURST)], side.cpu_seconds()
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
        number = next(serial)
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
            number = next(serial)
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
        daphne("awfdrs_site.asgi:application") as our_server,
        daphne("bench.bare_channels:application") as bare_server,
        _loop_in_a_thread() as loop,
    ):
        ours = Ours(our_server)
        return asyncio.run(_measured(ours, Bare(bare_server, ours.text(), loop)))
