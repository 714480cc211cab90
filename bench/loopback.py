"""A small real server on loopback, for what stands at the other end of a call."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call as it came; `headers` by their names in lower case, `body` read as JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


# A status and a document, or "drop": the call is carried out and its answer lost.
Answer = tuple[int, Any] | str


@contextmanager
def listening(answer: Callable[[Call], Answer]) -> Iterator[str]:
    """Hand each call that came in whole to `answer`, from threads; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            content = self.rfile.read(length)
            if len(content) < length:
                return  # the caller was killed in the middle of it
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(content) if content else None
            got = answer(Call(self.command, self.path, headers, body))
            if isinstance(got, str):
                self.connection.close()
                return
            status, document = got
            reply = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815  (what the base class looks for)

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):  # the caller was killed
                super().handle_one_request()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
