"""A small real server on loopback that takes events as AWFDRS does, and records them."""

import json
import re
import threading
from collections import deque
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

KEY = "awf_test_" + "0" * 48
TENANT_ID = "00000000-0000-0000-0000-000000000001"

_REQUIRED = {
    "tenant_id",
    "workflow_id",
    "event_type",
    "payload",
    "idempotency_key",
    "occurred_at",
    "schema_version",
}
_OPTIONAL = {"correlation_id", "resource_type", "resource_id", "fingerprint"}
_EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_TEXT_KEYS = ("error_code", "error_message", "vendor", "severity", "stack")
_NUMBER_KEYS = ("duration_ms", "attempt")


def shape_errors(event: Any) -> list[str]:
    """What the REST contract forbids about an event; empty for a valid one."""
    if not isinstance(event, dict):
        return ["not an object"]
    errors = [f"missing {name}" for name in sorted(_REQUIRED - set(event))]
    errors += [f"unknown {name}" for name in sorted(set(event) - _REQUIRED - _OPTIONAL)]
    return errors or _envelope_errors(event) + _payload_errors(event["payload"])


def _envelope_errors(event: dict[str, Any]) -> list[str]:
    kind = event["event_type"]
    sound = {
        "tenant_id": event["tenant_id"] == TENANT_ID,
        "workflow_id": str(UUID(event["workflow_id"])) == event["workflow_id"],
        "event_type": len(kind) <= 100 and _EVENT_TYPE.fullmatch(kind) is not None,
        "idempotency_key": 1 <= len(event["idempotency_key"]) <= 255,
        "occurred_at": datetime.fromisoformat(event["occurred_at"]).tzinfo is not None,
        "schema_version": event["schema_version"] == "1.0.0",
        "half a resource": ("resource_type" in event) == ("resource_id" in event),
    }
    return [name for name, good in sound.items() if not good]


def _payload_errors(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["payload"]
    errors = [k for k in _TEXT_KEYS if not isinstance(payload.get(k, ""), str)]
    errors += [k for k in _NUMBER_KEYS if not isinstance(payload.get(k, 0), int)]
    if payload.get("severity", "low") not in ("critical", "high", "medium", "low"):
        errors.append("severity")
    return errors


class FakeAwfdrs:
    """Answers ``POST /api/v1/events``; `script` holds answers to give first, oldest first.

    `events` are the stored ones in order, `posts` every event received, `errors` all that the
    contract forbids. A scripted answer is (status, headers, document); the document's
    ``stored: true`` stores the event all the same, as when the answer is lost.
    """

    def __init__(self, port: int = 0) -> None:
        self.events: list[dict[str, Any]] = []
        self.posts: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self.script: deque[tuple[int, dict[str, str], dict[str, Any]]] = deque()
        self._by_key: dict[str, tuple[str, dict[str, Any]]] = {}
        self._changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for_events(self, count: int, seconds: float = 20.0) -> list[dict[str, Any]]:
        """The stored events once there are `count`; fails the test if there never are."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.events) >= count, seconds)
            assert arrived, f"{len(self.events)} of {count} events came"
            return list(self.events)

    def take(self, key: str | None, event: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
        """The answer to one post."""
        if key != f"Bearer {KEY}":
            return 401, {}, {"code": "not_authenticated"}
        with self._changed:
            self.posts.append(event)
            if self.script:
                status, headers, document = self.script.popleft()
                if document.get("stored"):
                    self._store(event)
                return status, headers, document
            return self._store(event)

    def _store(self, event: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
        errors = shape_errors(event)
        self.errors += errors
        if errors:
            return 400, {}, {"code": "validation_error", "detail": ", ".join(errors)}
        known = self._by_key.get(event["idempotency_key"])
        if known:
            code = "duplicate_event" if known[1] == event else "idempotency_conflict"
            return 409, {}, {"code": code, "event_id": known[0]}
        event_id = str(uuid4())
        self._by_key[event["idempotency_key"]] = (event_id, event)
        self.events.append(event)
        self._changed.notify_all()
        return 201, {}, {"event_id": event_id, "status": "accepted"}


class _Handler(BaseHTTPRequestHandler):
    fake: FakeAwfdrs
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/api/v1/events":
            answer: tuple[int, dict[str, str], dict[str, Any]] = (404, {}, {"code": "not_found"})
        else:
            answer = self.fake.take(self.headers.get("Authorization"), json.loads(body))
        status, headers, document = answer
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: pytest shows what a test needs."""
