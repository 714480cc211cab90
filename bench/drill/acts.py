"""Playing the scenarios and checking what came of them, seen from outside by the REST API."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from bench.drill import (
    breakers,
    forecast,
    herd,
    limits,
    rebuild,
    recoveries,
    redis_gone,
    stops,
)
from bench.drill.result import ITEMS, Result, await_
from bench.drill.stage_set import Stage, a_stage, worker_pid
from bench.instance import Instance
from bench.load import event_document
from simulator.engine import ScenarioRun
from simulator.scenario import RecoveryKind, Scenario, all_scenarios

# In place of the scenario's own length, so that a drill takes seconds: (items, recovers after).
SHORT: dict[RecoveryKind, float] = {RecoveryKind.OUTAGE: 4.0, RecoveryKind.ITSELF: 3.0}


def all_drills() -> dict[str, Callable[[Instance], Result]]:
    """Every scenario of the simulator, then the drills that are no scenario, in their order."""
    scenarios = all_scenarios().items()
    staged: dict[str, Callable[[Stage], Result]] = {
        **{name: partial(play, scenario=scenario) for name, scenario in scenarios},
        "duplicates": duplicates,
        "worker-killed": worker_killed,
        "plan-verified": recoveries.verified,
        "plan-rolled-back": recoveries.rolled_back,
        "plan-worker-killed": recoveries.worker_killed,
        "rebuild": rebuild.rebuild,
        "kill-switch": stops.kill_switch,
        "breaker": breakers.breaker,
        "herd": herd.herd,
        "rate-limit": limits.rate_limit,
        "redis-gone": redis_gone.redis_gone,
    }
    drills = {name: partial(_on_a_stage, drill) for name, drill in staged.items()}
    return {**drills, "what-if": forecast.what_if}


def _on_a_stage(drill: Callable[[Stage], Result], instance: Instance) -> Result:
    with a_stage(instance) as stage:
        return drill(stage)


def play(stage: Stage, scenario: Scenario) -> Result:
    """Let it fail, wait for decision and action, approve where a person is asked, see it end."""
    if scenario.expected.gate == "block":
        _switch_off(stage.workflow_id(scenario.workflow))
    began = time.monotonic()
    recovery = SHORT.get(scenario.recovery.kind)
    run = stage.engine.run_scenario(scenario.name, items=ITEMS, recovers_after=recovery)
    result = Result(scenario.name, events=len(run.event_ids))
    result.expect("every event accepted", kept=len(run.event_ids) == len(run.deliveries))
    incident = _incident_of(stage, run)
    actions = await_(lambda: stage.get(f"/incidents/{incident['id']}/actions")["results"])
    first = min(actions, key=lambda action: action["id"])
    _describe(stage, result, incident, first)
    result.expect(
        f"action {scenario.expected.action}", kept=result.action == scenario.expected.action
    )
    result.expect(f"gate {scenario.expected.gate}", kept=result.gate == scenario.expected.gate)
    if result.gate == "wait":
        _approve(stage, result, first)
    final = _await_end(stage, incident["id"], scenario.expected.final_status)
    result.outcome = _outcome(final)
    if final["status"] == "resolved":
        result.seconds = time.monotonic() - began
    wanted = scenario.expected.final_status
    result.expect(f"ends {wanted}", kept=final["status"] == wanted)
    result.incidents = len(_incidents_of(stage, run))
    _check_sends(stage, result, scenario, run)
    return result


def _incidents_of(stage: Stage, run: ScenarioRun) -> set[str]:
    from incidents.models import IncidentEvent

    rows = IncidentEvent.objects.filter(event_id__in=run.event_ids, event__kind="failure")
    return {str(pk) for pk in rows.values_list("incident_id", flat=True)}


def _incident_of(stage: Stage, run: ScenarioRun) -> dict[str, Any]:
    """The incident of the scenario's own workflow (a cascade has a second one)."""

    def look() -> list[dict[str, Any]]:
        found = [stage.get(f"/incidents/{pk}") for pk in _incidents_of(stage, run)]
        own = [i for i in found if i["workflow"]["id"] == run.workflow.id]
        return own if all(i["status"] not in ("new", "analyzing") for i in own) else []

    found: list[dict[str, Any]] = await_(look)
    if not found:
        raise RuntimeError(f"{run.scenario.name}: no incident was decided on")
    return found[0]


def _describe(
    stage: Stage, result: Result, incident: dict[str, Any], action: dict[str, Any]
) -> None:
    decision = stage.get(f"/incidents/{incident['id']}/decisions")["results"][-1]
    result.decision = f"{decision['type']} {decision['confidence']:.2f}"
    result.gate = action["receipt"]["outcome"]
    result.action = action["kind"]


def _approve(stage: Stage, result: Result, action: dict[str, Any]) -> None:
    sends = _sends(stage, action["id"])
    result.expect("nothing sent before the approval", kept=sends == 0)
    body = {"comment": "approved by the drill"}
    answer = stage.post(f"/actions/{action['id']}/approve", body)
    result.expect("approval taken", kept=answer.status_code == 200)
    again = stage.post(f"/actions/{action['id']}/approve", body)
    result.expect("second approval 409", kept=again.status_code == 409)


def _sends(stage: Stage, key: str) -> int:
    requests = stage.engine.ledger(key)["requests"]
    return sum(1 for request in requests if request["method"] == "POST")


def _await_end(stage: Stage, incident_id: str, status: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        incident = stage.get(f"/incidents/{incident_id}")
        settled = incident["recovery"] not in ("running", "verifying")
        return incident if incident["status"] == status and settled else None

    ended: dict[str, Any] | None = await_(look)
    return ended or stage.get(f"/incidents/{incident_id}")


def _outcome(incident: dict[str, Any]) -> str:
    return " ".join(filter(None, (incident["status"], incident["recovery"])))


def _check_sends(stage: Stage, result: Result, scenario: Scenario, run: ScenarioRun) -> None:
    """Nothing twice anywhere; nothing at all where nothing may be sent."""
    ledger = stage.engine.ledger()
    result.expect("no key run twice", kept=not ledger["executed_more_than_once"])
    if scenario.expected.action != "retry" or scenario.expected.gate == "block":
        names = {f"{run.workflow.name}/{r.type}/{r.id}" for r in run.resources}
        result.expect("nothing sent", kept=not names & set(ledger["item_runs"]))


def _switch_off(workflow_id: str) -> None:
    from django.utils import timezone

    from awfdrs_site.kernel.actor import Actor
    from safety.services import engage_switch
    from tenants.models import Workflow

    workflow = Workflow.objects.select_related("tenant").get(pk=workflow_id)
    engage_switch(
        tenant=workflow.tenant,
        scope="workflow",
        workflow=workflow,
        reason="drill",
        actor=Actor("person", "drill"),
        now=timezone.now(),
    )


def duplicates(stage: Stage) -> Result:
    """The same event from twenty connections at once: stored once, told to all others."""
    document = event_document(*stage.ids())
    document["event_type"] = "drill.info"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: stage.post("/events", document), range(20)))
    statuses = Counter(answer.status_code for answer in answers)
    ids = {answer.json()["event_id"] for answer in answers}
    result = Result("duplicate posts", events=20, outcome=f"stored {len(ids)}")
    result.expect("one 201, nineteen 409", kept=statuses == {201: 1, 409: 19})
    result.expect("all name the one event", kept=len(ids) == 1)
    return result


def worker_killed(stage: Stage) -> Result:
    """kill -9 of the worker while a burst of failures is worked on: nothing lost or sent twice."""
    from incidents.models import IncidentEvent

    pid = worker_pid(stage.instance.process.pid)
    began = time.monotonic()
    run = stage.engine.begin_scenario("payment-timeout", recovers_after=1)
    for number in range(40):
        stage.engine.fail_one(run)
        if number == 15 and pid is not None:
            os.kill(pid, signal.SIGKILL)
    for delivery in list(run.deliveries):
        delivery.wait(30)
    result = Result(
        "worker killed", events=len(run.event_ids), decision="", gate="", action="retry"
    )
    result.expect("the worker was there to kill", kept=pid is not None)
    members = IncidentEvent.objects.filter(event_id__in=run.event_ids)
    await_(lambda: members.count() == len(run.event_ids))
    result.expect("no event lost", kept=members.count() == 40)
    incident_id = str(members.values_list("incident_id", flat=True)[0])
    final = _await_end(stage, incident_id, "resolved")
    result.incidents, result.outcome = 1, _outcome(final)
    result.seconds = time.monotonic() - began
    result.expect("recovered", kept=final["status"] == "resolved")
    twice = stage.engine.ledger()["executed_more_than_once"]
    result.expect("nothing sent twice", kept=not twice)
    revived = worker_pid(stage.instance.process.pid)
    result.expect("the worker is back", kept=revived not in (None, pid))
    return result


def broken(results: Sequence[Result]) -> list[str]:
    """Every promise that was not kept, with its scenario."""
    return [f"{result.scenario}: {promise}" for result in results for promise in result.broken]
