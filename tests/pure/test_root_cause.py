"""Root causes: evidence moves the ranking the way a person would move it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from ai.causes import _PRIORS, RETRY_HELPS, TITLES, prior, weights
from ai.evidence import CauseFacts, Change, observe
from ai.root_cause import Hypothesis, rank_causes
from safety.rule_types import CATEGORIES
from tests.pure.strategies import facts, many

TIMEOUT = CauseFacts("transient_timeout", 0.97, "payments.capture", "stripe", failures=9)


def rank(**changes: Any) -> dict[str, Hypothesis]:
    return {one.cause: one for one in rank_causes(replace(TIMEOUT, **changes))}


def first(**changes: Any) -> str:
    return rank_causes(replace(TIMEOUT, **changes))[0].cause


def test_it_has_a_prior_for_every_class_that_leaves_room_for_something_else() -> None:
    assert set(_PRIORS) == set(CATEGORIES)
    for category, row in _PRIORS.items():
        assert set(row) <= set(TITLES)
        assert 0.7 <= sum(row.values()) <= 0.96, category
    assert set(TITLES) >= RETRY_HELPS


def test_it_refuses_a_cause_that_does_not_exist() -> None:
    with pytest.raises(KeyError, match="vendor_broken"):
        weights(vendor_broken=2.0)


LEADING: list[tuple[dict[str, Any], str]] = [
    ({"other_workflows": 3, "other_workflows_failing": 2}, "vendor_failing"),
    ({"changes": (Change("deploy 2.3", 4.0, True),)}, "change"),
    ({"successes_since": 12}, "passing"),
    ({"other_vendors_failing": 3}, "network"),
    ({"category": "unknown", "failing_resources": 1, "failures": 12}, "input"),
    ({"category": "vendor_rate_limit"}, "vendor_limit"),
    ({"category": "business_decline"}, "refusal"),
    ({"category": "credential_expired"}, "credential"),
    ({"category": "resource_exhausted"}, "exhaustion"),
]


@pytest.mark.parametrize(("changes", "cause"), LEADING, ids=[cause for _, cause in LEADING])
def test_it_puts_the_telling_cause_first(changes: dict[str, Any], cause: str) -> None:
    assert first(**changes) == cause


def test_it_suspects_a_change_less_the_longer_ago_it_was() -> None:
    def share(minutes: float, *, same_workflow: bool = True) -> float:
        found = rank(changes=(Change("deploy 2.3", minutes, same_workflow),)).get("change")
        return found.share if found else 0.0

    shares = [share(minutes) for minutes in (0.0, 4.0, 30.0, 90.0)]
    assert shares == sorted(shares, reverse=True)
    assert share(4.0) > share(4.0, same_workflow=False)
    assert share(500.0) == share(-5.0)


def test_it_shows_evidence_for_and_against_with_its_numbers() -> None:
    found = rank(
        other_workflows=3,
        other_workflows_failing=0,
        vendor_failure_share=0.6,
        changes=(Change("Deploy payments 2.3", 4.0, True),),
    )
    change = found["change"].evidence[0]
    assert change.text == "Deploy payments 2.3 came 4 min before the first failure"
    assert (change.supports, change.numbers) == (True, {"minutes": 4.0})
    assert change.decibans > 10
    vendor = {one.text: one for one in found["vendor_failing"].evidence}
    assert vendor["None of the 3 other workflows that call stripe fails"].supports is False
    assert vendor["60% of the calls to stripe failed"].supports is True
    assert vendor["60% of the calls to stripe failed"].numbers == {"share": 0.6}
    expected = found["vendor_failing"].evidence[-1]
    assert expected.text.startswith("Expected in 34% of failures of class transient timeout")


def test_it_says_nothing_of_changes_when_none_ever_reach_us() -> None:
    assert not any("change" in one.text.lower() for one in observe(TIMEOUT))
    texts = [one.text for one in observe(replace(TIMEOUT, changes_known=True))]
    assert "No change in the 6 h before" in texts


def test_it_names_the_vendor_or_the_workflow() -> None:
    assert rank()["vendor_failing"].title == "Stripe itself is failing or slow"
    assert rank(vendor="")["vendor_failing"].title == "The vendor itself is failing or slow"
    changed = rank(changes=(Change("deploy", 1.0, True),))
    assert changed["change"].title == "A recent change broke payments.capture"


def test_it_spreads_belief_when_the_class_is_a_guess() -> None:
    sure, guess = prior("vendor_rate_limit", 1.0), prior("vendor_rate_limit", 0.2)
    assert sure["vendor_limit"] > guess["vendor_limit"] > 0
    assert guess["defect"] > sure["defect"]


@many
@given(facts)
def test_it_ranks_any_facts(given_facts: CauseFacts) -> None:
    found = rank_causes(given_facts)
    assert found == rank_causes(given_facts)
    shares = [one.share for one in found]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.0
    assert len({one.cause for one in found}) == len(found) <= 4
    for one in found:
        assert 0.03 <= one.share < 1.0
        assert one.evidence
        assert all(each.supports is (each.decibans >= 0) for each in one.evidence)


@many
@given(facts)
def test_it_does_not_care_in_which_order_changes_come(given_facts: CauseFacts) -> None:
    turned = replace(given_facts, changes=tuple(reversed(given_facts.changes)))
    assert rank_causes(turned) == rank_causes(given_facts)
