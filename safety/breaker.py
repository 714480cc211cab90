"""The circuit breaker of a vendor, with the states of resilience4j. Pure [S3 P10].

    closed       calls pass and are counted in a sliding window of whole seconds
    open         nothing passes until `open_seconds` are over
    half_open    `half_open_probes` calls pass on leases; all of them must succeed
    forced_open  a person keeps it open until a person says otherwise
    disabled     a person lets everything pass; nothing is counted

`open` becomes `half_open` by the clock alone: the step is computed from the instant, so it needs no
traffic and no timer. A person who does not want to wait asks for the probes at once. A probe
whose caller never reports back loses its lease, and another may go. What happened before the state
began says nothing about it: late reports never move it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

State = Literal["closed", "open", "half_open", "forced_open", "disabled"]
Outcome = Literal["success", "failure", "slow"]

TRANSITIONS: dict[State, frozenset[State]] = {
    "closed": frozenset({"open", "forced_open", "disabled"}),
    "open": frozenset({"closed", "half_open", "forced_open", "disabled"}),
    "half_open": frozenset({"closed", "open", "forced_open", "disabled"}),
    "forced_open": frozenset({"closed", "open", "disabled"}),
    "disabled": frozenset({"closed", "open", "forced_open"}),
}
PASSING: frozenset[State] = frozenset({"closed", "disabled"})
SHUT: frozenset[State] = frozenset({"open", "forced_open"})


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When it opens: `failure_threshold` failures among at least `minimum_calls` calls of the last
    `window_seconds`, and at least `failure_ratio` of them. A call of `slow_call_ms` or more counts
    as a failure (0: none is slow). `probe_seconds`: how long a probe may take to report back.
    """

    failure_threshold: int = 10
    window_seconds: int = 60
    minimum_calls: int = 1
    failure_ratio: float = 0.5
    slow_call_ms: int = 0
    open_seconds: int = 300
    half_open_probes: int = 3
    probe_seconds: int = 120


@dataclass(frozen=True, slots=True)
class Second:
    """What was reported in one second. `at`: Unix time; slow calls are not among `failures`."""

    at: int
    calls: int
    failures: int
    slow: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of `holder` to make one call while half-open, and how long it counts as out."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Breaker:
    """`since`: when the state began; None if it never changed. `passed`: probes that succeeded."""

    state: State = "closed"
    since: datetime | None = None
    seconds: tuple[Second, ...] = ()
    leases: tuple[Lease, ...] = ()
    passed: int = 0

    def to_json(self) -> dict[str, Any]:
        """What is not a column of its own: the window, the leases, the probes that passed."""
        return {
            "seconds": [[s.at, s.calls, s.failures, s.slow] for s in self.seconds],
            "leases": [[lease.holder, lease.until.isoformat()] for lease in self.leases],
            "passed": self.passed,
        }

    @classmethod
    def from_json(cls, state: State, since: datetime | None, data: dict[str, Any]) -> Breaker:
        return cls(
            state,
            since,
            tuple(Second(*numbers) for numbers in data.get("seconds", ())),
            tuple(
                Lease(holder, datetime.fromisoformat(until))
                for holder, until in data.get("leases", ())
            ),
            data.get("passed", 0),
        )


@dataclass(frozen=True, slots=True)
class Permit:
    """May one call be made? `retry_after_seconds`: when to ask again, if not.

    `lease`: the probe that the asker now holds, only while half-open.
    """

    allowed: bool
    state: State
    retry_after_seconds: int | None = None
    lease: Lease | None = None


def half_open_at(breaker: Breaker, policy: BreakerPolicy) -> datetime | None:
    """When an open breaker lets probes through; None unless it is open since a known time."""
    if breaker.state != "open" or breaker.since is None:
        return None
    return breaker.since + timedelta(seconds=policy.open_seconds)


def as_of(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> Breaker:
    """What time alone has made of it: half-open when due, without expired leases."""
    due = half_open_at(breaker, policy)
    if due is not None and now >= due:
        return Breaker("half_open", due)
    if any(lease.until <= now for lease in breaker.leases):
        return replace(breaker, leases=tuple(x for x in breaker.leases if x.until > now))
    return breaker


def probes_free(breaker: Breaker, policy: BreakerPolicy) -> int:
    """How many more calls may be made while half-open (`breaker` as of now)."""
    if breaker.state != "half_open":
        return 0
    return max(0, policy.half_open_probes - breaker.passed - len(breaker.leases))


def permit(
    breaker: Breaker, policy: BreakerPolicy, now: datetime, holder: str = ""
) -> tuple[Breaker, Permit]:
    """May `holder` call the vendor now? While half-open it takes a probe, once however often asked.

    Without a holder it only looks and takes none.
    """
    breaker = as_of(breaker, policy, now)
    state = breaker.state
    if state in PASSING:
        return breaker, Permit(True, state)
    if state != "half_open":
        due = half_open_at(breaker, policy)
        wait = _seconds_until(due, now) if due else policy.open_seconds
        return breaker, Permit(False, state, max(1, wait))
    held = next((lease for lease in breaker.leases if holder and lease.holder == holder), None)
    if held is not None:
        return breaker, Permit(True, state, lease=held)
    if not probes_free(breaker, policy):
        first = min((lease.until for lease in breaker.leases), default=now)
        return breaker, Permit(False, state, _seconds_until(first, now))
    if not holder:
        return breaker, Permit(True, state)
    lease = Lease(holder, now + timedelta(seconds=policy.probe_seconds))
    return replace(breaker, leases=(*breaker.leases, lease)), Permit(True, state, lease=lease)


def _seconds_until(then: datetime, now: datetime) -> int:
    """Whole seconds after which `then` is over for sure; at least 1."""
    return max(1, int((then - now).total_seconds()) + 1)


def record(
    breaker: Breaker, policy: BreakerPolicy, outcome: Outcome, at: datetime, holder: str = ""
) -> Breaker:
    """Count how one call ended at `at`. While half-open it settles the holder's probe.

    A report without a probe of its own settles the oldest one out: somebody's call came back.
    """
    if breaker.since is not None and at < breaker.since:
        return breaker
    breaker = as_of(breaker, policy, at)
    if breaker.state == "closed":
        breaker = replace(breaker, seconds=_counted(breaker.seconds, policy, outcome, at))
        window = _sum(breaker.seconds, int(at.timestamp()))
        return Breaker("open", at) if too_many(window, policy) else breaker
    if breaker.state != "half_open":
        return breaker
    if outcome != "success":
        return Breaker("open", at)
    passed = breaker.passed + 1
    if passed >= policy.half_open_probes:
        return Breaker("closed", at)
    mine = [lease for lease in breaker.leases if lease.holder == holder]
    settled = (mine or list(breaker.leases))[:1]
    left = tuple(lease for lease in breaker.leases if lease not in settled)
    return replace(breaker, leases=left, passed=passed)


def give_back(breaker: Breaker, holder: str) -> Breaker:
    """Free the holder's probe: its call said nothing about the vendor, or was never made."""
    return replace(breaker, leases=tuple(x for x in breaker.leases if x.holder != holder))


def holds(breaker: Breaker, holder: str) -> bool:
    return any(lease.holder == holder for lease in breaker.leases)


def force(breaker: Breaker, to: State, now: datetime) -> Breaker:
    """A person's word: trip, reset, probe, keep open, let pass. Window and probes are forgotten.

    The state it is in already stays as it is. Raises ValueError for a step not in TRANSITIONS.
    """
    if to == breaker.state:
        return breaker
    if to not in TRANSITIONS[breaker.state]:
        raise ValueError(f"{breaker.state} to {to}")
    return Breaker(to, now)


def steps_by_hand(state: State) -> list[State]:
    """What a person may set a breaker to that is in `state` now, in the order of TRANSITIONS."""
    return sorted(TRANSITIONS[state], key=list(TRANSITIONS).index)


def in_window(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> Second:
    """The sum of the window that ends at `now` (its `at`)."""
    start = window_start(now, policy).timestamp()
    return _sum([s for s in breaker.seconds if s.at >= start], int(now.timestamp()))


def window_start(at: datetime, policy: BreakerPolicy) -> datetime:
    """The first instant of the window that ends at `at`; it is whole seconds."""
    return at.replace(microsecond=0) - timedelta(seconds=policy.window_seconds - 1)


def _sum(seconds: Iterable[Second], at: int) -> Second:
    calls = failures = slow = 0
    for second in seconds:
        calls += second.calls
        failures += second.failures
        slow += second.slow
    return Second(at, calls, failures, slow)


def _counted(
    seconds: tuple[Second, ...], policy: BreakerPolicy, outcome: Outcome, at: datetime
) -> tuple[Second, ...]:
    second = int(at.timestamp())
    by_second = {s.at: s for s in seconds}
    old = by_second.get(second, Second(second, 0, 0))
    by_second[second] = Second(
        second,
        old.calls + 1,
        old.failures + (outcome == "failure"),
        old.slow + (outcome == "slow"),
    )
    oldest = max(by_second) - policy.window_seconds
    return tuple(by_second[key] for key in sorted(by_second) if key > oldest)


def too_many(window: Second, policy: BreakerPolicy) -> bool:
    """Whether the window (its sum), which ends at the latest report, opens a closed breaker."""
    bad = window.failures + window.slow
    if bad < policy.failure_threshold or window.calls < policy.minimum_calls:
        return False
    return bad >= policy.failure_ratio * window.calls


def spread(count: int, per_second: float, chances: list[float]) -> list[float]:
    """Seconds from now for `count` starts, with jitter: no second holds more than `per_second`.

    `chances`: a random number from 0 to 1 for each. Gaps are at least one slot, at most one and a
    half, so that those who come back do not march in step.
    """
    at, starts = 0.0, []
    for chance in chances[:count]:
        starts.append(at)
        at += (1 + chance / 2) / per_second
    return starts
