"""Reports, the pure part: steps on a zone's clock, sentences, and sums that fit together [U2]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awfdrs_site.recovery import (
    HUES,
    OTHERS,
    Answered,
    Ended,
    Totals,
    recovery_finding,
    saved_finding,
    saved_of,
    steps_of,
)
from awfdrs_site.spans import SPANS, edges

NOW = datetime(2026, 3, 4, 10, 7, 31, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Santiago"]
times = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
NONE = Totals(Ended(), Ended(), Answered(), Answered())


@given(times, st.sampled_from(sorted(SPANS)), st.sampled_from(ZONES))
def test_it_cuts_the_whole_span_at_round_times_of_the_zone(
    now: datetime, key: str, zone: str
) -> None:
    """Steps ascend, begin with the span, and after it on the zone's midnights or even hours.

    Where the clocks skip such a time, the step begins as they go on.
    """
    span, of = SPANS[key], ZoneInfo(zone)
    starts = edges(span, now, of)
    assert starts[0] == now - span.length
    assert starts == sorted(set(starts))
    assert starts[-1] <= now
    assert all(
        later - earlier <= timedelta(hours=25 if span.step == "day" else 3)
        for earlier, later in zip(starts, [*starts[1:], now], strict=True)
    )
    for at in (start.astimezone(of) for start in starts[1:]):
        skips = (at - timedelta(seconds=1)).utcoffset() != at.utcoffset()
        assert (at.minute, at.second) == (0, 0)
        assert skips or at.hour == 0 or (span.step == "2 h" and at.hour % 2 == 0)


@pytest.mark.parametrize(
    ("day", "hours"), [(datetime(2026, 3, 29), 23), (datetime(2026, 10, 25), 25)]
)
def test_it_lets_a_day_be_longer_where_the_clocks_change(day: datetime, hours: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now = (day + timedelta(days=2)).replace(tzinfo=berlin)
    starts = edges(SPANS["7d"], now, berlin)
    begin = starts.index(day.replace(tzinfo=berlin).astimezone(UTC))
    assert starts[begin + 1] - starts[begin] == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("totals", "sentence"),
    [
        (NONE, "Nothing to recover in the last 7 days."),
        (
            Totals(Ended(), Ended(), Answered(2, 0), Answered()),
            "Nothing recovered in the last 7 days, and nothing was answered.",
        ),
        (
            Totals(Ended(), Ended(), Answered(2, 1, 9.0), Answered()),
            "Nothing recovered in the last 7 days; half were answered within 9 s.",
        ),
        (
            Totals(Ended(1, 1, 65.0, 65.0), Ended(), Answered(), Answered()),
            (
                "100.0% of 1 incident recovered without a person in the last 7 days; half "
                "recovered within 1 m 5 s."
            ),
        ),
        (
            Totals(
                Ended(1200, 900, 372.0, 1865.0),
                Ended(10, 7, 420.0, 1900.0),
                Answered(1300, 1100, 42.0),
                Answered(),
            ),
            (
                "75.0% of 1,200 incidents recovered without a person in the last 7 days, 5.0 "
                "points more than in the 7 days before; half recovered within 6 m 12 s; half were "
                "answered within 42 s."
            ),
        ),
        (
            Totals(Ended(4, 2, 8.0, 9.0), Ended(2, 1, 8.0, 9.0), Answered(), Answered()),
            (
                "50.0% of 4 incidents recovered without a person in the last 7 days, as in the 7 "
                "days before; half recovered within 8 s."
            ),
        ),
    ],
)
def test_it_says_how_recovery_went(totals: Totals, sentence: str) -> None:
    assert recovery_finding(SPANS["7d"], totals) == sentence


def test_it_leaves_unknown_what_a_quiet_step_cannot_say() -> None:
    """No share and no time, not zero, where nothing ended; and nothing is lost of the others."""
    quiet, busy = steps_of([NOW, NOW], {2: Ended(4, 3, 61.0, 90.0)}, {2: Answered(5, 4, 2.0)})
    assert (quiet["share"], quiet["recover"], quiet["answer"]) == (None, None, None)
    assert (quiet["recover_words"], quiet["ended"], quiet["opened"]) == ("–", 0, 0)
    assert (busy["share"], busy["recover_words"], busy["answer_words"]) == (75.0, "1 m 1 s", "2 s")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "Breakers kept no call back in the last 24 hours."),
        (
            [(0, "stripe", 1200)],
            "Breakers kept no call back in the last 24 hours; 1,200 in the 24 hours before.",
        ),
        (
            [(1, "stripe", 1), (0, "stripe", 1)],
            (
                "Open breakers kept 1 call back in the last 24 hours, as many as in the 24 hours "
                "before; all to stripe."
            ),
        ),
        (
            [(1, "stripe", 900), (2, "adyen", 304), (0, "adyen", 4)],
            (
                "Open breakers kept 1,204 calls back in the last 24 hours, 1,200 more than in the "
                "24 hours before; 900 of them to stripe."
            ),
        ),
        (
            [(1, "stripe", 2), (0, "stripe", 9)],
            (
                "Open breakers kept 2 calls back in the last 24 hours, 7 less than in the 24 hours "
                "before; all to stripe."
            ),
        ),
    ],
)
def test_it_says_what_breakers_saved(rows: list[tuple[int, str, int]], sentence: str) -> None:
    assert saved_finding(SPANS["24h"], saved_of([NOW, NOW], NOW, rows)) == sentence


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcdefghij"), st.integers(1, 9))))
def test_it_counts_every_saved_call_once(rows: list[tuple[int, str, int]]) -> None:
    """However many vendors: steps, series and the sum agree, and at most six are told apart."""
    starts = [NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)]
    saved = saved_of(starts, NOW + timedelta(hours=3), rows)
    assert saved.total == sum(saved.sums) == sum(calls for step, _, calls in rows if step)
    assert saved.before == sum(calls for step, _, calls in rows if not step)
    assert [step["total"] for step in saved.steps] == [sum(s["counts"]) for s in saved.steps]
    assert len(saved.series) == len(saved.sums) <= len(HUES)
    vendors = {vendor for step, vendor, _ in rows if step}
    assert (len(vendors) > len(HUES)) == (OTHERS in [one["name"] for one in saved.series])
