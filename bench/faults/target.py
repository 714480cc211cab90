"""A target without idempotency: every call it takes is carried out, and stands in its ledger.

POST /touch, /mute     carried out: 202; a body with `"refuse": true` is not: 422
GET  /touch/{key}      did that key come? 200 or 404
GET  /mute/{key}       it does not say: 503
POST /look             `"up": true` 200, else 422; changes nothing and stands in no ledger
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.loopback import Answer, listening
from bench.loopback import Call as Incoming


@dataclass(frozen=True)
class Call:
    """One call that was carried out."""

    key: str
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


@dataclass
class Target:
    """`calls`: the ledger, in the order of arrival; only ever appended to. `pause_seconds`: how
    long an answer takes after its call was carried out."""

    url: str = ""
    pause_seconds: float = 0.0
    calls: list[Call] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry_out(self, key: str, body: dict[str, Any]) -> None:
        with self._lock:
            self.calls.append(Call(key, body))
            self._keys.add(key)

    def calls_with(self, key: str) -> int:
        return sum(call.key == key for call in list(self.calls))

    def answer(self, call: Incoming) -> Answer:
        if call.method == "GET":
            _, place, key = call.path.split("/")
            return (503 if place == "mute" else 200 if key in self._keys else 404), {}
        if call.path == "/look":
            return (200 if call.body["up"] else 422), {}
        if call.body.get("refuse"):
            return 422, {}
        self.carry_out(call.key, call.body)
        time.sleep(self.pause_seconds)
        return 202, {}


@contextmanager
def a_target() -> Iterator[Target]:
    target = Target()
    with listening(target.answer) as target.url:
        yield target
