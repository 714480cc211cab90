"""A replay of the past under two sets of rules: what is counted, and what changes [S10]."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actions.whatif.facts import Seen, WorkflowFacts, World
from actions.whatif.replay import replay
from actions.whatif.stages import DECIDED_AFTER
from actions.whatif.vendor import ReplayedBreaker
from safety.backoff import delay_seconds
from safety.breaker import Breaker, BreakerPolicy, as_of, record
from safety.rule_types import (
    AutomationRule,
    EventTypeRule,
    FailureRule,
    RetryPolicy,
    Ruleset,
    VendorRule,
)
from tests.pure.strategies import NOW, some

RULES = Ruleset(
    error_codes=(
        FailureRule("payment_timeout", "high", "transient_timeout", "backoff"),
        FailureRule("card_declined", "low", "business_decline", "never"),
        FailureRule("bad_key", "high", "credential_expired", "never"),
    ),
    retry_policies=(
        RetryPolicy("backoff", "fixed", 3, 10.0, 60.0, 2.0, 0.0),
        RetryPolicy("never", "none", 0, 0.0, 0.0),
    ),
    vendors=(VendorRule("stripe", 100, BreakerPolicy(3)),),
    event_types=(EventTypeRule("*.failed", "failure"), EventTypeRule("*.done", "success")),
    automation=(AutomationRule(),),
)
WORLD = World("t", {"w": WorkflowFacts("payments"), "x": WorkflowFacts("mails", can_retry=False)})


def seen(second: float, event_type: str = "pay.failed", **fields: Any) -> Seen:
    code = "payment_timeout" if event_type.endswith("failed") else ""
    defaults = {"workflow": "w", "code": code, "resource": "order 7"}
    at = NOW + timedelta(seconds=second)
    return Seen(f"e{second}", at, event_type=event_type, **defaults | fields)


def automation(**fields: Any) -> Ruleset:
    return replace(RULES, automation=(AutomationRule(**fields),))


def test_it_retries_and_learns_from_the_events_that_it_worked() -> None:
    """Due 10 s after the failure; the success afterwards ends the incident."""
    out = replay([seen(0), seen(30, "pay.done"), seen(99, "x.noted")], RULES, RULES, WORLD)
    assert (out.events, out.now) == (3, out.draft)
    assert (out.now.incidents, out.now.retries, out.now.escalations) == (1, 1, 0)
    assert out.changes == ()


JITTERY = RetryPolicy("backoff", "exponential", 5, 10.0, 600.0, 2.0, 0.8)


@some
@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=5), st.floats(0.01, 50))
def test_the_chance_in_a_delay_changes_no_count(chances: list[float], answered_in: float) -> None:
    """Each attempt but the last fails and says so. Seen red with every retry in the middle of its
    random share: what an early one had brought about came before it.
    """
    rules = replace(RULES, retry_policies=(JITTERY, RULES.retry_policies[1]))
    second, past = DECIDED_AFTER.total_seconds(), [seen(0)]
    for attempt, chance in enumerate(chances, 1):
        second += delay_seconds(JITTERY, attempt, chance) + answered_in
        ends = "pay.done" if attempt == len(chances) else "pay.failed"
        past.append(seen(second, ends))
    out = replay([*past, seen(second + 9999, "x.noted")], rules, rules, WORLD)
    assert (out.now.incidents, out.now.retries) == (1, len(chances))
    assert out.now.escalations == 0


def test_what_comes_in_before_the_decision_is_seen_by_it() -> None:
    """A burst after a deployment; the same failures one by one are decided on as one.

    Seen red with the decision made at the first event.
    """
    types = (*RULES.event_types, EventTypeRule("*.deployed", "change"))
    bold, careful = (
        replace(RULES, event_types=types, automation=(AutomationRule(confidence_threshold=line),))
        for line in (0.01, 0.99)
    )

    def confidence(gap: float) -> float:
        burst = [seen(number * gap, resource=str(number)) for number in range(20)]
        past = [seen(-60, "x.deployed"), *burst, seen(99, "x.noted")]
        [change] = replay(past, bold, careful, WORLD).changes
        assert change.now is not None
        return change.now.confidence

    assert confidence(0.004) != confidence(0.2)


def test_what_recovers_before_its_retry_is_never_retried() -> None:
    out = replay([seen(0), seen(5, "pay.done"), seen(99, "x.noted")], RULES, RULES, WORLD)
    assert (out.now.incidents, out.now.retries) == (1, 0)


def test_retries_that_nothing_follows_end_with_a_person() -> None:
    """Three attempts of the policy, none seen to work, then one escalation."""
    out = replay([seen(0), seen(9999, "x.noted")], RULES, RULES, WORLD)
    assert (out.now.retries, out.now.escalations, out.now.approvals) == (3, 1, 0)


def test_a_higher_line_turns_retries_into_approvals() -> None:
    events = [seen(0), seen(30, "pay.done"), seen(99, "x.noted")]
    out = replay(events, RULES, automation(confidence_threshold=0.97), WORLD)
    assert (out.now.retries, out.now.approvals) == (1, 0)
    assert (out.draft.retries, out.draft.approvals) == (0, 1)
    [change] = out.changes
    assert change.now is not None
    assert change.draft is not None
    assert (change.now.outcome, change.draft.outcome) == ("automatic", "approval")
    assert out.days == ((NOW.date(), out.now, out.draft),)


def test_fewer_attempts_are_seen() -> None:
    out = replay([seen(0), seen(9999, "x.noted")], RULES, automation(max_attempts=1), WORLD)
    assert (out.now.retries, out.draft.retries) == (3, 1)
    assert len(out.changes) == 1


def test_what_fails_again_soon_after_it_worked_calls_a_person() -> None:
    """The second failure of the same order within the hour; a minute's window forgives it."""
    events = [
        seen(0),
        seen(20, "pay.done"),
        seen(400),
        seen(420, "pay.done"),
        seen(9000, "x.noted"),
    ]
    sure = {"confidence_threshold": 0.01, "max_ineffective": 1}
    now, draft = automation(recurrence_seconds=60, **sure), automation(**sure)
    out = replay(events, now, draft, WORLD)
    assert (out.now.retries, out.now.escalations) == (2, 0)
    assert (out.draft.retries, out.draft.escalations) == (1, 1)


def test_a_longer_cooldown_puts_off_the_next_recovery_of_the_same_thing() -> None:
    events = [
        seen(0), seen(20, "pay.done"), seen(100), seen(140, "pay.done"), seen(9000, "x.noted")
    ]  # fmt: skip
    # What fails again so late is a new occurrence: the retry keeps its trust.
    sure = {"confidence_threshold": 0.01, "recurrence_seconds": 1}
    now, draft = automation(cooldown_seconds=1, **sure), automation(cooldown_seconds=300, **sure)
    out = replay(events, now, draft, WORLD)
    assert (out.now.retries, out.now.deferred, out.now.reopened) == (2, 0, 1)
    assert (out.draft.retries, out.draft.deferred) == (1, 1)


def test_the_cap_an_hour_asks_a_person() -> None:
    events = [seen(n, fingerprint=f"f{n}", resource=str(n)) for n in range(6)]
    low = automation(max_actions_per_hour=2, confidence_threshold=0.01)
    high = automation(confidence_threshold=0.01)
    out = replay([*events, seen(30, "x.noted")], high, low, WORLD)
    assert (out.now.retries, out.now.approvals) == (6, 0)
    assert (out.draft.retries, out.draft.approvals) == (2, 4)


def test_an_open_breaker_puts_retries_off_and_counts_the_calls_into_it() -> None:
    """After three failures stripe is open for 300 s: the draft needs ten."""
    events = [seen(n, vendor="stripe", resource=str(n)) for n in range(6)]
    calm = replace(RULES, vendors=(VendorRule("stripe", 100),))
    out = replay([*events, seen(400, "x.noted")], RULES, calm, WORLD)
    assert (out.now.open_calls, out.draft.open_calls) == (3, 0)
    assert out.now.deferred >= 1
    assert out.draft.deferred == 0


def test_a_vendors_limit_puts_retries_off_until_one_more_is_free() -> None:
    """Six are due within 5 s; at 2 a minute two go, then two more in each minute after."""
    calm = (VendorRule("stripe", 100, BreakerPolicy(99)),)
    events = [seen(n, vendor="stripe", fingerprint=f"f{n}", resource=str(n)) for n in range(6)]
    high = replace(automation(confidence_threshold=0.01, verify_seconds=600), vendors=calm)
    low = replace(high, vendors=(replace(calm[0], requests_per_minute=2),))
    for until, retries in ((30, 2), (90, 4), (150, 6)):
        out = replay([*events, seen(until, "x.noted")], high, low, WORLD)
        assert (out.now.retries, out.draft.retries) == (6, retries)


def test_who_cannot_be_retried_has_a_person_called() -> None:
    out = replay([seen(0, workflow="x"), seen(1, code="bad_key")], RULES, RULES, WORLD)
    assert (out.now.retries, out.now.escalations) == (0, 2)


def test_a_type_that_means_no_failure_makes_no_incident() -> None:
    draft = replace(RULES, event_types=(EventTypeRule("pay.failed", "info"), *RULES.event_types))
    out = replay([seen(0), seen(1, workflow="x")], RULES, draft, WORLD)
    assert (out.now.incidents, out.draft.incidents) == (2, 0)
    assert [change.draft for change in out.changes] == [None, None]


def test_a_code_that_means_something_else_is_decided_otherwise() -> None:
    codes = (FailureRule("payment_timeout", "low", "business_decline", "never"),)
    draft = replace(RULES, error_codes=codes)
    out = replay([seen(0), seen(9999, "x.noted")], RULES, draft, WORLD)
    [change] = out.changes
    assert change.draft is not None
    assert (change.draft.outcome, out.draft.retries, out.draft.escalations) == ("nothing", 0, 0)


events = st.lists(
    st.builds(
        lambda gap, kind, code, vendor, resource, workflow: (
            gap, {"event_type": f"pay.{kind}", "code": code if kind == "failed" else "",
                  "vendor": vendor, "resource": resource, "workflow": workflow},
        ),
        st.floats(0, 2000), st.sampled_from(["failed", "done", "noted"]),
        st.sampled_from(["payment_timeout", "card_declined", "bad_key", ""]),
        st.sampled_from(["stripe", "other", ""]), st.sampled_from(["", "a", "b"]),
        st.sampled_from(["w", "x"]),
    ),
    max_size=40,
)  # fmt: skip


@some
@given(events, st.floats(0.01, 1.0))
def test_the_same_rules_come_to_the_same_and_counts_add_up(
    drawn: list[tuple[float, dict[str, str]]], threshold: float
) -> None:
    """Nothing changes under the same rules; the days are the totals; no retry without a cause."""
    second, past = 0.0, []
    for number, (gap, fields) in enumerate(drawn):
        second += gap
        past.append(seen(second, **fields)._replace(event_id=str(number)))
    rules = automation(confidence_threshold=threshold)
    out = replay(past, rules, rules, WORLD)
    assert out.now == out.draft
    assert out.changes == ()
    assert sum(now.incidents for _, now, _ in out.days) == out.now.incidents
    assert out.now.incidents <= out.now.failures <= len(past)
    assert out.now.retries <= 3 * out.now.incidents
    assert out.now.escalations <= out.now.incidents
    assert replay(past, rules, RULES, WORLD) == replay(past, rules, RULES, WORLD)


@some
@given(
    st.lists(st.tuples(st.floats(0, 40), st.booleans()), max_size=60),
    st.builds(
        BreakerPolicy, failure_threshold=st.integers(1, 5), window_seconds=st.integers(1, 60),
        minimum_calls=st.integers(1, 8), failure_ratio=st.floats(0, 1),
        open_seconds=st.integers(1, 60), half_open_probes=st.integers(1, 3),
    ),
)  # fmt: skip
def test_a_replayed_breaker_is_in_the_state_of_the_real_one(
    calls: list[tuple[float, bool]], policy: BreakerPolicy
) -> None:
    quick, pure, at = ReplayedBreaker(policy), Breaker(), NOW
    for gap, worked in calls:
        at += timedelta(seconds=gap)
        outcome: Any = "success" if worked else "failure"
        quick.record(outcome, at)
        pure = as_of(record(pure, policy, outcome, at), policy, at)
        found = quick.state_at(at)
        assert (found.state, found.since) == (pure.state, pure.since)
