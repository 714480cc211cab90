"""Confidence: its parts add up, good outcomes raise it and bad ones lower it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.classify import Classification
from ai.confidence import (
    HIGHEST,
    Confidence,
    RetryOutlook,
    confidence_in_class,
    confidence_in_retry,
)
from ai.record import NO_HISTORY, Outcomes
from ai.root_cause import Hypothesis
from ai.similarity import Outcome, Similar
from safety.rule_types import CAREFUL_RETRY, CATEGORIES, RetryPolicy
from tests.pure.strategies import classifications, many, outcomes, similar

BACKOFF = RetryPolicy("backoff", "exponential", 5, 1.0, 300.0)
KNOWN = Classification("transient_timeout", "high", "code", "payment_timeout", 0.97, BACKOFF)
PATTERN = Classification("lock_contention", "medium", "pattern", "lock", 0.75, BACKOFF)
UNKNOWN = Classification("unknown", "medium", "none", "", 0.0, CAREFUL_RETRY)
LINE = 0.8


def value(classification: Classification = KNOWN, **changes: Any) -> float:
    return confidence_in_retry(RetryOutlook(classification, **changes)).value


def alike(outcome: Outcome, count: int, score: float = 0.9) -> tuple[Similar, ...]:
    return tuple(Similar(f"id{n}", n, score, outcome, "retry", 40.0, False) for n in range(count))


def test_it_runs_a_known_transient_failure_by_itself() -> None:
    """Every transient class with a rule of its own is at least 0.85 before any history."""
    for category in (
        *("transient_timeout", "network_failure", "vendor_rate_limit"),
        *("vendor_outage", "lock_contention"),
    ):
        assert value(replace(KNOWN, category=category)) >= 0.85


def test_it_leaves_a_pattern_to_a_person_and_an_unknown_far_below() -> None:
    assert 0.6 <= value(PATTERN) <= 0.75
    assert value(UNKNOWN) < 0.5


def test_it_learns_from_verified_outcomes() -> None:
    assert value(PATTERN, history=Outcomes(succeeded=3)) < LINE + 0.01
    assert value(PATTERN, history=Outcomes(succeeded=5)) > LINE
    assert value(KNOWN, history=Outcomes(failed=1)) < LINE
    assert value(KNOWN, history=Outcomes(succeeded=9, failed=1)) > LINE
    assert value(KNOWN, history=Outcomes(failed=20)) < 0.3
    assert value(UNKNOWN, history=Outcomes(succeeded=30)) > LINE


def test_it_allows_some_attempts_before_it_asks() -> None:
    """The policy allows five attempts; a person is asked when several of them failed."""
    values = [value(failed_attempts=count) for count in range(5)]
    assert values == sorted(values, reverse=True)
    assert values[1] > LINE > values[4]


def test_it_listens_to_similar_incidents_at_half_weight() -> None:
    base = value(PATTERN)
    assert base < value(PATTERN, similar=alike("recovered", 4)) < 0.8
    assert value(PATTERN, similar=alike("failed", 4)) < base - 0.1
    own = value(PATTERN, history=Outcomes(succeeded=4))
    assert own > value(PATTERN, similar=alike("recovered", 4, score=1.0))


def test_it_lets_similar_incidents_never_outweigh_the_class() -> None:
    assert value(PATTERN, similar=alike("failed", 500)) > 0.3


def test_it_ignores_what_says_nothing_about_a_retry() -> None:
    """Escalations, unknown outcomes, and the own signature, which is counted as history."""
    others = (
        Similar("a", 1, 0.9, "failed", "escalate", None, False),
        Similar("b", 2, 0.9, "unknown", "retry", None, False),
        Similar("c", 3, 0.9, "failed", "retry", None, True),
    )
    assert value(history=Outcomes(1, 0)) == value(history=Outcomes(1, 0), similar=others)


def test_it_deducts_for_causes_that_no_retry_mends() -> None:
    deploy = Hypothesis("change", "A recent change broke it", 0.6, ())
    found = confidence_in_retry(RetryOutlook(KNOWN, hypotheses=(deploy,)))
    assert found.value < LINE
    part = next(one for one in found.parts if one.name == "likely_cause")
    assert part.value < -0.1
    assert part.reason == "A retry may not mend it: A recent change broke it (60%)"


def test_it_does_not_deduct_twice_for_what_the_class_implies() -> None:
    """Exhaustion is what `resource_exhausted` means; its lower usual success has that in it."""
    memory = replace(KNOWN, category="resource_exhausted")
    expected = Hypothesis("exhaustion", "A resource has run out", 0.73, ())
    assert value(memory, hypotheses=(expected,)) == value(memory)


@pytest.mark.parametrize(
    ("changes", "part"),
    [({"reopen_count": 1}, "recurrence"), ({"failing_resources": 500}, "blast_radius")],
)
def test_it_deducts_for_what_makes_a_retry_riskier(changes: dict[str, Any], part: str) -> None:
    found = confidence_in_retry(RetryOutlook(KNOWN, **changes))
    assert found.value < value()
    assert next(one for one in found.parts if one.name == part).value < 0


def check_sum(found: Confidence) -> None:
    assert abs(sum(one.value for one in found.parts) - found.value) < 1e-9
    assert 0.0 <= found.low <= found.value <= found.high <= HIGHEST
    assert all(one.reason for one in found.parts)


hypotheses = st.lists(
    st.builds(
        Hypothesis,
        cause=st.sampled_from(["change", "input", "passing", "vendor_failing"]),
        title=st.just("It"),
        share=st.floats(0.03, 0.25),
        evidence=st.just(()),
    ),
    max_size=4,
    unique_by=lambda one: one.cause,
).map(tuple)
outlooks = st.builds(
    RetryOutlook,
    classification=classifications,
    history=outcomes,
    similar=st.lists(similar, max_size=6, unique_by=lambda one: one.incident_id).map(tuple),
    hypotheses=hypotheses,
    failed_attempts=st.integers(0, 8),
    reopen_count=st.integers(0, 9),
    failing_resources=st.integers(0, 100_000),
)


@many
@given(outlooks)
def test_its_parts_always_add_up(outlook: RetryOutlook) -> None:
    found = confidence_in_retry(outlook)
    check_sum(found)
    turned = replace(outlook, similar=tuple(reversed(outlook.similar)))
    assert confidence_in_retry(turned) == found


@many
@given(outlooks)
def test_it_rises_with_a_success_and_falls_with_a_failure(outlook: RetryOutlook) -> None:
    outlook = replace(outlook, history=replace(outlook.history, succeeded=1, failed=1))
    base = confidence_in_retry(outlook).value
    better = replace(outlook, history=replace(outlook.history, succeeded=2))
    worse = replace(outlook, history=replace(outlook.history, failed=2))
    # The rounding of the shown parts may move the sum by a thousandth each.
    assert confidence_in_retry(better).value >= base - 0.003
    assert confidence_in_retry(worse).value <= base + 0.003


@many
@given(classifications)
def test_it_is_as_sure_of_a_decision_that_runs_nothing_as_of_the_class(
    classification: Classification,
) -> None:
    found = confidence_in_class(classification, "a person is needed")
    check_sum(found)
    assert "a person is needed." in found.parts[0].reason


def test_it_has_a_usual_success_for_every_class() -> None:
    for category in CATEGORIES:
        assert 0.0 < value(replace(KNOWN, category=category)) < 1.0
    assert Outcomes() == NO_HISTORY
