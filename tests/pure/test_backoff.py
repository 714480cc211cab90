"""Backoff: delays grow as the policy says, stay under its cap, and only shrink by jitter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.backoff import Band, delay_seconds, schedule
from safety.rule_types import BackoffKind, RetryPolicy
from tests.pure.strategies import many, policies


def policy(kind: BackoffKind, **changes: float) -> RetryPolicy:
    values = {"max_retries": 5, "initial_delay_seconds": 2.0, "max_delay_seconds": 20.0}
    values |= {"multiplier": 3.0, "jitter_ratio": 0.5} | changes
    return RetryPolicy("p", kind, **values)  # type: ignore[arg-type]


WHOLE = [
    ("exponential", [2.0, 6.0, 18.0, 20.0, 20.0]),
    ("linear", [2.0, 4.0, 6.0, 8.0, 10.0]),
    ("fixed", [2.0, 2.0, 2.0, 2.0, 2.0]),
    ("none", [0.0, 0.0, 0.0, 0.0, 0.0]),
]


@pytest.mark.parametrize(("kind", "delays"), WHOLE)
def test_it_grows_by_kind(kind: BackoffKind, delays: list[float]) -> None:
    assert [delay_seconds(policy(kind), n, 0.0) for n in range(1, 6)] == delays


def test_it_takes_the_random_share_off() -> None:
    assert delay_seconds(policy("fixed"), 1, 0.5) == 1.5
    assert delay_seconds(policy("fixed", jitter_ratio=1.0), 1, 0.5) == 1.0
    assert delay_seconds(policy("fixed", jitter_ratio=0.0), 1, 0.999) == 2.0


@pytest.mark.parametrize(("attempt", "jitter"), [(0, 0.0), (-1, 0.0), (1, 1.0), (1, -0.1)])
def test_it_refuses_what_is_out_of_range(attempt: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="not"):
        delay_seconds(policy("fixed"), attempt, jitter)


def test_it_draws_the_band_of_every_attempt() -> None:
    assert schedule(policy("exponential", max_retries=3)) == (
        Band(1, 1.0, 2.0),
        Band(2, 3.0, 6.0),
        Band(3, 9.0, 18.0),
    )
    assert schedule(policy("none")) == ()
    assert schedule(policy("fixed", max_retries=0)) == ()


@many
@given(policies(), st.integers(1, 10**9), st.floats(0.0, 1.0, exclude_max=True))
def test_it_never_leaves_the_bounds(chosen: RetryPolicy, attempt: int, jitter: float) -> None:
    """Also for the billionth attempt, where the power would overflow."""
    delay = delay_seconds(chosen, attempt, jitter)
    whole = delay_seconds(chosen, attempt, 0.0)
    assert 0.0 <= delay <= whole <= chosen.max_delay_seconds
    if chosen.kind != "none":
        assert whole >= chosen.initial_delay_seconds
        assert delay >= whole * (1.0 - chosen.jitter_ratio) * 0.999_999


@many
@given(policies(), st.integers(1, 50), st.floats(0.0, 1.0, exclude_max=True))
def test_it_never_waits_less_for_a_later_attempt(
    chosen: RetryPolicy, attempt: int, jitter: float
) -> None:
    assert delay_seconds(chosen, attempt, jitter) <= delay_seconds(chosen, attempt + 1, jitter)


@many
@given(policies(), st.floats(0.0, 1.0, exclude_max=True))
def test_it_keeps_every_delay_inside_its_band(chosen: RetryPolicy, jitter: float) -> None:
    for band in schedule(chosen):
        delay = delay_seconds(chosen, band.attempt, jitter)
        assert band.earliest_seconds * 0.999_999 <= delay <= band.latest_seconds
