"""The drill of the rate limits: exactly the limit comes in, the rest is told when to come."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from bench.drill.result import ITEMS, Result
from bench.drill.stage_set import Stage
from bench.load import event_document
from simulator.scenario import all_scenarios

PER_MINUTE, TOO_MANY, CONNECTIONS = 30, 20, 10
# The window and the simulator's jitter on Retry-After.
PATIENCE_SECONDS = 120
SCENARIO = "payment-timeout"


def rate_limit(stage: Stage) -> Result:
    """A flood about one vendor from ten connections, then the simulator's own events of it."""
    from safety.models import Vendor

    workflow = next(
        one
        for one in stage.engine.directory.workflows
        if one.name == all_scenarios()[SCENARIO].workflow
    )
    tenant_id = stage.engine.directory.tenant_id
    vendor = Vendor.objects.filter(tenant_id=tenant_id, name=workflow.vendor)
    vendor.update(requests_per_minute=PER_MINUTE)

    def post(_: int) -> tuple[int, int]:
        document = event_document(
            tenant_id, workflow.id, event_type="drill.info", payload={"vendor": workflow.vendor}
        )
        answer = stage.post("/events", document)
        return answer.status_code, int(answer.headers.get("Retry-After", 0))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        answers = list(pool.map(post, range(PER_MINUTE + TOO_MANY)))
    statuses = Counter(status for status, _ in answers)
    run = stage.engine.run_scenario(SCENARIO, items=ITEMS, recovers_after=0)
    settled = [delivery.wait(PATIENCE_SECONDS) for delivery in list(run.deliveries)]
    waited = stage.engine.sender.counts().codes["rate_limited"]
    late = len(run.event_ids)
    result = Result("rate limit", events=len(answers) + late)
    result.outcome = f"{statuses[201]} in, {statuses[429]} told to wait, {late} in later"
    result.expect(
        f"exactly {PER_MINUTE} in: {dict(statuses)}",
        kept=statuses == {201: PER_MINUTE, 429: TOO_MANY},
    )
    told = all(1 <= seconds <= 60 for status, seconds in answers if status == 429)
    result.expect("every 429 says when to come again", kept=told)
    result.expect("the simulator was told to wait, too", kept=waited >= 1)
    result.expect("all it posted came in later", kept=all(settled) and late == len(run.deliveries))
    return result
