"""How an action slows the calls to a vendor for a time, beside the vendor's own limit [A1]. Pure.

Several may hold at once: the strictest counts, and each is taken back by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `per_minute` calls until then. `by`: the incident; `action`: id of what set it."""

    per_minute: int
    until: datetime
    by: str
    action: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"until": self.until.isoformat()}


def holding(stored: Iterable[dict[str, Any]], now: datetime) -> list[Throttle]:
    """Those of a vendor's column that are not over."""
    return [one for one in msgspec.convert(list(stored), list[Throttle]) if now < one.until]


def strictest(throttles: Iterable[Throttle]) -> Throttle | None:
    """The one that counts; of two alike the longer one."""
    return min(throttles, key=lambda one: (one.per_minute, -one.until.timestamp()), default=None)
