"""What a record of outcomes proves: Wilson's bounds, and the words for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.record import Outcomes, tried, wilson, words_of
from tests.pure.strategies import many


@pytest.mark.parametrize(
    ("successes", "runs", "bounds"),
    [
        (9, 10, (0.652, 0.977)),
        (0, 10, (0.0, 0.213)),
        (10, 10, (0.787, 1.0)),
        (1, 2, (0.121, 0.879)),
        (50, 100, (0.419, 0.581)),
        (0, 0, (0.0, 1.0)),
    ],
)
def test_it_knows_wilsons_bounds(successes: int, runs: int, bounds: tuple[float, float]) -> None:
    """Worked out from the formula of 1927 by hand with z = 1.645. Seen red with the normal
    approximation in its place: 10 of 10 gave (1, 1)."""
    low, high = wilson(successes, runs)
    assert (round(low, 3), round(high, 3)) == bounds


@many
@given(st.floats(0, 1), st.floats(1e-6, 1e6))
def test_its_bounds_hold_the_share_and_stay_between_0_and_1(share: float, runs: float) -> None:
    low, high = wilson(share * runs, runs)
    assert 0.0 <= low <= (share * runs) / runs <= high <= 1.0


@many
@given(st.floats(0, 1), st.floats(0.1, 1e5))
def test_more_runs_of_the_same_share_say_more(share: float, runs: float) -> None:
    few, more = wilson(share * runs, runs), wilson(share * 2 * runs, 2 * runs)
    assert more[1] - more[0] <= few[1] - few[0] + 1e-9


def test_it_counts_what_did_not_last_and_what_was_taken_back_as_failed() -> None:
    ended = [("succeeded", 40.0), ("succeeded", 44.0), ("recurred", 9.0), ("reversed", None)]
    past = Outcomes.of([*ended, ("failed", None), ("rejected", None)])
    assert past == Outcomes(2, 3, 1, recurred=1, reversed=1, median_seconds=42.0)


def test_it_says_so_in_words() -> None:
    past = Outcomes(9, 1, recurred=1, median_seconds=42.0)
    assert words_of(past) == (
        "It worked 9 of 10 times for this signature (90 % sure: 0.65 to 0.98), "
        "in 42 s by the middle, came back once"
    )
    assert words_of(Outcomes(rejected=3)) == ""


def test_it_names_what_was_tried() -> None:
    assert (tried(), tried("pause_and_mend")) == ("retry", "plan:pause_and_mend")
