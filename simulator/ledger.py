"""What the retry endpoint received and what was really run: the drill's evidence."""

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

MAX_ENTRIES = 50_000


@dataclass
class Entry:
    """One request received at the retry endpoint. `answer` is the HTTP status sent, None while it
    is not answered and for a dropped connection; `fault` names the fault that was injected."""

    number: int
    at: str
    method: str
    path: str
    key: str
    verdict: str = "received"
    detail: str = ""
    fault: str | None = None
    answer: int | None = None
    request: dict[str, Any] | None = None


@dataclass
class Ledger:
    """Append-only, thread-safe; keeps the newest MAX_ENTRIES requests, counts of all."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    _received: int = 0
    _executions: Counter[str] = field(default_factory=Counter)
    _item_runs: Counter[str] = field(default_factory=Counter)

    def receive(self, method: str, path: str, key: str) -> Entry:
        """Note a request before anything is done with it."""
        with self._lock:
            self._received += 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            entry = Entry(self._received, now, method, path, key)
            self._entries.append(entry)
            return entry

    def execute(self, key: str) -> None:
        """Count one actual execution for this idempotency key."""
        with self._lock:
            self._executions[key] += 1

    def run_item(self, workflow: str, resource_type: str, resource_id: str) -> None:
        """Count one actual re-run of one item."""
        with self._lock:
            self._item_runs[f"{workflow}/{resource_type}/{resource_id}"] += 1

    def total_executions(self) -> int:
        """How many retries were really run."""
        with self._lock:
            return self._executions.total()

    def snapshot(self, key: str | None = None) -> dict[str, Any]:
        """Plain data: the requests (of one key, or all), executions by key, runs by item."""
        with self._lock:
            chosen = [entry for entry in self._entries if key is None or entry.key == key]
            executions = dict(self._executions)
            item_runs = dict(self._item_runs)
            received = self._received
        if key is not None:
            executions = {key: executions.get(key, 0)}
        verdicts = Counter(f"{entry.method} {entry.verdict}" for entry in chosen)
        return {
            "received": received,
            "verdicts": dict(verdicts),
            "executions": executions,
            "executed_more_than_once": sorted(k for k, n in executions.items() if n > 1),
            "item_runs": item_runs,
            "requests": [asdict(entry) for entry in chosen],
        }
