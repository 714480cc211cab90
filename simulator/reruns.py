"""Takes retry requests in exactly once per idempotency key, runs the items again, reports."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from simulator.ledger import Ledger
from simulator.reporter import Reporter
from simulator.retry_protocol import RetryRequest
from simulator.scheduler import Scheduler
from simulator.sender import SenderStoppedError
from simulator.troubles import FailedItem, Troubles
from simulator.workflows import Resource, Workflow

# An idempotency key is honoured for a day, as payment vendors do.
KEY_RETENTION_SECONDS = 86_400.0


class Admission(StrEnum):
    """What became of a retry request."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


class RerunStatus(StrEnum):
    """Where an accepted retry stands, as the status address answers it."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass
class Rerun:
    """One accepted retry; `received_at` in monotonic seconds."""

    request: RetryRequest
    received_at: float
    status: RerunStatus = RerunStatus.ACCEPTED


class Reruns:
    """The engine's side of the retry protocol; thread-safe."""

    def __init__(
        self, troubles: Troubles, reporter: Reporter, scheduler: Scheduler, ledger: Ledger
    ) -> None:
        self._troubles = troubles
        self._reporter = reporter
        self._scheduler = scheduler
        self._ledger = ledger
        self._lock = threading.Lock()
        self._by_key: OrderedDict[str, Rerun] = OrderedDict()
        # An item must not run twice at the same time, or it could be healed twice.
        self._running = threading.Lock()

    def admit(
        self, request: RetryRequest, *, delay_seconds: float, honour_idempotency: bool = True
    ) -> Admission:
        """Take a request in; only ACCEPTED leads to a run, `delay_seconds` later.

        The key is looked up and stored under one lock: of simultaneous equal requests one runs.
        """
        rerun = Rerun(request, received_at=time.monotonic())
        with self._lock:
            self._forget_old(rerun.received_at)
            known = self._by_key.get(request.key)
            if known is not None and honour_idempotency:
                same = known.request.fingerprint == request.fingerprint
                return Admission.DUPLICATE if same else Admission.CONFLICT
            self._by_key[request.key] = rerun
        self._scheduler.call_later(delay_seconds / 2, lambda: self._begin(rerun, delay_seconds / 2))
        return Admission.ACCEPTED

    def status(self, key: str) -> RerunStatus | None:
        """Where the retry with this key stands; None when it was never received."""
        with self._lock:
            rerun = self._by_key.get(key)
            return rerun.status if rerun else None

    def rerun_items(self, items: list[FailedItem]) -> bool:
        """Run failed items again now and report each; True when all succeeded.

        Causes run before what they caused. An item that healed meanwhile is not run again.
        """
        with self._running:
            causes_first = sorted(items, key=lambda item: item.cause is not None)
            # Not all() over a generator: that would stop at the first item that fails again.
            results = [self._rerun_item(item) for item in causes_first]
        return all(results)

    def _forget_old(self, now: float) -> None:
        while self._by_key:
            key, oldest = next(iter(self._by_key.items()))
            if now - oldest.received_at < KEY_RETENTION_SECONDS:
                return
            del self._by_key[key]

    def _begin(self, rerun: Rerun, duration_seconds: float) -> None:
        rerun.status = RerunStatus.RUNNING
        self._scheduler.call_later(duration_seconds, lambda: self._execute(rerun))

    def _execute(self, rerun: Rerun) -> None:
        request = rerun.request
        self._ledger.execute(request.key)
        try:
            succeeded = self._run(request)
        except SenderStoppedError:
            return
        rerun.status = RerunStatus.SUCCEEDED if succeeded else RerunStatus.FAILED

    def _run(self, request: RetryRequest) -> bool:
        if not request.resources:
            return self.rerun_items(self._troubles.failed(request.workflow))
        items = []
        for resource in request.resources:
            item = self._troubles.find(request.workflow, resource)
            if item is None:
                self._run_unknown(request, resource)
            else:
                items.append(item)
        return self.rerun_items(items)

    def _run_unknown(self, request: RetryRequest, resource: Resource) -> None:
        """An item of before the engine's restart: nothing is known to be wrong with it now."""
        self._count(request.workflow, resource)
        self._reporter.succeeded(
            request.workflow,
            resource,
            correlation_id=request.correlation_id,
            attempt=request.attempt + 1,
        )

    def _rerun_item(self, item: FailedItem) -> bool:
        if not item.healed:
            self._count(item.workflow, item.resource)
            if not item.rerun(time.monotonic()):
                self._reporter.failed(item)
                return False
        self._reporter.succeeded(
            item.workflow,
            item.resource,
            correlation_id=item.correlation_id,
            attempt=item.retries + 1,
            details=item.details,
        )
        return True

    def _count(self, workflow: Workflow, resource: Resource) -> None:
        self._ledger.run_item(workflow.name, resource.type, resource.id)
