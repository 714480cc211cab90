"""Every scenario: valid events, the recovery it promises, and readable data."""

import random
from itertools import islice, pairwise
from typing import Any

import pytest

from simulator.engine import Engine
from simulator.scenario import (
    SCENARIO_FOLDER,
    RecoveryKind,
    ScenarioError,
    all_scenarios,
    parse_scenario,
)
from simulator.story import OPENING, mend_after_seconds, runs_per_second, scenario_order
from tests.simulator.fake_awfdrs import FakeAwfdrs
from tests.simulator.retry_client import RetryClient

FAILURES = (".failed", ".error", ".timeout", ".timed_out", ".rejected", ".aborted")
NAMES = list(all_scenarios())


def of_kind(kind: RecoveryKind) -> list[str]:
    return [name for name, s in all_scenarios().items() if s.recovery.kind is kind]


def test_it_reads_every_file() -> None:
    """One scenario a file, each kind of recovery and of outcome at least once."""
    assert len(NAMES) == len(list(SCENARIO_FOLDER.iterdir()))
    assert {s.recovery.kind for s in all_scenarios().values()} == set(RecoveryKind)
    assert {s.expected.gate for s in all_scenarios().values()} == {"run", "wait", "block"}
    assert {s.expected.action for s in all_scenarios().values()} == {"retry", "escalate", "none"}


@pytest.mark.parametrize("name", NAMES)
def test_it_posts_valid_events(name: str, engine: Engine, awfdrs: FakeAwfdrs) -> None:
    """The fake checks the shape; here: kinds, unique keys, realistic payloads."""
    run = engine.run_scenario(name, items=3)
    assert [delivery.fate for delivery in run.deliveries] == ["accepted"] * len(run.deliveries)
    assert len(run.event_ids) == len(awfdrs.events) == len(run.deliveries)
    keys = {event["idempotency_key"] for event in awfdrs.events}
    assert len(keys) == len(awfdrs.events)
    failures = [e for e in awfdrs.events if e["event_type"].endswith(FAILURES)]
    assert len(failures) == len(run.resources) >= 3
    assert len({(e["resource_type"], e["resource_id"]) for e in failures}) == len(failures)
    for event in failures:
        payload = event["payload"]
        assert payload["error_message"]
        assert "{" not in payload["error_message"]
        assert payload["duration_ms"] > 0
        assert payload["attempt"] == 1
    changes = [e for e in awfdrs.events if e["event_type"].startswith(("deploy.", "change."))]
    assert len(changes) == (run.scenario.before is not None)
    assert not any(change["event_type"].endswith(FAILURES) for change in changes)


@pytest.mark.parametrize("name", of_kind(RecoveryKind.RETRY))
def test_retries_heal_a_retry_scenario(name: str, engine: Engine, client: RetryClient) -> None:
    """At the number of retries the scenario draws, not before."""
    run = engine.run_scenario(name, items=2, recovers_after=2)
    causes = [item for item in run.items if item.cause is None]
    body = [{"resource_type": i.resource.type, "resource_id": i.resource.id} for i in causes]
    assert client.retry(run, resources=body) == "failed"
    assert client.retry(run, resources=body, attempt=2) == "succeeded"


def test_a_follower_heals_only_after_its_cause(engine: Engine, client: RetryClient) -> None:
    """The receipt of a payment fails again until the payment went through; one correlation id."""
    run = engine.run_scenario("cascade", items=1, recovers_after=1)
    payment, receipt = run.items
    assert payment.correlation_id == receipt.correlation_id
    followers = {
        "workflow_id": receipt.workflow.id,
        "resources": [{"resource_type": receipt.resource.type, "resource_id": receipt.resource.id}],
    }
    causes = [{"resource_type": payment.resource.type, "resource_id": payment.resource.id}]
    assert client.retry(run, **followers) == "failed"
    assert client.retry(run, resources=causes) == "succeeded"
    assert client.retry(run, **followers, attempt=2) == "succeeded"


def test_an_outage_fails_every_retry_until_it_ends(engine: Engine, client: RetryClient) -> None:
    """The drill can end it at will."""
    run = engine.run_scenario("vendor-outage", items=2, recovers_after=3_600)
    assert client.retry(run) == "failed"
    assert engine.end_outage("stripe") == 1
    assert client.retry(run, attempt=2) == "succeeded"
    assert engine.end_outage("stripe") == 0


@pytest.mark.parametrize("name", of_kind(RecoveryKind.PERSON))
def test_retries_never_heal_what_a_person_must(
    name: str, engine: Engine, client: RetryClient
) -> None:
    """Until somebody mends it; then the engine runs the rest itself."""
    run = engine.run_scenario(name, items=1)
    assert [client.retry(run, attempt=n) for n in (1, 2, 3)] == ["failed"] * 3
    engine.mend(run.trouble)
    assert engine.troubles.failed() == []


def test_some_trouble_ends_by_itself(engine: Engine, awfdrs: FakeAwfdrs) -> None:
    """The engine's own later run succeeds and is reported, without any retry asked for."""
    run = engine.run_scenario("self-recovery", items=2, recovers_after=0.05)
    events = awfdrs.wait_for_events(len(run.resources) * 2)
    kinds = sorted(event["event_type"] for event in events)
    assert kinds == ["receipt.send.failed"] * 2 + ["receipt.send.succeeded"] * 2
    assert engine.ledger()["received"] == 0


GOOD: dict[str, Any] = {
    "title": "t",
    "failure": {
        "workflow": "payments.capture",
        "messages": ["m"],
        "severity": "low",
        "duration_ms": [1, 2],
    },
    "items": [1, 1],
    "spread_seconds": [0, 0],
    "recovery": {"kind": "retry", "range": [1, 1]},
    "expected": {"action": "retry", "gate": "run", "final_status": "resolved"},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"items": [2, 1]},
        {"items": 3},
        {"recovery": {"kind": "magic", "range": [1, 1]}},
        {"recovery": {"kind": "retry"}},
        {"failure": {**GOOD["failure"], "workflow": "nothing"}},
        {"failure": {**GOOD["failure"], "colour": "red"}},
        {"expected": {**GOOD["expected"], "gate": "open"}},
        {"colour": "red"},
    ],
)
def test_it_names_the_scenario_that_is_wrong(changes: dict[str, Any]) -> None:
    """A wrong file is found when it is read, by its name."""
    assert parse_scenario("good", GOOD).workflow == "payments.capture"
    with pytest.raises(ScenarioError, match="scenario wrong"):
        parse_scenario("wrong", {**GOOD, **changes})


def test_the_story_has_variety() -> None:
    """Weighted, seeded, never twice the same in a row, all of them sooner or later."""
    names = [s.name for s in islice(scenario_order(random.Random(3)), 400)]
    assert names == [s.name for s in islice(scenario_order(random.Random(3)), 400)]
    assert all(one != next_one for one, next_one in pairwise(names))
    assert set(names) == set(NAMES)
    assert tuple(names[: len(OPENING)]) == OPENING


def test_the_storys_rate_waves_around_what_was_asked() -> None:
    """Over a whole wave the mean is the asked rate, and it is never 0."""
    paces = [runs_per_second(60, second) for second in range(900)]
    assert sum(paces) / len(paces) == pytest.approx(1.0)
    assert 0.6 < min(paces) < 0.7
    assert 1.3 < max(paces) < 1.4


def test_in_the_story_everything_is_mended_at_last() -> None:
    """By a person after a while, or by the engine itself."""
    for scenario in all_scenarios().values():
        after = mend_after_seconds(scenario, scenario.recovery.high)
        by_itself = scenario.recovery.kind is RecoveryKind.ITSELF
        assert (after is None) == by_itself
        assert after is None or after >= scenario.recovery.high
