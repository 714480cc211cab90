"""The drill of a circuit breaker: a vendor goes down, is left alone, and comes back [S3 P10]."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage
from bench.load import event_document
from simulator.scenario import all_scenarios
from simulator.workflows import Workflow

SCENARIO = "vendor-outage"
# How the one outage shows: each has an incident, and so a recovery, of its own.
CODES = (
    *("service_unavailable", "bad_gateway", "gateway_timeout", "internal_server_error"),
    *("processing_error", "issuer_unavailable", "payment_timeout", "rate_limit_exceeded"),
    *("too_many_requests", "throttling_exception"),
)
# No recovery is due before the last failure is in, and all are held before it half-opens.
RETRY_SECONDS, OPEN_SECONDS, DOWN_SECONDS = 5, 20, 600
PROBES, PER_SECOND = 3, 2
STEPS = ["closed", "open", "half_open", "closed"]


def breaker(stage: Stage) -> Result:
    """Failures open it, recoveries are held, probes close it, the rest follows a few a second."""
    began = time.monotonic()
    result = Result("circuit breaker", events=len(CODES) + 1, action="retry")
    workflow = quick_vendor(
        stage,
        retry_seconds=RETRY_SECONDS,
        failure_threshold=len(CODES),
        open_seconds=OPEN_SECONDS,
        half_open_probes=PROBES,
        release_per_second=PER_SECOND,
    )
    _go_down(stage, result, workflow)
    held = await_(lambda: len(_held(stage)) == len(CODES))
    result.gate = f"{len(_held(stage))} held"
    result.expect("every recovery is held", kept=bool(held))
    state = _vendor(stage, workflow)["breaker_state"]
    result.expect(f"still open when all are held: {state}", kept=state == "open")
    result.expect("nothing sent while open", kept=not _starts(stage))
    stage.engine.end_outage(workflow.vendor)
    resolved = await_(lambda: _statuses(stage) == ["resolved"] * len(CODES))
    result.incidents, result.seconds = len(_statuses(stage)), time.monotonic() - began
    result.outcome = f"{_statuses(stage).count('resolved')} resolved"
    result.expect("every incident is resolved", kept=bool(resolved))
    _check_way_back(stage, result, workflow)
    return result


def quick_vendor(stage: Stage, *, retry_seconds: float, **breaker: int) -> Workflow:
    """A workflow of a vendor with such a breaker; what is sent has time to be verified."""
    from safety.models import AutomationPolicy, RetryPolicy, Vendor

    workflow = stage.engine.directory.find(all_scenarios()[SCENARIO].workflow)
    assert workflow is not None
    tenant_id = stage.tenant_id
    Vendor.objects.filter(tenant_id=tenant_id, name=workflow.vendor).update(**breaker)
    RetryPolicy.objects.filter(tenant_id=tenant_id).update(
        initial_delay_seconds=retry_seconds, max_delay_seconds=retry_seconds, jitter_ratio=0.0
    )
    AutomationPolicy.objects.filter(tenant_id=tenant_id).update(verify_seconds=60)
    return workflow


def _go_down(stage: Stage, result: Result, workflow: Workflow) -> None:
    """As many failures as open it, and one more."""
    run = stage.engine.begin_scenario(SCENARIO, recovers_after=DOWN_SECONDS)
    for code in CODES:
        failure = replace(run.scenario.failure, error_code=code)
        stage.engine.fail_one(replace(run, scenario=replace(run.scenario, failure=failure)))
    settled = [delivery.wait(30) for delivery in run.deliveries]
    accepted = len(run.event_ids)
    result.expect("as many failures as open it come in", kept=accepted == len(settled))
    payload = {"error_code": CODES[0], "vendor": workflow.vendor}
    document = event_document(stage.engine.directory.tenant_id, workflow.id, payload=payload)
    answer = stage.post("/events", document)
    refused = answer.status_code == 503 and answer.json()["code"] == "circuit_open"
    result.expect("the next one is refused with 503 circuit_open", kept=refused)
    wait = int(answer.headers.get("Retry-After", 0))
    result.expect("it says when to come again", kept=0 < wait <= OPEN_SECONDS)
    result.decision = f"{accepted} in, {answer.status_code} in {wait} s"


def _check_way_back(stage: Stage, result: Result, workflow: Workflow) -> None:
    """What its history says, and what the engine saw meanwhile."""
    history = _vendor(stage, workflow)["history"][::-1]
    result.expect("open, half-open, closed", kept=_steps(history) == STEPS)
    if _steps(history) != STEPS:
        return
    opened, half_open, closed = (datetime.fromisoformat(step["at"]) for step in history)
    starts = _starts(stage)
    early = sum(at < half_open for at in starts)
    probes = sum(half_open <= at < closed for at in starts)
    released = [at for at in starts if at >= closed]
    most = most_in_a_second(released)
    result.expect("none before it half-opens", kept=not early)
    result.expect(f"exactly {PROBES} probes: {probes}", kept=probes == PROBES)
    result.expect("each recovery is sent once", kept=len(starts) == len(CODES))
    result.expect(f"at most {PER_SECOND} a second: {most}", kept=most <= PER_SECOND)
    twice = stage.engine.ledger()["executed_more_than_once"]
    result.expect("nothing run twice", kept=not twice)
    result.table = [
        ("breaker", "lasted", "calls at the engine", "most in a second", "why it moved on"),
        ("open", _lasted(opened, half_open), str(early), "", history[1]["why"]),
        ("half-open", _lasted(half_open, closed), str(probes), "", history[2]["why"]),
        ("closed", "", str(len(released)), str(most), ""),
    ]


def _steps(history: list[dict[str, Any]]) -> list[str]:
    return [step["before"] for step in history[:1]] + [step["after"] for step in history]


def _lasted(since: datetime, until: datetime) -> str:
    return f"{(until - since).total_seconds():.1f} s"


def most_in_a_second(instants: list[datetime]) -> int:
    """How many of them any one second holds, wherever it begins."""
    second = timedelta(seconds=1)
    return max((sum(a <= b < a + second for b in instants) for a in instants), default=0)


def _vendor(stage: Stage, workflow: Workflow) -> dict[str, Any]:
    vendor: dict[str, Any] = stage.get(f"/vendors/{workflow.vendor}")
    return vendor


def _held(stage: Stage) -> list[dict[str, Any]]:
    """The recoveries that the breaker puts off."""
    planned = stage.get("/actions", status="planned", type="retry")["results"]
    return [action for action in planned if action["receipt"]["outcome"] == "defer"]


def _statuses(stage: Stage) -> list[str]:
    return [incident["status"] for incident in stage.get("/incidents")["results"]]


def _starts(stage: Stage) -> list[datetime]:
    """When each request for a retry reached the engine, by this machine's one clock."""
    requests = stage.engine.ledger()["requests"]
    posts = [request["at"] for request in requests if request["method"] == "POST"]
    return [datetime.fromisoformat(at) for at in posts]
