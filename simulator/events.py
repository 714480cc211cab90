"""Builds the events the engine posts, in the shape of ``POST /api/v1/events``."""

import itertools
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from simulator.workflows import Resource

Event = dict[str, Any]
SCHEMA_VERSION = "1.0.0"


def new_correlation_id() -> str:
    """One id for everything that belongs to one run of a workflow."""
    return f"run-{uuid4().hex}"


class EventFactory:
    """Builds events of one tenant; thread-safe.

    Idempotency keys hold a random part drawn at start, so that a second start (even with the same
    seed) never reuses a key.
    """

    def __init__(self, tenant_id: str, prefix: str = "sim") -> None:
        self._tenant_id = tenant_id
        self._prefix = f"{prefix}-{secrets.token_hex(6)}"
        self._numbers = itertools.count(1)

    def build(
        self,
        workflow_id: str,
        event_type: str,
        payload: Mapping[str, Any],
        *,
        resource: Resource | None = None,
        correlation_id: str | None = None,
    ) -> Event:
        """One event that happens now, with an idempotency key of its own."""
        event: Event = {
            "tenant_id": self._tenant_id,
            "workflow_id": workflow_id,
            "event_type": event_type,
            "payload": dict(payload),
            "idempotency_key": f"{self._prefix}-{next(self._numbers)}",
            "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "schema_version": SCHEMA_VERSION,
            "correlation_id": correlation_id or new_correlation_id(),
        }
        if resource is not None:
            event["resource_type"] = resource.type
            event["resource_id"] = resource.id
        return event
