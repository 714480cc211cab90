"""The engine's HTTP side: the retry protocol, its ledger, and the controls of a drill."""

import ipaddress
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from simulator import controls
from simulator.controls import Answer, Host
from simulator.faults import Behaviour
from simulator.ledger import Entry, Ledger
from simulator.reruns import Admission
from simulator.retry_protocol import RefusedError, read_retry, read_status_key

log = logging.getLogger("simulator.endpoint")
MAX_BODY_BYTES = 1_048_576
IDLE_SECONDS = 15.0
_ANSWERS = {
    Admission.ACCEPTED: (202, {"status": "accepted"}),
    Admission.DUPLICATE: (200, {"status": "duplicate"}),
    Admission.CONFLICT: (409, {"error": "conflict", "detail": "same key, other body"}),
}


class ConnectionDropError(Exception):
    """The connection is to be closed without an answer."""


class RetryEndpoint:
    """A threaded HTTP server on one address; `port` 0 takes a free one."""

    def __init__(self, engine: Host, ledger: Ledger, host: str, port: int) -> None:
        handler = type("Handler", (_Handler,), {"engine": engine, "ledger": ledger})
        self._server = _Server((host, port), handler)
        self._host = host
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="endpoint", daemon=True
        )

    @property
    def base_url(self) -> str:
        """The address others reach it by."""
        return f"http://{self._host}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; open requests are left to end by themselves."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is nothing to print a stack trace for; all else is."""
        if isinstance(sys.exception(), OSError):
            log.debug("connection with %s broke: %r", client_address, sys.exception())
        else:
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    engine: Host
    ledger: Ledger
    protocol_version = "HTTP/1.1"
    server_version = "awfdrs-simulator"
    timeout = IDLE_SECONDS
    # Head and body are two writes: without this the body waits 40 ms for the head's ACK.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer_to("GET")

    def do_POST(self) -> None:
        self._answer_to("POST")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base names it so
        log.debug(format, *args)

    def _answer_to(self, method: str) -> None:
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.split("/") if part]
        try:
            body = self._read_body() if method == "POST" else b""
            if parts[:1] == ["retry"]:
                self._retry(method, parts[1:], body)
            else:
                self._send(*self._drill(method, parts, parse_qs(url.query), body))
        except RefusedError as refusal:
            self._send(refusal.status, {"error": refusal.code, "detail": refusal.detail})
        except ConnectionDropError:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise RefusedError(411, "length_required", "a Content-Length is required")
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            raise RefusedError(413, "too_large", f"at most {MAX_BODY_BYTES} bytes")
        return self.rfile.read(int(length))

    def _send(self, status: int, document: Mapping[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _retry(self, method: str, rest: list[str], body: bytes) -> None:
        """One request of the retry protocol, through the fault that is set, into the ledger."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        key = headers.get("idempotency-key", "") if method == "POST" else "".join(rest[-1:])
        entry = self.ledger.receive(method, self.path, key)
        behaviour = self.engine.faults.take(method)
        if behaviour.mode != "normal":
            entry.fault = behaviour.mode
        answer: Answer = (behaviour.status, {"error": "fault", "detail": "injected by a drill"})
        if behaviour.mode == "normal" or behaviour.accepts:
            taken = self._judge(method, rest, headers, body, entry, behaviour)
            answer = answer if behaviour.mode == "status" else taken
        else:
            entry.verdict = "ignored"
        if behaviour.mode == "hang":
            self.engine.stopping.wait(behaviour.hang_seconds)
        if behaviour.mode == "drop":
            raise ConnectionDropError
        entry.answer = answer[0]
        self._send(*answer)

    def _judge(
        self,
        method: str,
        rest: list[str],
        headers: Mapping[str, str],
        body: bytes,
        entry: Entry,
        behaviour: Behaviour,
    ) -> Answer:
        try:
            if method == "POST":
                return self._admit(rest, headers, body, entry, behaviour)
            return self._status(rest, headers, entry)
        except RefusedError as refusal:
            entry.verdict, entry.detail = refusal.code, refusal.detail
            return refusal.status, {"error": refusal.code, "detail": refusal.detail}

    def _admit(
        self,
        rest: list[str],
        headers: Mapping[str, str],
        body: bytes,
        entry: Entry,
        behaviour: Behaviour,
    ) -> Answer:
        if len(rest) > 1:
            raise RefusedError(404, "not_found", "POST /retry or /retry/{workflow}")
        request = read_retry(
            self.engine.directory,
            self.engine.secret,
            path_workflow=rest[0] if rest else None,
            headers=headers,
            body=body,
            now=time.time(),
        )
        entry.request = {
            "workflow": request.workflow.name,
            "attempt": request.attempt,
            "correlation_id": request.correlation_id,
            "resources": [asdict(resource) for resource in request.resources],
        }
        admission = self.engine.reruns.admit(
            request,
            delay_seconds=behaviour.delay_seconds,
            honour_idempotency=behaviour.honour_idempotency,
        )
        entry.verdict = admission.value
        return _ANSWERS[admission]

    def _status(self, rest: list[str], headers: Mapping[str, str], entry: Entry) -> Answer:
        if not 1 <= len(rest) <= 2:
            raise RefusedError(404, "not_found", "GET /retry/{key} or /retry/{workflow}/{key}")
        key = read_status_key(
            self.engine.directory,
            self.engine.secret,
            path_workflow=rest[0] if len(rest) == 2 else None,
            key=rest[-1],
            headers=headers,
            now=time.time(),
        )
        status = self.engine.reruns.status(key)
        entry.verdict = "status" if status else "never_received"
        if status is None:
            return 404, {"error": "never_received", "detail": "no retry with this key"}
        return 200, {"status": status.value}

    def _drill(
        self, method: str, parts: list[str], query: dict[str, list[str]], body: bytes
    ) -> Answer:
        """The index, the ledger and the controls: for this machine only, no part of the
        protocol."""
        if not ipaddress.ip_address(self.client_address[0]).is_loopback:
            raise RefusedError(403, "loopback_only", "only from this machine")
        # A page in a browser cannot send this type to another origin without being asked first.
        if method == "POST" and self.headers.get_content_type() != "application/json":
            raise RefusedError(415, "unsupported_media_type", "send application/json")
        return controls.answer(self.engine, self.ledger, (method, *parts), query, body)
