"""Stop under load: in shadow for the time it takes, for real for what starts late [S6 P7]."""

from __future__ import annotations

import itertools
import time
from typing import Any

from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage

SHADOW = 100
REAL = 20
PATIENCE_SECONDS = 180
# So many are due whenever a switch is pressed, and again as soon as fewer are left.
DUE = 40
_numbers = itertools.count(1)


def kill_switch(stage: Stage) -> Result:
    """Retries are always due. Nothing starts after "stop" has answered; what was skipped is listed,
    run by hand and recovers."""
    from actions.drill import Drill, press
    from safety.models import KillSwitch

    result, drill = Result("kill switch"), Drill()
    for _ in range(SHADOW):
        _keep_due(stage)
        press(drill, KillSwitch(scope="tenant", tenant=_tenant(stage)))
    result.expect("shadow presses hold nothing back", kept=not _actions(stage, "blocked"))
    answered, late, switches = [], set[str](), []
    for _ in range(REAL):
        switch, seconds, started_late = _stop_and_resume(stage)
        answered.append(seconds)
        late |= started_late
        switches.append(switch)
    result.expect("nothing starts after stop has answered", kept=not late)
    held = _actions(stage, "blocked")
    began = time.monotonic()
    result.expect(
        "each skipped one is listed and run by hand", kept=_replay(stage, switches) == held
    )
    recovered = await_(lambda: held <= _actions(stage, "succeeded"), PATIENCE_SECONDS)
    result.expect("what was skipped recovers", kept=bool(held) and bool(recovered))
    result.seconds = time.monotonic() - began
    twice = stage.engine.ledger()["executed_more_than_once"]
    result.expect("nothing sent twice", kept=not twice)
    result.incidents = len(_received(stage))
    result.action, result.gate = "retry", f"{len(held)} held"
    result.outcome = f"{len(late)} late starts"
    result.table = [
        ("time to stop", "presses", "p50", "p99"),
        ("in shadow, to the commit", str(SHADOW), *_percentiles(drill.seconds)),
        ("for real, to the answer", str(REAL), *_percentiles(answered)),
    ]
    return result


def _stop_and_resume(stage: Stage) -> tuple[str, float, set[str]]:
    """The switch, the seconds to its answer, and the keys that started though it was engaged.

    What may still arrive is what was marked as being sent when "stop" answered; no clocks are
    compared.
    """
    _keep_due(stage)
    began = time.monotonic()
    answer = stage.post("/kill-switches", {"scope": "tenant", "reason": "drill"})
    seconds = time.monotonic() - began
    answer.raise_for_status()
    switch = answer.json()["id"]
    under_way = _marked(stage)
    await_(lambda: stage.get(f"/kill-switches/{switch}/held")["results"])
    late = (_marked(stage) | _received(stage)) - under_way
    stage.post(f"/kill-switches/{switch}/release", {"reason": "drill"}).raise_for_status()
    _keep_due(stage)
    await_(lambda: _marked(stage) - under_way)
    return switch, seconds, late


def _replay(stage: Stage, switches: list[str]) -> set[str]:
    """Run all that the switches hold; the ids of what was planned again."""
    done = set()
    for switch in switches:
        while held := stage.get(f"/kill-switches/{switch}/held", status="blocked")["results"]:
            body = {"action_ids": [action["id"] for action in held]}
            verdicts = stage.post(f"/kill-switches/{switch}/replay", body).json()["results"]
            ran = {verdict["action_id"] for verdict in verdicts if verdict["outcome"] == "done"}
            done |= ran
            if not ran:
                break
    return done


def _percentiles(seconds: list[float]) -> tuple[str, str]:
    from actions.management.commands.stop_drill import nearest_rank

    half, most = (f"{1000 * nearest_rank(seconds, percent):.1f} ms" for percent in (50, 99))
    return half, most


def _tenant(stage: Stage) -> Any:
    from tenants.models import Tenant

    return Tenant.objects.get(pk=stage.ids()[0])


def _actions(stage: Stage, status: str) -> set[str]:
    from actions.models import Action

    rows = Action.objects.filter(tenant_id=stage.ids()[0], status=status)
    return {str(pk) for pk in rows.values_list("pk", flat=True)}


def _marked(stage: Stage) -> set[str]:
    """The keys of all that was ever marked as being sent."""
    from actions.models import Action

    rows = Action.objects.filter(tenant_id=stage.ids()[0]).exclude(sent_at=None)
    return {str(pk) for pk in rows.values_list("pk", flat=True)}


def _received(stage: Stage) -> set[str]:
    """The keys of all requests for a retry that reached the engine."""
    requests = stage.engine.ledger()["requests"]
    return {request["key"] for request in requests if request["method"] == "POST"}


def _keep_due(stage: Stage) -> None:
    """Retries that a person asked for, due now, each of an order and an incident of its own."""
    from django.utils import timezone

    from actions.models import Action
    from awfdrs_site.kernel import handoff
    from incidents.models import FailingResource, Incident

    tenant_id, workflow_id = stage.ids()
    due = Action.objects.filter(tenant_id=tenant_id, status="planned").count()
    if due >= DUE // 2:
        return
    now = timezone.now()
    common: dict[str, Any] = {"tenant_id": tenant_id, "workflow_id": workflow_id}
    incidents = Incident.objects.bulk_create(
        Incident(
            **common,
            number=number,
            signature=f"stop-{number}",
            signature_kind="code",
            signature_text="payment_timeout",
            title="Timed out",
            status="actioned",
            first_seen_at=now,
            last_seen_at=now,
            opened_at=now,
        )
        for number in itertools.islice(_numbers, DUE)
    )
    FailingResource.objects.bulk_create(
        FailingResource(
            incident=incident,
            resource_type="order",
            resource_id=str(incident.number),
            failed_at=now,
        )
        for incident in incidents
    )
    Action.objects.bulk_create(
        Action(
            tenant_id=tenant_id,
            incident=incident,
            kind="retry",
            created_at=now,
            due_at=now,
            decided_at=now,
            decided_by_name="drill",
        )
        for incident in incidents
    )
    handoff.ring_on_commit("send")
