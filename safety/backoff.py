"""When to try again. [S2]

Capped exponential, linear or fixed delays, of which a share is random so that many runs that failed
together do not return together: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
2015. A `jitter_ratio` of 1 is his "full jitter", 0.5 his "equal jitter".
"""

from dataclasses import dataclass
from math import log

from safety.rule_types import RetryPolicy


@dataclass(frozen=True, slots=True)
class Band:
    """Between which delays (seconds after the attempt before) an attempt starts."""

    attempt: int
    earliest_seconds: float
    latest_seconds: float


def delay_seconds(policy: RetryPolicy, attempt: int, jitter: float) -> float:
    """Seconds to wait before `attempt` (1 is the first retry).

    `jitter` is a random number, 0 ≤ it < 1: 0 gives the whole delay, 1 would take the policy's
    random share off. Never negative, never over `max_delay_seconds`; 0.0 for kind `none`.
    Raises ValueError for an attempt below 1 or a jitter out of range.
    """
    if attempt < 1:
        raise ValueError(f"Attempts count from 1, not {attempt}.")
    if not 0.0 <= jitter < 1.0:
        raise ValueError(f"Jitter must be at least 0 and below 1, not {jitter}.")
    return _whole_delay(policy, attempt) * (1.0 - policy.jitter_ratio * jitter)


def band(policy: RetryPolicy, attempt: int) -> Band:
    """What `delay_seconds` may come to for `attempt` (1 is the first retry)."""
    whole = _whole_delay(policy, attempt)
    return Band(attempt, whole * (1.0 - policy.jitter_ratio), whole)


def schedule(policy: RetryPolicy) -> tuple[Band, ...]:
    """The band of every attempt the policy allows; empty for kind `none`."""
    attempts = range(1, policy.max_retries + 1) if policy.retryable else ()
    return tuple(band(policy, n) for n in attempts)


def _whole_delay(policy: RetryPolicy, attempt: int) -> float:
    """The delay before jitter."""
    first, longest = policy.initial_delay_seconds, policy.max_delay_seconds
    if policy.kind == "none":
        return 0.0
    if policy.kind == "exponential":
        return _exponential(first, longest, policy.multiplier, attempt - 1)
    return min(longest, first * attempt if policy.kind == "linear" else first)


def _exponential(first: float, longest: float, multiplier: float, steps: int) -> float:
    """The first delay times multiplier ** steps, capped before the power can overflow."""
    if first <= 0.0 or first >= longest:
        return min(max(first, 0.0), longest)
    if multiplier > 1.0 and steps >= log(longest / first) / log(multiplier):
        return longest
    return min(longest, first * multiplier**steps) if multiplier > 1.0 else first
