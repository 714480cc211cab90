"""Real threads that start together, each with its own database connection."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections


def at_once(count: int, call: Callable[[int], object]) -> list[object]:
    """Call `call(n)` in `count` threads at the same moment; return values or exceptions, by n."""
    outcomes: list[object] = [None] * count
    barrier = threading.Barrier(count)

    def work(number: int) -> None:
        barrier.wait()
        try:
            outcomes[number] = call(number)
        except Exception as error:  # noqa: BLE001  (the caller looks at it)
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
