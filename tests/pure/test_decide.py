"""Decisions: what is chosen, why, and that a stored case always gives the same again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given

from ai.classify import classify
from ai.decide import NEVER_RETRY, Case, DecisionDraft, decide
from ai.evidence import CauseFacts, Change
from ai.similarity import Similar
from safety.rule_types import SEVERITIES, RetryPolicy, Ruleset
from safety.ruleset import parse
from tests.pure.strategies import cases, many
from tests.pure.test_default_rules import FOLDER


@cache
def rules() -> Ruleset:
    return parse({path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")})


def case(code: str = "", message: str = "", **changes: Any) -> Case:
    found = classify(code, message, rules())
    names = set(CauseFacts.__dataclass_fields__)
    seen = {name: changes.pop(name) for name in list(changes) if name in names}
    facts = CauseFacts(found.category, found.certainty, "payments.capture", "stripe", **seen)
    return Case("INC-7", found, facts, **changes)


TYPES: list[tuple[str, Case, str]] = [
    ("known timeout", case("payment_timeout"), "retry"),
    ("rate limit", case("rate_limit_exceeded"), "retry"),
    ("lock by pattern", case(message="UNABLE_TO_LOCK_ROW: busy"), "retry"),
    ("fourth attempt", case("payment_timeout", failed_attempts=3), "retry"),
    ("attempts used up", case("payment_timeout", failed_attempts=5), "escalate"),
    ("policy allows fewer", case("unable_to_lock_row", failed_attempts=4), "escalate"),
    ("automation allows none", case("payment_timeout", max_attempts=0), "escalate"),
    ("came back twice", case("payment_timeout", ineffective=2), "retry"),
    ("came back three times", case("payment_timeout", ineffective=3), "escalate"),
    ("came back once too often", case("payment_timeout", ineffective=1, max_ineffective=1),
     "escalate"),
    ("unknown, came back", case(message="odd", successes_since=4, ineffective=3), "escalate"),
    ("expired credential", case("invalid_grant"), "escalate"),
    ("bad data", case("schema_mismatch"), "escalate"),
    ("bad data by pattern", case(message="email is not a valid address"), "escalate"),
    ("program defect", case(message="TypeError: x"), "escalate"),
    ("disk full", case("disk_full"), "escalate"),
    ("declined", case("card_declined"), "none"),
    ("suspected fraud", case("fraud_suspected"), "escalate"),
    ("recovered by itself", case("payment_timeout", recovered_resources=3), "none"),
    ("some still failing", case("payment_timeout", recovered_resources=3, failing_resources=1),
     "retry"),
    ("unknown", case(message="odd"), "escalate"),
    ("unknown after a deploy", case(message="odd", changes=(Change("deploy", 3.0, True),)),
     "escalate"),
    ("unknown but passing", case(message="odd", successes_since=4), "retry"),
    ("unknown, tried enough", case(message="odd", successes_since=4, failed_attempts=3),
     "escalate"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given_case", "kind"), TYPES, ids=[name for name, _, _ in TYPES])
def test_it_chooses(name: str, given_case: Case, kind: str) -> None:
    assert decide(given_case).type == kind, name


def test_it_is_sure_enough_to_run_a_known_transient_failure() -> None:
    draft = decide(case("payment_timeout"))
    assert draft.confidence >= 0.85
    assert draft.confidence_low < draft.confidence < draft.confidence_high
    assert draft.model == "local-2"


def test_it_asks_a_person_about_patterns_unknowns_and_suspicious_deploys() -> None:
    assert 0.6 <= decide(case(message="Deadlock found")).confidence <= 0.75
    assert decide(case(message="odd", successes_since=4)).confidence < 0.5
    assert decide(case(message="odd")).confidence < 0.5
    deployed = case("payment_timeout", failures=9, changes=(Change("deploy 2.3", 4.0, True),))
    assert decide(deployed).confidence < 0.8


def test_it_explains_itself_in_plain_sentences() -> None:
    draft = decide(case("payment_timeout", failing_resources=214, failures=300))
    assert draft.reasoning == (
        "Known code payment_timeout, transient timeout (0.97). "
        "Most likely cause (59%): Stripe itself is failing or slow: "
        "214 different records fail. "
        "The policy exponential_backoff allows a retry, attempt 1 of 5. "
        "Severity is critical because 214 records fail."
    )
    assert draft.recommended_action == "Retry with the same idempotency key and growing pauses."


ACTIONS = [
    (case("card_declined"), "Leave it to the customer; ask for another way to pay."),
    (case("invalid_grant"), "Connect the account again, then retry what failed."),
    (case("job_timeout", failed_attempts=3), "Look at payments.capture: 3 retries did not help."),
    (case("payment_timeout", recovered_resources=1), "Do nothing: payments.capture has recovered."),
    (case("http_599"), "Retry what failed in payments.capture."),
    (case("http_599", failing_resources=3), "Retry the 3 failed records of payments.capture."),
    (case(message="odd"),
     "Find out why payments.capture fails and mend it, then retry what failed."),
]  # fmt: skip


@pytest.mark.parametrize(("given_case", "sentence"), ACTIONS, ids=range(len(ACTIONS)))
def test_it_recommends_in_one_sentence(given_case: Case, sentence: str) -> None:
    assert decide(given_case).recommended_action == sentence


def test_it_hands_over_the_policy() -> None:
    draft = decide(case("unable_to_lock_row", failed_attempts=1, failing_resources=7))
    assert draft.parameters == {
        "policy": "lock_retry",
        "kind": "linear",
        "max_retries": 4,
        "max_attempts": 4,
        "attempt": 2,
        "initial_delay_seconds": 3.0,
        "max_delay_seconds": 60.0,
        "multiplier": 2.0,
        "jitter_ratio": 0.5,
        "earliest_seconds": 3.0,
        "latest_seconds": 6.0,
        "resources": 7,
        "notify": False,
    }
    told = decide(case("invalid_grant"))
    assert told.parameters == {
        "reason": "no retry mends an expired credential",
        "severity": "high",
        "category": "credential_expired",
    }
    assert decide(case("card_declined")).parameters == {}


def test_it_tells_a_person_too_when_a_retried_rule_wants_it() -> None:
    known = case("payment_timeout")
    wanted = replace(known, classification=replace(known.classification, escalate=True))
    assert (decide(wanted).type, decide(wanted).parameters["notify"]) == ("retry", True)


SEVERITY = [
    (case("payment_timeout"), "high"),
    (case("payment_timeout", failing_resources=100), "critical"),
    (case("payment_timeout", other_workflows=4, other_workflows_failing=2), "critical"),
    (case("disk_full", failing_resources=100), "critical"),
    (case("unable_to_lock_row", reported_severity="critical"), "critical"),
    (case("unable_to_lock_row", reported_severity="low"), "medium"),
]


@pytest.mark.parametrize(("given_case", "severity"), SEVERITY, ids=range(len(SEVERITY)))
def test_it_raises_the_severity_but_never_lowers_it(given_case: Case, severity: str) -> None:
    assert decide(given_case).severity == severity


def test_it_never_retries_what_no_retry_mends_whatever_the_policy() -> None:
    bold = RetryPolicy("bold", "fixed", 5, 1.0, 1.0)
    known = case("payment_timeout")
    for category in NEVER_RETRY:
        found = replace(known.classification, category=category, policy=bold)
        facts = replace(known.facts, category=category)
        assert decide(replace(known, classification=found, facts=facts)).type != "retry"


def test_it_lists_similar_incidents_the_likest_first() -> None:
    near = Similar("a", 1, 0.9, "recovered", "retry", 40.0, False)
    far = Similar("b", 2, 0.4, "failed", "retry", None, False)
    same = Similar("c", 3, 0.5, "recovered", "retry", 20.0, True)
    draft = decide(case("payment_timeout", similar=(far, near, same)))
    assert draft.similar == (same, near, far)


def stored(given_case: Case) -> Case:
    """Through JSON the way a database keeps it: keys in any order, no NaN."""
    return Case.from_json(
        json.loads(json.dumps(given_case.to_json(), sort_keys=True, allow_nan=False))
    )


@many
@given(cases)
def test_it_decides_a_stored_case_again_exactly(given_case: Case) -> None:
    again = stored(given_case)
    assert again == given_case
    assert decide(again) == decide(given_case)
    assert decide(again).to_json() == decide(given_case).to_json()


@many
@given(cases)
def test_it_does_not_care_in_which_order_sets_come(given_case: Case) -> None:
    facts = replace(given_case.facts, changes=tuple(reversed(given_case.facts.changes)))
    turned = replace(given_case, similar=tuple(reversed(given_case.similar)), facts=facts)
    assert decide(turned) == decide(given_case)


SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z])")


@many
@given(cases)
def test_it_keeps_every_draft_within_its_form(given_case: Case) -> None:
    draft = decide(given_case)
    check_form(draft)
    category = given_case.classification.category
    if category in NEVER_RETRY and given_case.classification.source != "none":
        assert draft.type != "retry"
    if draft.type == "retry":
        assert given_case.failed_attempts < given_case.max_attempts
        assert draft.parameters["earliest_seconds"] <= draft.parameters["latest_seconds"]
    json.dumps(draft.to_json(), allow_nan=False)


def check_form(draft: DecisionDraft) -> None:
    assert draft.severity in SEVERITIES
    assert 0.0 <= draft.confidence <= 0.98
    assert abs(sum(part.value for part in draft.confidence_parts) - draft.confidence) < 1e-9
    assert 2 <= len(SENTENCE.split(draft.reasoning)) <= 4
    assert draft.reasoning.endswith(".")
    assert draft.recommended_action.endswith((".", "!", "?"))
    assert len(draft.recommended_action) <= 300
