"""Turns runs into events and hands them to the sender."""

import random
from typing import Any

from simulator.delivery import Delivery
from simulator.events import EventFactory
from simulator.scenario import Change
from simulator.sender import Sender
from simulator.troubles import FailedItem
from simulator.workflows import Resource, Workflow


class Reporter:
    """Posts what happened to runs: success, failure, change."""

    def __init__(self, factory: EventFactory, sender: Sender, rng: random.Random) -> None:
        self._factory = factory
        self._sender = sender
        self._rng = rng

    def succeeded(
        self,
        workflow: Workflow,
        resource: Resource,
        *,
        correlation_id: str | None = None,
        attempt: int = 1,
        details: dict[str, Any] | None = None,
    ) -> Delivery:
        """Post that a run of `workflow` on `resource` succeeded, at its `attempt`-th try."""
        payload: dict[str, Any] = {
            "vendor": workflow.vendor,
            "duration_ms": self._rng.randint(*workflow.duration_ms),
            "attempt": attempt,
            "details": details if details is not None else workflow.details(self._rng),
        }
        return self._sender.submit(
            self._factory.build(
                workflow.id,
                workflow.succeeded_type,
                payload,
                resource=resource,
                correlation_id=correlation_id,
            )
        )

    def failed(self, item: FailedItem) -> Delivery:
        """Post that the item's run failed; its attempt is one more than its retries so far."""
        failure = item.failure
        duration_ms = self._rng.randint(*failure.duration_ms)
        payload: dict[str, Any] = {
            "error_message": self._message(item, duration_ms),
            "severity": failure.severity,
            "duration_ms": duration_ms,
            "attempt": item.retries + 1,
            "details": item.details,
        }
        if failure.error_code:
            payload["error_code"] = failure.error_code
        if failure.vendor:
            payload["vendor"] = failure.vendor
        if failure.stack:
            payload["stack"] = failure.stack
        return self._sender.submit(
            self._factory.build(
                item.workflow.id,
                failure.event_type or item.workflow.failed_type,
                payload,
                resource=item.resource,
                correlation_id=item.correlation_id,
            )
        )

    def changed(self, workflow: Workflow, change: Change) -> Delivery:
        """Post a change event, such as a deployment, of `workflow`."""
        return self._sender.submit(
            self._factory.build(workflow.id, change.event_type, change.payload)
        )

    def _message(self, item: FailedItem, duration_ms: int) -> str:
        return self._rng.choice(item.failure.messages).format(
            resource_id=item.resource.id,
            cause_id=item.cause.resource.id if item.cause else "",
            duration_ms=duration_ms,
            attempt=item.retries + 1,
            request_id=f"req_{self._rng.getrandbits(56):014x}",
            wait=self._rng.choice((5, 10, 30)),
            pid=self._rng.randint(1_000, 32_000),
            transaction=self._rng.randint(700_000, 990_000),
        )
