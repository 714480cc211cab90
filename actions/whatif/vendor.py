"""A vendor's breaker in a replay: the same answers as `safety.breaker`, at a tenth of its cost.

While closed, the window is kept as running sums instead of being summed up anew for each event;
every other state is the pure machine's. A property test compares the two.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from safety.breaker import Breaker, BreakerPolicy, Outcome, as_of, record


class ReplayedBreaker:
    """Fed with outcomes in order of time; starts closed."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self.breaker = Breaker()
        self._window: deque[list[int]] = deque()  # [second, calls, failures]
        self._calls = self._failures = 0

    def state_at(self, now: datetime) -> Breaker:
        """What events and time have made of it; the window of a closed one is not shown."""
        if self.breaker.state != "closed":
            self.breaker = as_of(self.breaker, self.policy, now)
        return self.breaker

    def record(self, outcome: Outcome, at: datetime) -> None:
        """Count how one call ended."""
        if self.breaker.state == "closed":
            self._count(outcome != "success", at)
            return
        self.breaker = record(self.breaker, self.policy, outcome, at)
        if self.breaker.state == "closed":
            self._forget()

    def _count(self, failed: bool, at: datetime) -> None:
        if self.breaker.since is not None and at < self.breaker.since:
            return
        window, second = self._window, int(at.timestamp())
        if window and window[-1][0] >= second:
            slot = window[-1]
        else:
            slot = [second, 0, 0]
            window.append(slot)
        slot[1] += 1
        slot[2] += failed
        self._calls += 1
        self._failures += failed
        oldest = slot[0] - self.policy.window_seconds
        while window[0][0] <= oldest:
            _, calls, failures = window.popleft()
            self._calls -= calls
            self._failures -= failures
        policy, bad = self.policy, self._failures
        if bad < policy.failure_threshold or self._calls < policy.minimum_calls:
            return
        if bad >= policy.failure_ratio * self._calls:
            self.breaker = Breaker("open", at)
            self._forget()

    def _forget(self) -> None:
        self._window.clear()
        self._calls = self._failures = 0
