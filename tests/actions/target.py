"""A retry endpoint on loopback that does what a test tells it, and remembers every call."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


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

    def answer(self) -> int | str:
        with self.lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def a_target() -> Iterator[Target]:
    target = Target()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            key = self.headers["Idempotency-Key"]
            answer = target.answer()
            with target.lock:
                headers = {name.lower(): value for name, value in self.headers.items()}
                target.calls.append({"key": key, "headers": headers, "body": json.loads(body)})
                if answer in (202, "drop"):
                    target.known.add(key)
            time.sleep(target.pause_seconds)
            if answer == "drop":
                self.connection.close()
                return
            self._reply(int(answer))

        def do_GET(self) -> None:
            key = self.path.rsplit("/", 1)[-1]
            target.asked.append(key)
            self._reply(200 if key in target.known else 404)

        def _reply(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):  # the caller was killed
                super().handle_one_request()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    target.url = f"http://127.0.0.1:{server.server_port}/retry"
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
