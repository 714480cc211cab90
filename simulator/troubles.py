"""What is broken in the engine right now: troubles, and the items that failed by them."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from simulator.scenario import Failure, Scenario
from simulator.workflows import Resource, Workflow

# Old items are forgotten beyond this; a retry of a forgotten item runs like a healthy one.
MAX_ITEMS = 20_000


@dataclass
class Trouble:
    """One playing of a scenario. `ends_at` is monotonic seconds, None while no end is known;
    `retries_needed` is how many retries heal an item, None when retries alone never do."""

    scenario: Scenario
    ends_at: float | None = None
    retries_needed: int | None = None
    items: list["FailedItem"] = field(default_factory=list, repr=False)

    def over(self, now: float) -> bool:
        """Whether the trouble itself has ended, whatever retries do."""
        return self.ends_at is not None and now >= self.ends_at


@dataclass
class FailedItem:
    """One run that failed: it succeeds at the `retries_needed`-th retry (None: retries alone never
    help), or once its trouble is over, or once the item that caused it has healed."""

    workflow: Workflow
    resource: Resource
    failure: Failure
    correlation_id: str
    trouble: Trouble
    details: dict[str, Any]
    retries_needed: int | None = None
    cause: "FailedItem | None" = None
    retries: int = 0
    healed: bool = False

    def rerun(self, now: float) -> bool:
        """Run it once more at monotonic time `now`; True when that run succeeds."""
        self.retries += 1
        by_retry = self.retries_needed is not None and self.retries >= self.retries_needed
        by_cause = self.cause is not None and self.cause.healed
        self.healed = by_retry or by_cause or self.trouble.over(now)
        return self.healed


class Troubles:
    """All failed items by workflow and resource, and the outages going on; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: OrderedDict[tuple[str, Resource], FailedItem] = OrderedDict()
        self._outages: list[Trouble] = []

    def add(self, item: FailedItem) -> None:
        """Remember a failed item; a newer failure of the same resource takes its place."""
        with self._lock:
            item.trouble.items.append(item)
            self._items[(item.workflow.name, item.resource)] = item
            if len(self._items) > MAX_ITEMS:
                self._items.popitem(last=False)

    def find(self, workflow: Workflow, resource: Resource) -> FailedItem | None:
        """The item that failed with this resource, healed or not."""
        with self._lock:
            return self._items.get((workflow.name, resource))

    def failed(self, workflow: Workflow | None = None) -> list[FailedItem]:
        """The items still failed, of one workflow or of all, oldest first."""
        with self._lock:
            return [
                item
                for item in self._items.values()
                if not item.healed and (workflow is None or item.workflow.name == workflow.name)
            ]

    def begin_outage(self, trouble: Trouble) -> None:
        """From now all runs with the failure's vendor fail, until the trouble is over."""
        with self._lock:
            self._outages.append(trouble)

    def outage_of(self, vendor: str, now: float) -> Trouble | None:
        """The outage this vendor has at monotonic time `now`, if any."""
        with self._lock:
            self._outages = [trouble for trouble in self._outages if not trouble.over(now)]
            return next((t for t in self._outages if t.scenario.failure.vendor == vendor), None)

    def outages(self, now: float) -> list[str]:
        """The vendors that are down at monotonic time `now`."""
        with self._lock:
            vendors = {
                trouble.scenario.failure.vendor or ""
                for trouble in self._outages
                if not trouble.over(now)
            }
        return sorted(vendors)

    def end_outages(self, vendor: str, now: float) -> int:
        """End the vendor's outages at monotonic time `now`; how many there were."""
        with self._lock:
            ended = [t for t in self._outages if t.scenario.failure.vendor == vendor]
            for trouble in ended:
                trouble.ends_at = now
            self._outages = [t for t in self._outages if t not in ended]
        return len(ended)
