"""What one action did for one signature, and how much that proves. Pure. [D5]

The interval is Wilson's score interval (E. B. Wilson, "Probable Inference, the Law of Succession,
and Statistical Inference", JASA 22, 1927), for 90 %: of a few runs it says little, and it never
leaves 0 to 1. Docs: docs/learning.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from statistics import median

NORMAL_90 = 1.645
RETRY = "retry"
# What was tried where a case was held back: nothing, to see what heals alone.
WAIT = "wait"
# Results that count as a failure of the action: it failed, it did not last, it was taken back.
BAD = ("failed", "recurred", "reversed")


def tried(plan: str = "") -> str:
    """The name under which it is remembered what was tried: the plan, or a retry."""
    return f"plan:{plan}" if plan else RETRY


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How an action ended for a signature before.

    `failed`: all runs that were no success, of which `recurred` came back after they had worked and
    `reversed` were taken back. `rejected`: a person said no, so nothing ran.
    """

    succeeded: int = 0
    failed: int = 0
    rejected: int = 0
    recurred: int = 0
    reversed: int = 0
    median_seconds: float | None = None

    @classmethod
    def of(cls, ended: Iterable[tuple[str, float | None]]) -> Outcomes:
        """From stored results and the seconds each success took."""
        rows = list(ended)
        counts = Counter(result for result, _ in rows)
        seconds = [took for result, took in rows if result == "succeeded" and took is not None]
        return cls(
            succeeded=counts["succeeded"],
            failed=sum(counts[result] for result in BAD),
            rejected=counts["rejected"],
            recurred=counts["recurred"],
            reversed=counts["reversed"],
            median_seconds=round(median(seconds), 3) if seconds else None,
        )

    @property
    def runs(self) -> int:
        return self.succeeded + self.failed

    def bounds(self) -> tuple[float, float]:
        """Between which shares of success the action is, 90 % sure."""
        return wilson(self.succeeded, self.runs)


NO_HISTORY = Outcomes()


def wilson(successes: float, runs: float) -> tuple[float, float]:
    """The 90 % interval of the share `successes / runs`; 0 to 1 where nothing ran.

    Both may be fractions: runs that count for less than one.
    """
    if runs <= 0:
        return 0.0, 1.0
    share, square = successes / runs, NORMAL_90**2
    middle = (successes + square / 2) / (runs + square)
    half = NORMAL_90 * sqrt(successes * (1 - share) + square / 4) / (runs + square)
    # At 0 and 1 the bound is the share itself, which rounding may miss by a hair.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def words_of(past: Outcomes) -> str:
    """`It worked 9 of 10 times for this signature (90 % sure: 0.65 to 0.98), in 42 s by the middle,
    came back once`; empty where nothing ran."""
    if not past.runs:
        return ""
    low, high = past.bounds()
    sure = f"90 % sure: {low:.2f} to {high:.2f}"
    words = [f"It worked {past.succeeded} of {past.runs} times for this signature ({sure})"]
    if past.median_seconds is not None:
        words.append(f"in {_duration(past.median_seconds)} by the middle")
    if past.recurred:
        words.append(f"came back {_times(past.recurred)}")
    if past.reversed:
        words.append(f"was taken back {_times(past.reversed)}")
    return ", ".join(words)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes else f"{rest} s"
