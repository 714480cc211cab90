"""What changed, held until it may be shown: at once after a quiet time, else at a window's end.

Pure: times are seconds of one clock, given by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Everything may have changed: too much to name, or nobody knows what was missed.
EVERYTHING = ""

# Keys by topic, in the order in which they first changed; "" where no row is meant.
Changes = dict[str, dict[str, None]]


@dataclass
class Windows:
    """Per tenant, changes are taken at most once in `seconds`; within them, one of a row is one of
    many. Over `most` changes of a tenant they become EVERYTHING."""

    seconds: float
    most: int
    _changes: dict[str, Changes] = field(default_factory=dict)
    _next: dict[str, float] = field(default_factory=dict)

    def add(self, tenant: str, topic: str, key: str) -> None:
        """A row changed, or `topic` is EVERYTHING."""
        changes = self._changes.setdefault(tenant, {})
        if EVERYTHING in changes:
            return
        changes.setdefault(topic, {})[key] = None
        if topic == EVERYTHING or sum(map(len, changes.values())) > self.most:
            self._changes[tenant] = {EVERYTHING: {}}

    def due_at(self) -> float | None:
        """When `take` has something next; None while nothing waits, the past for at once."""
        return min((self._next.get(tenant, 0.0) for tenant in self._changes), default=None)

    def take(self, now: float) -> dict[str, Changes]:
        """The changes of the tenants whose window is over; their next window begins."""
        self._next = {tenant: at for tenant, at in self._next.items() if at > now}
        taken = {t: changes for t, changes in self._changes.items() if t not in self._next}
        for tenant in taken:
            del self._changes[tenant]
            self._next[tenant] = now + self.seconds
        return taken
