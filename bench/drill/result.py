"""What a drill hands back, and how it waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 60
# Runs that a scenario lets fail.
ITEMS = 3


@dataclass
class Result:
    """One line of the table; `broken` says which promises were not kept, `table` is shown below."""

    scenario: str
    events: int = 0
    incidents: int = 0
    decision: str = ""
    gate: str = ""
    action: str = ""
    outcome: str = ""
    seconds: float | None = None
    broken: list[str] = field(default_factory=list)
    table: list[Sequence[str]] = field(default_factory=list)

    def expect(self, promise: str, *, kept: bool) -> None:
        if not kept:
            self.broken.append(promise)


def await_(look: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """What `look` returns once it is not empty; what it returns at last when patience ends."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen
