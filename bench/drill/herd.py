"""A vendor comes back while many recoveries are held: they start by the caps, and all of them."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from bench.drill.breakers import most_in_a_second, quick_vendor
from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage
from bench.load import event_document
from simulator.workflows import Workflow

HELD, CONNECTIONS = 60, 10
# So many may automation send in an hour; the rest asks a person.
PER_HOUR, PER_SECOND = 40, 10
# No recovery is due before the last failure is in, and all are held before it half-opens.
RETRY_SECONDS, OPEN_SECONDS = 10, 20


def herd(stage: Stage) -> Result:
    """Held by the breaker, released a few a second, up to the cap of the hour; then by a person."""
    began = time.monotonic()
    result = Result("thundering herd", events=HELD, action="retry")
    workflow = _set_up(stage)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        statuses = Counter(pool.map(lambda n: _fail(stage, workflow, n), range(HELD)))
    result.expect(f"every failure comes in: {dict(statuses)}", kept=statuses == {201: HELD})
    await_(lambda: _count(stage, "planned", receipt__outcome="defer") == HELD)
    held = _count(stage, "planned", receipt__outcome="defer")
    result.expect(f"{HELD} recoveries are held: {held}", kept=held == HELD)
    result.expect("nothing sent while open", kept=not _posts(stage))
    await_(lambda: _count(stage, "waiting") + _count(stage, "succeeded") == HELD)
    time.sleep(1)  # one more would come now
    by_itself, waiting = _posts(stage), _count(stage, "waiting")
    most = most_in_a_second(list(by_itself.values()))
    result.expect(f"{PER_HOUR} by itself: {len(by_itself)}", kept=len(by_itself) == PER_HOUR)
    result.expect(f"at most {PER_SECOND} a second: {most}", kept=most <= PER_SECOND)
    result.expect(f"the rest asks: {waiting}", kept=waiting == HELD - PER_HOUR)
    result.gate = f"{held} held, {waiting} wait"
    _approve(stage)
    await_(lambda: _count(stage, "succeeded") == HELD)
    sent, ended = _posts(stage), _count(stage, "succeeded")
    result.expect(f"each is sent: {len(sent)}", kept=len(sent) == HELD)
    result.expect(f"and helps: {ended}", kept=ended == HELD)
    requests = [one for one in stage.engine.ledger()["requests"] if one["method"] == "POST"]
    result.expect("nothing is sent twice", kept=len(requests) == len(sent))
    result.expect("the breaker is closed", kept=_breaker(stage, workflow) == "closed")
    result.incidents, result.seconds = HELD, time.monotonic() - began
    result.outcome = f"{ended} recovered, {most} in a second"
    return result


def _set_up(stage: Stage) -> Workflow:
    """A workflow of a vendor with a quick breaker, under small caps."""
    from safety.models import AutomationPolicy

    workflow = quick_vendor(
        stage,
        retry_seconds=RETRY_SECONDS,
        failure_threshold=HELD,
        open_seconds=OPEN_SECONDS,
        release_per_second=PER_SECOND,
    )
    policies = AutomationPolicy.objects.filter(tenant_id=stage.tenant_id)
    policies.update(max_actions_per_hour=PER_HOUR)
    return workflow


def _fail(stage: Stage, workflow: Workflow, number: int) -> int:
    """A failure with an incident, and so a recovery, of its own; what is run again succeeds."""
    document = event_document(
        stage.tenant_id,
        workflow.id,
        payload={"error_code": "service_unavailable", "vendor": workflow.vendor},
        fingerprint=f"herd-{number}",
        resource_type=workflow.resource_type,
        resource_id=f"herd-{number}",
    )
    return stage.post("/events", document).status_code


def _count(stage: Stage, status: str, **more: str) -> int:
    from actions.models import Action

    rows = Action.objects.filter(tenant_id=stage.tenant_id, kind="retry", status=status, **more)
    return rows.count()


def _posts(stage: Stage) -> dict[str, datetime]:
    """When the request for each retry first reached the engine."""
    requests = stage.engine.ledger()["requests"]
    posts = [one for one in requests if one["method"] == "POST"]
    return {one["key"]: datetime.fromisoformat(one["at"]) for one in reversed(posts)}


def _approve(stage: Stage) -> None:
    waiting = stage.get("/actions", status="waiting", type="retry", page_size=100)["results"]
    for action in waiting:
        stage.post(f"/actions/{action['id']}/approve", {}).raise_for_status()


def _breaker(stage: Stage, workflow: Workflow) -> str:
    return str(stage.get(f"/vendors/{workflow.vendor}")["breaker_state"])
