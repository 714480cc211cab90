"""Calls a retry endpoint as AWFDRS does; its signature is written here once more on purpose."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

from simulator.engine import Engine, ScenarioRun
from tests.simulator.fake_awfdrs import TENANT_ID


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature the protocol asks for, computed without the simulator's code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers_for(secret: str, message_id: str, body: bytes, **changes: str) -> dict[str, str]:
    """The headers of a valid request, with `changes` (underscores stand for dashes)."""
    now = int(time.time())
    headers = {
        "idempotency-key": message_id,
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(secret, message_id, now, body),
    }
    return headers | {name.replace("_", "-"): value for name, value in changes.items()}


def retry_body(run: ScenarioRun, action_id: str, **changes: Any) -> dict[str, Any]:
    """A retry of everything that failed in `run`."""
    body = {
        "action_id": action_id,
        "incident_id": "30000000-0000-0000-0000-000000000012",
        "incident_number": "INC-12",
        "workflow_id": run.workflow.id,
        "tenant_id": TENANT_ID,
        "attempt": 1,
        "correlation_id": run.correlation_ids[0],
        "resources": [{"resource_type": r.type, "resource_id": r.id} for r in run.resources],
        "requested_at": "2024-11-21T10:00:00+00:00",
    }
    return body | changes


class RetryClient:
    """Sends signed requests to one engine's retry address."""

    def __init__(self, engine: Engine, timeout_seconds: float = 10.0) -> None:
        self.engine = engine
        self.http = httpx.Client(timeout=timeout_seconds, trust_env=False)

    def post(
        self, body: Mapping[str, Any], *, path: str = "", **header_changes: str
    ) -> httpx.Response:
        content = json.dumps(body).encode()
        headers = headers_for(
            self.engine.secret, str(body.get("action_id")), content, **header_changes
        )
        return self.http.post(self.engine.retry_url + path, content=content, headers=headers)

    def status(self, key: str) -> httpx.Response:
        headers = headers_for(self.engine.secret, key, b"")
        return self.http.get(f"{self.engine.retry_url}/{key}", headers=headers)

    def wait_until(self, key: str, *wanted: str, seconds: float = 20.0) -> str:
        """The status once it is one of `wanted`; fails the test if it never is."""
        deadline = time.monotonic() + seconds
        while (status := self.status(key).json().get("status")) not in wanted:
            assert time.monotonic() < deadline, f"still {status}"
            time.sleep(0.01)
        return str(status)

    def retry(self, run: ScenarioRun, **changes: Any) -> str:
        """Retry everything of `run` and wait for the end; succeeded or failed."""
        action_id = str(uuid4())
        assert self.post(retry_body(run, action_id, **changes)).status_code == 202
        return self.wait_until(action_id, "succeeded", "failed")
