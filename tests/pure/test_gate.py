"""The gate: every check, its verdict, the number that decided, and the worst of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from safety.gate import Check, GateFacts, Receipt, SwitchFact, Verdict, judge
from safety.gate_checks import covers, lot_of
from safety.rule_types import AutomationRule
from tests.pure.strategies import gate_facts, many

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMES = (
    *("kill_switch", "circuit_breaker", "rate_limit", "retry_limit", "retry_caps"),
    *("blast_radius", "cooldown", "point_of_no_return", "confidence", "trust", "held_back"),
    "dry_run",
)
GOOD = GateFacts(
    now=NOW,
    tenant_id="t1",
    workflow_id="w1",
    workflow="payments.capture",
    action_kind="retry",
    vendor="stripe",
    confidence=0.91,
)
AGO = NOW - timedelta(seconds=99, milliseconds=500)
LATER = NOW + timedelta(seconds=42, milliseconds=500)


def facts(**changes: Any) -> GateFacts:
    return replace(GOOD, **changes)


def check(name: str, given_facts: GateFacts) -> Check:
    return next(one for one in judge(given_facts).checks if one.name == name)


def test_it_runs_when_every_check_passes() -> None:
    receipt = judge(GOOD)
    assert receipt.outcome == "run"
    assert receipt.until is None
    assert [one.name for one in receipt.checks] == list(NAMES)
    assert {one.verdict for one in receipt.checks} == {"pass"}
    assert receipt.needs_person() is False


STOP_ALL = SwitchFact("global", reason="Payout storm.", engaged_by="anna")
STOP_VENDOR = SwitchFact("vendor", "k1", tenant_id="t1", vendor="Stripe")
STOP_RETRIES = SwitchFact("action", "k2", tenant_id="t1", action_kind="retry")

HELD = {
    "severity": "medium", "trust": "automatic", "opened_at": NOW - timedelta(seconds=60),
    "lot": 19.9, "held_back_percent": 20, "held_back_seconds": 600,
}  # fmt: skip
DAILY = {
    "actions_last_hour": 9, "max_actions_per_hour": 10,
    "actions_last_day": 50, "max_actions_per_day": 50,
}  # fmt: skip
INCIDENT = {"incident_retries_last_day": 20, "max_incident_retries_per_day": 20}

TABLE: list[tuple[str, dict[str, Any], Verdict, str]] = [
    ("kill_switch", {"switches": (STOP_ALL,)}, "block",
     "Stopped for everything by anna: Payout storm."),
    ("kill_switch", {"switches": (STOP_VENDOR, STOP_ALL)}, "block",
     "Stopped for everything by anna and 1 more: Payout storm."),
    ("kill_switch", {"switches": (STOP_VENDOR,)}, "block", "Stopped for vendor Stripe."),
    ("kill_switch", {"switches": (STOP_RETRIES,)}, "block", "Stopped for every retry."),
    ("kill_switch", {"switches_readable": False}, "block",
     "The kill switches could not be read, so they count as engaged."),
    ("kill_switch", {}, "pass", "None covers this step."),
    ("circuit_breaker", {"vendor": ""}, "pass", "No vendor is involved."),
    ("circuit_breaker", {}, "pass", "stripe is closed."),
    ("circuit_breaker", {"breaker_until": NOW}, "pass", "stripe is closed."),
    ("circuit_breaker", {"breaker_until": LATER}, "defer",
     "stripe is back, and what its breaker held starts a few a second; next look in 43 s."),
    ("circuit_breaker", {"breaker_state": "disabled"}, "pass",
     "The breaker of stripe is disabled by hand."),
    ("circuit_breaker", {"breaker_state": "open", "breaker_until": LATER}, "defer",
     "stripe is open; next look in 43 s."),
    ("circuit_breaker", {"breaker_state": "open"}, "defer", "stripe is open; next look in 30 s."),
    ("circuit_breaker", {"breaker_state": "open", "breaker_until": NOW}, "defer",
     "stripe is open; next look in 30 s."),
    ("circuit_breaker", {"breaker_state": "half_open", "probes_free": 2}, "pass",
     "stripe is half-open, 2 of its probes free."),
    ("circuit_breaker", {"breaker_state": "half_open", "probes_free": 0}, "defer",
     "stripe is half-open with every probe out; next look in 30 s."),
    ("circuit_breaker", {"breaker_state": "unreadable"}, "block",
     "The breaker of stripe could not be read, so it counts as open."),
    ("rate_limit", {}, "pass", "No limit of calls a minute is set."),
    ("rate_limit", {"vendor_calls": 9, "vendor_calls_per_minute": 10}, "pass",
     "9 of 10 calls to stripe in the last minute."),
    ("rate_limit", {"vendor_calls": 10, "vendor_calls_per_minute": 10, "vendor_calls_until": LATER},
     "defer", "10 of 10 calls to stripe in the last minute; next look in 43 s."),
    ("rate_limit", {"vendor_calls": 10, "vendor_calls_per_minute": 10, "vendor_calls_until": NOW},
     "defer", "10 of 10 calls to stripe in the last minute; next look in 5 s."),
    ("rate_limit", {"vendor_calls": 10, "vendor_calls_per_minute": 10, "approved_by": "anna"},
     "defer", "10 of 10 calls to stripe in the last minute; next look in 5 s."),
    ("rate_limit", {"vendor_calls": None, "vendor_calls_per_minute": 10}, "defer",
     "The calls to stripe cannot be counted; next look in 5 s."),
    ("rate_limit", {"vendor_calls": 0, "vendor_calls_per_minute": 0}, "defer",
     "0 of 0 calls to stripe in the last minute; next look in 5 s."),
    ("retry_limit", {"attempt": 5}, "pass", "Attempt 5 of 5."),
    ("retry_limit", {"attempt": 6}, "block", "Attempt 6 is not among the 5 allowed."),
    ("retry_limit", {"max_attempts": 0}, "block", "Attempt 1 is not among the 0 allowed."),
    ("blast_radius", {"actions_last_hour": 9, "max_actions_per_hour": 10}, "pass",
     "9 of 10 automated actions in the last hour."),
    ("blast_radius", {"actions_last_hour": 10, "max_actions_per_hour": 10}, "wait",
     "10 automated actions in the last hour, the cap is 10."),
    ("blast_radius", {"actions_last_hour": None}, "wait",
     "The automated actions of the last hour could not be counted."),
    ("blast_radius", {"actions_last_hour": 10, "max_actions_per_hour": 10, "approved_by": "anna"},
     "pass", "10 automated actions in the last hour, the cap is 10. Approved by anna."),
    ("blast_radius", DAILY | {"actions_last_day": 49}, "pass",
     "9 of 10 automated actions in the last hour, 49 of 50 automated actions in the last day."),
    ("blast_radius", DAILY, "wait", "50 automated actions in the last day, the cap is 50."),
    ("blast_radius", DAILY | {"actions_last_hour": 10}, "wait",
     ("10 automated actions in the last hour, the cap is 10. "
      "50 automated actions in the last day, the cap is 50.")),
    ("blast_radius", DAILY | {"actions_last_day": None}, "wait",
     "The automated actions of the last day could not be counted."),
    ("retry_caps", {}, "pass", "No cap is set."),
    ("retry_caps", INCIDENT, "wait", "20 retries of the incident in the last day, the cap is 20."),
    ("retry_caps", INCIDENT | {"approved_by": "anna"}, "pass",
     "20 retries of the incident in the last day, the cap is 20. Approved by anna."),
    ("retry_caps", INCIDENT | {"incident_retries_last_day": 19}, "pass",
     "19 of 20 retries of the incident in the last day."),
    ("retry_caps", {"workflow_retries_last_hour": 3, "max_workflow_retries_per_hour": 3}, "wait",
     "3 retries of the workflow in the last hour, the cap is 3."),
    ("retry_caps", {"vendor_retries_last_hour": 3, "max_vendor_retries_per_hour": 3}, "wait",
     "3 retries for the vendor in the last hour, the cap is 3."),
    ("retry_caps", {"max_vendor_retries_per_hour": 3}, "wait",
     "The retries for the vendor of the last hour could not be counted."),
    ("retry_caps", {"vendor_retries_last_hour": 0, "max_vendor_retries_per_hour": 0}, "wait",
     "0 retries for the vendor in the last hour, the cap is 0."),
    ("dry_run", {}, "pass", "This is no dry run."),
    ("dry_run", {"dry_run": True}, "block", "A dry run: it would have run."),
    ("dry_run", {"dry_run": True, "approved_by": "anna"}, "pass",
     "A dry run, but anna wants it."),
    ("cooldown", {}, "pass", "No other recovery of payments.capture on file."),
    ("cooldown", {"last_recovery_at": AGO, "last_recovery_label": "INC-3"}, "defer",
     "Last recovery of payments.capture (INC-3) 99 s ago; 201 s of 300 s left."),
    ("cooldown", {"last_recovery_at": NOW - timedelta(seconds=300)}, "pass",
     "Last recovery of payments.capture 300 s ago, cooldown 300 s."),
    ("confidence", {"confidence": 0.71}, "wait", "0.71 is under the line of 0.80."),
    ("confidence", {"confidence": 0.7999}, "wait", "0.7999 is under the line of 0.8000."),
    ("confidence", {"confidence": 0.8}, "pass", "0.80 reaches the line of 0.80."),
    ("confidence", {"confidence": None}, "wait", "There is no confidence to go by."),
    ("confidence", {"confidence": float("nan")}, "wait", "There is no confidence to go by."),
    ("confidence", {"confidence": 0.71, "approved_by": "anna"}, "pass",
     "Approved by anna (confidence 0.71)."),
    ("trust", {}, "pass", "No trust is asked for."),
    ("trust", {"trust": "automatic"}, "pass", "It runs by itself for this signature."),
    ("trust", {"trust": "approve", "trust_progress": "2 of 5 to automatic"}, "wait",
     "A person approves it for this signature: 2 of 5 to automatic."),
    ("trust", {"trust": "suggest", "trust_progress": "0 of 5 to approve"}, "block",
     "Only a person starts it for this signature: 0 of 5 to approve."),
    ("trust", {"trust": "observe", "trust_progress": "0 of 5 to suggest"}, "block",
     "Nothing runs for this signature: 0 of 5 to suggest."),
    ("trust", {"trust": "observe", "trust_progress": "0 of 5 to suggest", "approved_by": "anna"},
     "pass", "Nothing runs for this signature: 0 of 5 to suggest. Approved by anna."),
    ("held_back", {}, "pass", "No case is held back."),
    ("held_back", HELD, "defer",
     "It is among the 20% that only wait, to see what heals alone; 540 s left."),
    ("held_back", HELD | {"lot": 20.0}, "pass", "It is not among the 20% that only wait."),
    ("held_back", HELD | {"held_back_seconds": 60}, "pass", "It did not heal alone in 60 s."),
    *(("held_back", HELD | change, "pass", "Only low-risk retries that would run are held back.")
      for change in ({"severity": "high"}, {"severity": "critical"}, {"approved_by": "anna"},
                     {"action_kind": "http_call", "acts": True}, {"trust": ""})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "verdict", "reason"), TABLE, ids=range(len(TABLE)))
def test_it_says_why(name: str, changes: dict[str, Any], verdict: Verdict, reason: str) -> None:
    found = check(name, facts(**changes))
    assert (found.verdict, found.reason) == (verdict, reason)
    outcome = {"pass": "run"}.get(verdict, verdict)
    assert judge(facts(**changes)).outcome == outcome


def test_it_takes_the_worst_verdict_and_the_latest_time() -> None:
    """block over defer over wait over run; `until` only where waiting is all it takes."""
    deferred = facts(
        breaker_state="open",
        breaker_until=LATER,
        last_recovery_at=NOW - timedelta(seconds=290),
        confidence=0.5,
    )
    receipt = judge(deferred)
    assert (receipt.outcome, receipt.until) == ("defer", LATER)
    assert receipt.needs_person() is True
    assert [one.name for one in receipt.stopping()] == ["circuit_breaker", "cooldown"]
    blocked = judge(replace(deferred, attempt=9))
    assert (blocked.outcome, blocked.until) == ("block", None)


@pytest.mark.parametrize(
    ("changes", "outcome", "words"),
    [
        ({"confidence": 0.5}, "wait", "A dry run, and it would not have run: wait."),
        ({"attempt": 9}, "block", "A dry run, and it would not have run: block."),
        ({"action_kind": "escalate"}, "run", "This is no dry run."),
        ({"action_kind": "http_call", "acts": True}, "block", "A dry run: it would have run."),
        ({"action_kind": "http_probe", "acts": False}, "run", "This is no dry run."),
    ],
)
def test_a_dry_run_takes_only_run_away(changes: dict[str, Any], outcome: str, words: str) -> None:
    """What waits for a person still does, and people are told as ever."""
    receipt = judge(facts(dry_run=True, **changes))
    assert (receipt.outcome, receipt.checks[-1].reason) == (outcome, words)


def test_only_what_would_run_is_held_back() -> None:
    """What waits for a person does so at once, and a dry run is one at once."""
    held = facts(**HELD)
    assert judge(replace(held, confidence=0.5)).outcome == "wait"
    assert judge(replace(held, dry_run=True)).outcome == "block"
    assert judge(held).until == NOW + timedelta(seconds=540)


@pytest.mark.parametrize("severity", ["high", "critical"])
def test_no_case_of_high_severity_is_held_back(severity: str) -> None:
    """Whatever its lot, and whatever the share. Seen red without the look at the severity."""
    held = facts(**HELD | {"severity": severity, "lot": 0.0, "held_back_percent": 100})
    assert judge(held).outcome == "run"


def test_nothing_is_held_back_by_default() -> None:
    """Seen red with a default share of 20."""
    lucky = {"lot": 0.0, "severity": "low", "trust": "automatic", "opened_at": NOW}
    assert judge(facts(**lucky)).outcome == "run"
    assert AutomationRule().held_back_percent == 0


def test_a_lot_is_the_same_whoever_draws_it_and_falls_evenly() -> None:
    lots = [lot_of(f"incident {number}", NOW) for number in range(2000)]
    assert lots == [lot_of(f"incident {number}", NOW) for number in range(2000)]
    assert all(0.0 <= lot < 100.0 for lot in lots)
    assert 150 < sum(lot < 10 for lot in lots) < 250
    assert lot_of("incident 1", LATER) != lots[1]


COVERS = [
    (SwitchFact("global"), True),
    (SwitchFact("tenant", tenant_id="t1"), True),
    (SwitchFact("tenant", tenant_id="t2"), False),
    (SwitchFact("workflow", tenant_id="t1", workflow_id="w1"), True),
    (SwitchFact("workflow", tenant_id="t1", workflow_id="w2"), False),
    (SwitchFact("workflow", tenant_id="t2", workflow_id="w1"), False),
    (SwitchFact("vendor", tenant_id="t1", vendor="STRIPE"), True),
    (SwitchFact("vendor", tenant_id="t1", vendor="adyen"), False),
    (SwitchFact("action", tenant_id="t1", action_kind="retry"), True),
    (SwitchFact("action", tenant_id="t2", action_kind="retry"), False),
    (SwitchFact("action", tenant_id="t1", action_kind="restart"), False),
    # Without its target a switch stops everything: a stop must never be lost.
    (SwitchFact("vendor", tenant_id="t1"), True),
    (SwitchFact("workflow", tenant_id="t1"), True),
    (SwitchFact("action", tenant_id="t1"), True),
    (SwitchFact("global", blocks="both"), True),
    (SwitchFact("global", blocks="ingestion"), False),
    (SwitchFact("global", expires_at=NOW), False),
    (SwitchFact("global", expires_at=NOW + timedelta(seconds=1)), True),
]


@pytest.mark.parametrize(("switch", "covered"), COVERS, ids=range(len(COVERS)))
def test_it_knows_what_a_switch_covers(switch: SwitchFact, covered: bool) -> None:
    assert covers(switch, GOOD) is covered


def test_its_receipt_names_the_switch_that_decided() -> None:
    """The widest that covers the step; nobody where none does."""
    assert judge(facts(switches=(STOP_RETRIES, STOP_VENDOR))).stopped_by() == "k1"
    assert judge(facts(switches=(STOP_RETRIES,), attempt=9)).stopped_by() == "k2"
    assert judge(facts(attempt=9)).stopped_by() == ""
    assert judge(facts(switches=(STOP_RETRIES,), action_kind="escalate")).stopped_by() == ""
    assert judge(facts(switches_readable=False)).stopped_by() == ""


def test_it_lets_no_approval_open_a_kill_switch() -> None:
    assert judge(facts(switches=(STOP_ALL,), approved_by="anna")).outcome == "block"


def test_nothing_stands_in_the_way_of_telling_people() -> None:
    """Stopping automation must never mean that nobody hears of a failure."""
    bad = facts(
        action_kind="escalate",
        breaker_state="open",
        attempt=9,
        confidence=0.1,
        last_recovery_at=NOW,
        actions_last_hour=None,
    )
    assert judge(bad).outcome == "run"
    assert judge(replace(bad, switches=(STOP_ALL,))).outcome == "run"


@many
@given(gate_facts)
def test_it_gives_every_check_and_the_same_receipt_from_stored_facts(
    given_facts: GateFacts,
) -> None:
    receipt = judge(given_facts)
    assert tuple(one.name for one in receipt.checks) == NAMES
    assert all(one.reason.endswith(".") for one in receipt.checks)
    stored = json.loads(json.dumps(receipt.to_json(), allow_nan=False, sort_keys=True))
    assert Receipt.from_json(stored) == receipt
    assert judge(GateFacts.from_json(stored["inputs"])) == receipt


@many
@given(gate_facts)
def test_it_runs_only_if_nothing_speaks_against_it(given_facts: GateFacts) -> None:
    receipt = judge(given_facts)
    stopped = any(covers(switch, given_facts) for switch in given_facts.switches)
    if given_facts.action_kind != "retry":
        assert receipt.outcome == "run"
    elif stopped or not given_facts.switches_readable:
        assert receipt.outcome == "block"
    if receipt.outcome == "run" and given_facts.action_kind == "retry":
        assert 1 <= given_facts.attempt <= given_facts.max_attempts
        assert given_facts.breaker_state in ("closed", "half_open") or not given_facts.vendor
        most = given_facts.vendor_calls_per_minute
        if most is not None:
            assert given_facts.vendor_calls is not None
            assert given_facts.vendor_calls < most
        sure = given_facts.confidence is not None
        trusted = given_facts.trust in ("", "automatic")
        assert given_facts.approved_by or (sure and trusted and not given_facts.dry_run)
    if receipt.until is not None:
        assert receipt.outcome == "defer"
        assert receipt.until > given_facts.now


@many
@given(gate_facts)
def test_it_is_never_made_stricter_by_an_approval(given_facts: GateFacts) -> None:
    order = ["run", "wait", "defer", "block"]
    without = judge(replace(given_facts, approved_by="")).outcome
    with_it = judge(replace(given_facts, approved_by="anna")).outcome
    assert order.index(with_it) <= order.index(without)
