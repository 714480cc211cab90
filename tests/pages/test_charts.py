"""The overview's pure figures: points on round steps, and a sentence that says the finding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awfdrs_site.charts import RANGES, Point, difference, finding, points_of, rate_figures, share

NOW = datetime(2026, 3, 4, 10, 7, 31, tzinfo=UTC)
times = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(times, st.sampled_from(sorted(RANGES)))
def test_it_ends_every_range_with_now(now: datetime, key: str) -> None:
    """The last step holds now, and the first starts a whole range before its end."""
    rng = RANGES[key]
    start = rng.start(now)
    last = start + rng.step * (rng.steps - 1)
    assert last <= now < last + rng.step
    assert start.timestamp() % rng.step.total_seconds() == 0


@given(
    times,
    st.sampled_from(sorted(RANGES)),
    st.lists(st.tuples(st.integers(0, 83), st.integers(0, 99), st.integers(0, 99))),
)
def test_it_loses_no_count(now: datetime, key: str, rows: list[tuple[int, int, int]]) -> None:
    """Whatever the database grouped stands in exactly one point; quiet steps are there too."""
    rng = RANGES[key]
    start = rng.start(now)
    events = [(start + rng.step * step, count, failed) for step, count, failed in rows]
    points = points_of(rng, now, events, [(at, count) for at, count, _ in events])
    assert len(points) == rng.steps
    assert [p["at"] for p in points] == [start + rng.step * i for i in range(rng.steps)]
    assert sum(p["events"] for p in points) == sum(count for _, count, _ in rows)
    assert sum(p["failed"] for p in points) == sum(failed for _, _, failed in rows)
    assert sum(p["recovered"] for p in points) == sum(count for _, count, _ in rows)


def point(at: datetime, events: int, failed: int) -> Point:
    return Point(at=at, events=events, failed=failed, recovered=0)


@pytest.mark.parametrize(
    ("key", "counts", "sentence"),
    [
        ("1h", [], "No event in the last hour."),
        ("1h", [(1, 0)], "1 event in the last hour, 0.0% failing."),
        (
            "12h",
            [(900, 1), (1100, 9)],
            "2,000 events in the last 12 hours, 0.5% failing; most failures, 9, from 10:08 UTC.",
        ),
        (
            "7d",
            [(3, 3)],
            "3 events in the last 7 days, 100.0% failing; most failures, 3, from 4 Mar 10:07 UTC.",
        ),
    ],
)
def test_it_says_the_finding(key: str, counts: list[tuple[int, int]], sentence: str) -> None:
    points = [
        point(NOW + timedelta(minutes=i), events, failed)
        for i, (events, failed) in enumerate(counts)
    ]
    assert finding(RANGES[key], points) == sentence


def test_it_gives_rates_of_the_last_minutes() -> None:
    """The mean of the last five minutes, of which the running one has come half its way."""
    now = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)

    def figures(*minutes: tuple[int, int, int], lag: float | None = None) -> dict[str, Any]:
        rng = RANGES["1h"]
        steps = [(rng.start(now) + rng.step * i, events, failed) for i, events, failed in minutes]
        late = None if lag is None else timedelta(seconds=lag)
        return rate_figures(points_of(rng, now, steps, []), 5, timedelta(seconds=30), late)

    busy = figures((0, 600, 600), (54, 1, 1), (57, 20, 5), (59, 70, 40), lag=2)
    assert (busy["per_minute"], busy["failing"], busy["lag_seconds"]) == (20, 50.0, 2.0)
    trend = busy["trend"]
    assert (len(trend), trend[0], trend[58], trend[59]) == (60, 600, 0, 70)
    slow = figures((59, 1, 0), lag=-3)
    assert (slow["per_minute"], slow["lag_seconds"]) == (0.2, 0.0)
    assert figures()["lag_seconds"] is None


def test_it_knows_what_it_does_not_know() -> None:
    assert share(1, 0) == 0.0
    assert share(1, 4) == 25.0
    assert difference(None, 3.0) is None
    assert difference(3.0, None) is None
    assert difference(3.0, 5.0) == -2.0
