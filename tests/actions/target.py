"""A retry endpoint on loopback that does what a test tells it, and remembers every call."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.loopback import Answer, Call, listening


@dataclass
class Target:
    """`answers` are used up in order, the last for ever; `known` keys answer status questions.

    An answer is an HTTP status, or "drop" (the call is carried out, its answer lost).
    """

    url: str = ""
    answers: list[int | str] = field(default_factory=lambda: [202])
    pause_seconds: float = 0.0
    calls: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, call: Call) -> Answer:
        if call.method == "GET":
            key = call.path.rsplit("/", 1)[-1]
            self.asked.append(key)
            return (200 if key in self.known else 404), {}
        with self.lock:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.calls.append({"key": call.key, "headers": call.headers, "body": call.body})
            if answer in (202, "drop"):
                self.known.add(call.key)
        time.sleep(self.pause_seconds)
        return "drop" if answer == "drop" else (int(answer), {})


@contextmanager
def a_target() -> Iterator[Target]:
    target = Target()
    with listening(target.answer) as url:
        target.url = f"{url}/retry"
        yield target
