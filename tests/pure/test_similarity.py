"""Similar incidents: likeness between 0 and 1, the same signature first, any order of the past."""

from __future__ import annotations

import random

from hypothesis import given

from ai.similarity import (
    LEAST_SCORE,
    IncidentText,
    PastIncident,
    TextIndex,
    TfIdf,
    rank_similar,
    terms_of,
)
from tests.pure.strategies import many, past_incidents, some, texts


def past(number: int, message: str, **fields: str) -> PastIncident:
    text = IncidentText(fields.pop("signature", f"sig{number}"), message, **fields)
    return PastIncident(f"id{number}", number, text, "recovered", "retry", 40.0)


PAST = [
    past(1, "Payment gateway timeout", error_code="payment_timeout", vendor="stripe"),
    past(2, "Contact record is locked by another job", vendor="salesforce"),
    past(3, "Payment gateway timeout after <amount>", vendor="stripe"),
    past(4, "Mailbox is full", vendor="sendgrid"),
    past(5, "Disk full on <host>", vendor=""),
]


def test_it_finds_the_like_ones_best_first() -> None:
    query = IncidentText("new", "Payment gateway timeout", "PaymentTimeout", "stripe")
    found = rank_similar(query, PAST)
    assert [one.number for one in found] == [1, 3]
    assert found[0].score > 0.95 > found[1].score >= LEAST_SCORE
    assert (found[0].outcome, found[0].action_kind, found[0].seconds_to_recover) == (
        *("recovered", "retry"),
        40.0,
    )


def test_it_puts_the_same_signature_first_whatever_its_words() -> None:
    query = IncidentText("sig4", "Payment gateway timeout", vendor="stripe")
    found = rank_similar(query, PAST)
    assert found[0].number == 4
    assert found[0].same_signature is True
    assert not any(one.same_signature for one in found[1:])


def test_it_takes_no_missing_signature_for_the_same() -> None:
    query = IncidentText("", "Disk full")
    assert not any(one.same_signature for one in rank_similar(query, [past(9, "x", signature="")]))


def test_it_finds_nothing_in_nothing() -> None:
    assert rank_similar(IncidentText("a", "Disk full"), []) == ()
    assert rank_similar(IncidentText("a", ""), PAST) == ()


def test_it_keeps_to_the_limit_and_breaks_ties_by_the_newest() -> None:
    same = [past(number, "Disk full") for number in range(1, 9)]
    found = rank_similar(IncidentText("x", "Disk full"), same, limit=3)
    assert [one.number for one in found] == [8, 7, 6]


def test_it_splits_compound_words_and_keeps_them_whole() -> None:
    assert terms_of("The RateLimitError of api_v2") == [
        *("ratelimiterror", "rate", "limit", "error"),
        *("api_v2", "api", "2"),
    ]


def test_it_weighs_rare_terms_more() -> None:
    index = TfIdf([{"common": 1, "rare": 1}, {"common": 1, "other": 1}, {"common": 1}])
    scores = index.scores({"rare": 1, "common": 1})
    assert scores[0] > scores[2] > scores[1] > 0
    assert index.scores({"never seen": 1}) == {}
    assert TfIdf([]).scores({"a": 1}) == {}


def test_it_searches_plain_texts() -> None:
    index = TextIndex()
    index.fit(["disk full", "card declined", "disk slow"])
    assert [at for at, _ in index.query("the disk is full", 2)] == [0, 2]


@many
@given(texts, past_incidents)
def test_it_scores_between_zero_and_one(query: IncidentText, known: list[PastIncident]) -> None:
    for one in rank_similar(query, known, limit=50):
        assert 0.0 <= one.score <= 1.0
        assert one.same_signature or one.score >= LEAST_SCORE


@some
@given(texts, past_incidents)
def test_it_does_not_care_in_which_order_the_past_comes(
    query: IncidentText, known: list[PastIncident]
) -> None:
    mixed = random.Random(7).sample(known, len(known))
    assert rank_similar(query, mixed) == rank_similar(query, known)


def test_it_adds_up_the_same_whatever_the_order_of_the_words() -> None:
    """Sums of floats depend on their order; the score must not, to the last bit."""
    words = [f"w{n}" for n in range(200)]
    other = {word: 1.0 + at for at, word in enumerate(words[::3])}
    forward = {word: 1.0 + at / 7 for at, word in enumerate(words)}
    backward = dict(reversed(forward.items()))
    index = TfIdf([other, forward])
    assert index.scores(forward) == index.scores(backward)
    assert index.scores(other) == TfIdf([other, backward]).scores(other)


@some
@given(past_incidents)
def test_it_is_like_itself(known: list[PastIncident]) -> None:
    for one in known:
        found = rank_similar(one.text, [one])
        if terms_of(one.text.message) or one.text.vendor:
            assert found[0].score == 1.0
