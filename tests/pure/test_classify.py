"""Classification: the rules first, then what everybody knows, else unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.classify import CODE_CERTAINTY, TRANSIENT, Classification, classify
from safety.rule_types import (
    CAREFUL_RETRY,
    Category,
    FailureRule,
    MessageRule,
    RetryPolicy,
    Ruleset,
)
from tests.pure.strategies import many

BACKOFF = RetryPolicy("backoff", "exponential", 5, 1.0, 300.0)
NEVER = RetryPolicy("never", "none", 0, 0.0, 0.0)
RULES = Ruleset(
    error_codes=(
        FailureRule("payment_timeout", "high", "transient_timeout", "backoff", False, "Retry it."),
        FailureRule("card_declined", "low", "business_decline", "never"),
        FailureRule("orphan", "low", "vendor_outage", "deleted-policy"),
    ),
    message_patterns=(
        MessageRule("(?i)deadlock", FailureRule("lock", "medium", "lock_contention", "backoff")),
        MessageRule("(?i)declined", FailureRule("no", "low", "business_decline", "never")),
    ),
    retry_policies=(BACKOFF, NEVER),
)


def test_it_trusts_the_rule_of_the_code_most() -> None:
    assert classify("PaymentTimeout", "no answer", RULES) == Classification(
        category="transient_timeout",
        severity="high",
        source="code",
        matched="payment_timeout",
        certainty=CODE_CERTAINTY,
        policy=BACKOFF,
        recommended_action="Retry it.",
    )


def test_it_doubts_a_code_that_its_message_contradicts() -> None:
    """The code allows a retry, the message speaks of something no retry mends."""
    found = classify("payment_timeout", "Your card was declined", RULES)
    assert (found.category, found.doubt, found.retryable) == ("transient_timeout", "no", True)
    assert found.certainty < CODE_CERTAINTY - 0.2
    agreeing = classify("payment_timeout", "deadlock", RULES)
    assert (agreeing.doubt, agreeing.certainty) == ("", CODE_CERTAINTY)
    careful = classify("card_declined", "deadlock", RULES)
    assert (careful.doubt, careful.certainty) == ("", CODE_CERTAINTY)


def test_it_never_retries_by_a_policy_that_is_gone() -> None:
    assert classify("orphan", "", RULES).retryable is False


FOUND: list[tuple[str, str, str, str, Category]] = [
    ("", "Deadlock found", "pattern", "lock", "lock_contention"),
    ("E42", "Deadlock found", "pattern", "lock", "lock_contention"),
    ("MyDeadlockError", "", "pattern", "lock", "lock_contention"),
    ("http_429", "", "heuristic", "HTTP 429", "vendor_rate_limit"),
    ("503", "", "heuristic", "HTTP 503", "vendor_outage"),
    ("", "Request failed with status code 504", "heuristic", "HTTP 504", "transient_timeout"),
    ("", "HTTP/1.1 401 Unauthorized", "heuristic", "HTTP 401", "credential_expired"),
    ("", "server returned 599", "heuristic", "HTTP 599", "vendor_outage"),
    ("", "error: 422 unprocessable", "heuristic", "HTTP 422", "bad_data"),
    ("UpstreamTimeout", "", "heuristic", "timeout", "transient_timeout"),
    ("TOKEN_EXPIRED", "", "heuristic", "expired", "credential_expired"),
    ("DiskQuotaReached", "", "heuristic", "disk", "resource_exhausted"),
    ("invalid_schema", "", "heuristic", "invalid", "bad_data"),
    ("E42", "took 503 ms", "none", "", "unknown"),
    ("unknown", "", "none", "", "unknown"),
    ("", "", "none", "", "unknown"),
]


@pytest.mark.parametrize(("code", "message", "source", "matched", "category"), FOUND)
def test_it_says_what_it_went_by(
    code: str, message: str, source: str, matched: str, category: Category
) -> None:
    found = classify(code, message, RULES)
    assert (found.source, found.matched, found.category) == (source, matched, category)


def test_it_is_less_certain_the_less_it_goes_by() -> None:
    certainties = [
        classify(code, message, RULES).certainty
        for code, message in [
            ("payment_timeout", ""),
            ("", "deadlock"),
            ("MyDeadlockError", ""),
            ("UpstreamTimeout", ""),
            ("", "odd"),
        ]
    ]
    assert certainties == sorted(certainties, reverse=True)
    assert len(set(certainties)) == len(certainties)


@many
@given(st.text(max_size=60), st.text(max_size=120))
def test_it_guesses_a_retry_only_for_what_passes_by_itself(code: str, message: str) -> None:
    found = classify(code, message, Ruleset())
    assert 0.0 <= found.certainty < 0.8
    assert found.retryable is (found.category in TRANSIENT)
    if found.retryable:
        assert found.policy == CAREFUL_RETRY
