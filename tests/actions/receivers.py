"""What channels call, on loopback: a webhook that does what a test tells it, and a mail server."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Webhook:
    """`answers` are used up in order, the last for ever: a status, or a path to be sent on to.

    A call waits until `go` is set, once it was noted in `calls` and `came` was released.
    """

    host: str = ""
    answers: list[int | str] = field(default_factory=lambda: [200])
    calls: list[dict[str, Any]] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"json://{self.host}/hook"

    @property
    def keys(self) -> list[str]:
        return [call["key"] for call in self.calls]


@contextmanager
def a_webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    webhook.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with webhook.lock:
                webhook.calls.append({"key": self.headers["Idempotency-Key"], **body})
                left = webhook.answers
                answer = left.pop(0) if len(left) > 1 else left[0]
            webhook.came.release()
            webhook.go.wait(60)
            self.send_response(307 if isinstance(answer, str) else answer)
            if isinstance(answer, str):
                self.send_header("Location", answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):  # the caller was killed
                super().handle_one_request()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    webhook.host = f"127.0.0.1:{server.server_port}"
    try:
        yield webhook
    finally:
        webhook.go.set()
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    port: int = 0
    letters: list[Message] = field(default_factory=list)


@contextmanager
def a_mailbox() -> Iterator[Mailbox]:
    box = Mailbox()

    class Handler:
        async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
            box.letters.append(message_from_bytes(envelope.content))
            return "250 taken"

    controller = Controller(Handler(), hostname="127.0.0.1", port=_free_port(), ready_timeout=60)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
