"""A target without idempotency: every call it takes is carried out, and stands in its ledger.

POST /touch, /mute     carried out: 202; a body with `"refuse": true` is not: 422
GET  /touch/{key}      did that key come? 200 or 404
GET  /mute/{key}       it does not say: 503
POST /look             `"up": true` 200, else 422; changes nothing and stands in no ledger
"""

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


@dataclass(frozen=True)
class Call:
    """One call that was carried out."""

    key: str
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


@dataclass
class Target:
    """`calls`: the ledger, in the order of arrival; only ever appended to."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry_out(self, key: str, body: dict[str, Any]) -> None:
        with self._lock:
            self.calls.append(Call(key, body))
            self._keys.add(key)

    def has(self, key: str) -> bool:
        return key in self._keys

    def calls_with(self, key: str) -> int:
        return sum(call.key == key for call in list(self.calls))


@contextmanager
def a_target() -> Iterator[Target]:
    target = Target()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            content = self.rfile.read(length)
            if len(content) < length:
                return  # the caller was killed in the middle of it
            body = json.loads(content)
            if self.path == "/look":
                self._reply(200 if body["up"] else 422)
            elif body.get("refuse"):
                self._reply(422)
            else:
                target.carry_out(self.headers["Idempotency-Key"], body)
                self._reply(202)

        def do_GET(self) -> None:
            _, place, key = self.path.split("/")
            self._reply(503 if place == "mute" else 200 if target.has(key) else 404)

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
    target.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
