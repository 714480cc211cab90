"""The retry protocol's messages: what a valid retry request is, and every reason to refuse one.

Pure: a request's bytes in, a RetryRequest out or RefusedError raised.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.signing import SignatureError, check_signature
from simulator.workflows import Directory, Resource, Workflow

MAX_RESOURCES = 10_000


class RefusedError(Exception):
    """A request that is not taken in: the HTTP status, a stable code and a sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class RetryRequest:
    """One authentic request to run failed items again. No resources: all failed ones."""

    key: str
    workflow: Workflow
    resources: tuple[Resource, ...]
    attempt: int
    correlation_id: str | None
    fingerprint: str


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _fingerprint(document: Mapping[str, Any]) -> str:
    """Equal for two bodies that ask for the same; the time of asking is not part of it."""
    asked = {name: value for name, value in document.items() if name != "requested_at"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _invalid(detail: str) -> RefusedError:
    return RefusedError(400, "invalid_request", detail)


def _text(document: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    value = document.get(name)
    if value in (None, "") and not required:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise _invalid(f"{name} must be a string of 1 to 255 characters")
    return value


def _resources(document: Mapping[str, Any]) -> tuple[Resource, ...]:
    entries = document.get("resources")
    if not isinstance(entries, list) or len(entries) > MAX_RESOURCES:
        raise _invalid(f"resources must be a list of at most {MAX_RESOURCES}")
    resources = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise _invalid("each resource needs resource_type and resource_id")
        resources.append(Resource(_text(entry, "resource_type"), _text(entry, "resource_id")))
    # Named twice is still one item to run.
    return tuple(dict.fromkeys(resources))


def _attempt(document: Mapping[str, Any]) -> int:
    attempt = document.get("attempt")
    if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
        raise _invalid("attempt must be a whole number from 1")
    return attempt


def _authenticate(
    directory: Directory,
    default_secret: str,
    workflow: Workflow | None,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> str:
    """The verified message id. An unknown workflow is checked against the default secret, so that
    only a holder of a secret learns which workflows exist."""
    secret = directory.secrets.get(workflow.name) if workflow else None
    try:
        return check_signature(secret or default_secret, headers, body, now=now)
    except SignatureError as error:
        raise RefusedError(401, "bad_signature", str(error)) from error


def read_retry(
    directory: Directory,
    default_secret: str,
    *,
    path_workflow: str | None,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> RetryRequest:
    """The retry a POST asks for; `headers` with lower-case names, `now` in unix seconds.

    RefusedError with 401 (signature), 400 (body), 404 (workflow), 409 (key or path contradict
    the body), judged in this order.
    """
    document = _decode(body)
    named = document.get("workflow_id") if isinstance(document, dict) else None
    workflow = directory.find(named) if isinstance(named, str) else None
    message_id = _authenticate(directory, default_secret, workflow, headers, body, now)
    if not isinstance(document, dict):
        raise _invalid("the body must be a JSON object")
    action_id = _text(document, "action_id")
    resources, attempt = _resources(document), _attempt(document)
    correlation_id = _text(document, "correlation_id", required=False) or None
    tenant_id, workflow_id = _text(document, "tenant_id"), _text(document, "workflow_id")
    if workflow is None or workflow_id.lower() != workflow.id or tenant_id != directory.tenant_id:
        raise RefusedError(404, "unknown_workflow", "this engine has no such workflow")
    key = headers.get("idempotency-key", "")
    if not key:
        raise _invalid("the Idempotency-Key header is required")
    if not key == message_id == action_id:
        raise RefusedError(
            409, "mismatch", "Idempotency-Key, webhook-id and action_id must be equal"
        )
    if path_workflow is not None and directory.find(path_workflow) != workflow:
        raise RefusedError(409, "mismatch", "the body is for another workflow than the address")
    return RetryRequest(key, workflow, resources, attempt, correlation_id, _fingerprint(document))


def read_status_key(
    directory: Directory,
    default_secret: str,
    *,
    path_workflow: str | None,
    key: str,
    headers: Mapping[str, str],
    now: float,
) -> str:
    """The idempotency key whose status a GET may read; RefusedError with 401 when it may not.

    The signature covers no path, so its message id must be the key itself: a recorded signature
    opens no other key.
    """
    workflow = directory.find(path_workflow) if path_workflow is not None else None
    message_id = _authenticate(directory, default_secret, workflow, headers, b"", now)
    if message_id != key:
        raise RefusedError(401, "bad_signature", "webhook-id must be the key in the address")
    if path_workflow is not None and workflow is None:
        raise RefusedError(404, "unknown_workflow", "this engine has no such workflow")
    return key
