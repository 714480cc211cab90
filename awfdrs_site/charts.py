"""Figures over time for the overview. Pure: counts and `now` in, points and sentences out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypedDict


@dataclass(frozen=True)
class Range:
    """A stretch of time up to now, cut into equal steps."""

    key: str
    words: str
    step: timedelta
    steps: int
    step_words: str

    @property
    def span(self) -> timedelta:
        return self.step * self.steps

    def start(self, now: datetime) -> datetime:
        """Where the first step begins: steps start on round times, and now is in the last one.

        So a chart that is read again a moment later has the same points.
        """
        step = self.step.total_seconds()
        last = datetime.fromtimestamp(now.timestamp() // step * step, UTC)
        return last - self.step * (self.steps - 1)


RANGES = {
    r.key: r
    for r in (
        Range("1h", "hour", timedelta(minutes=1), 60, "1 min"),
        Range("12h", "12 hours", timedelta(minutes=10), 72, "10 min"),
        Range("7d", "7 days", timedelta(hours=2), 84, "2 h"),
    )
}
DEFAULT_RANGE = RANGES["1h"]


class Point(TypedDict):
    """One step: what came in, what of it was a failure, and how many incidents recovered alone."""

    at: datetime
    events: int
    failed: int
    recovered: int


def points_of(
    rng: Range,
    now: datetime,
    events: Iterable[tuple[datetime, int, int]],
    recovered: Iterable[tuple[datetime, int]],
) -> list[Point]:
    """Every step of the range, oldest first, quiet ones too.

    `events`: (start of the step, events, failures); `recovered`: (start of the step, incidents).
    """
    start = rng.start(now)
    points = [
        Point(at=start + rng.step * i, events=0, failed=0, recovered=0) for i in range(rng.steps)
    ]
    for at, count, failed in events:
        point = points[_index(rng, start, at)]
        point["events"] += count
        point["failed"] += failed
    for at, count in recovered:
        points[_index(rng, start, at)]["recovered"] += count
    return points


def _index(rng: Range, start: datetime, at: datetime) -> int:
    # What was stamped while the page was made belongs to the last step.
    return max(0, min((at - start) // rng.step, rng.steps - 1))


def finding(rng: Range, points: Sequence[Point], zone: tzinfo = UTC) -> str:
    """The chart in one sentence, for who cannot see it."""
    total = sum(point["events"] for point in points)
    failed = sum(point["failed"] for point in points)
    if not total:
        return f"No event in the last {rng.words}."
    events = f"{total:,} event{'' if total == 1 else 's'}"
    said = f"{events} in the last {rng.words}, {share(failed, total):.1f}% failing"
    if not failed:
        return said + "."
    worst = max(points, key=lambda point: point["failed"])
    at = worst["at"].astimezone(zone)
    moment = f"{at:%H:%M %Z}" if rng.span <= timedelta(days=1) else f"{at:%-d %b %H:%M %Z}"
    return f"{said}; most failures, {worst['failed']:,}, from {moment}."


def share(part: float, whole: float) -> float:
    """`part` of `whole` in percent; 0 without a whole."""
    return 100 * part / whole if whole else 0.0


def difference(now: float | None, before: float | None) -> float | None:
    """How much a figure rose; None while one of the two is unknown."""
    return None if now is None or before is None else now - before


def rate_figures(
    points: Sequence[Point], recent: int, elapsed: timedelta, lag: timedelta | None
) -> dict[str, object]:
    """Events a minute over the last `recent` points, the share of failures, and the lag.

    `points` are minutes, oldest first; `elapsed` is how much of the last has passed.
    """
    last = points[-recent:]
    events, failed = sum(p["events"] for p in last), sum(p["failed"] for p in last)
    rate = events / (recent - 1 + elapsed / timedelta(minutes=1))
    return {
        "per_minute": round(rate) if rate >= 10 else round(rate, 1),
        "failing": share(failed, events),
        "trend": [point["events"] for point in points],
        "lag_seconds": None if lag is None else max(0.0, lag.total_seconds()),
    }
