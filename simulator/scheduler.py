"""Calls functions later, in one thread."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Scheduler:
    """A heap of due calls; they run one after the other and should be short."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Start calling."""
        self._thread.start()

    def stop(self) -> None:
        """Call nothing more; what was due later is forgotten."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def call_later(self, delay_seconds: float, call: Callable[[], object]) -> None:
        """Call `call` once, `delay_seconds` from now or as soon after as the thread is free."""
        due = time.monotonic() + delay_seconds
        with self._changed:
            heapq.heappush(self._calls, (due, next(self._order), call))
            self._changed.notify()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while not self._stopped:
                wait = self._calls[0][0] - time.monotonic() if self._calls else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._calls)[2]
                self._changed.wait(wait)
            return None
