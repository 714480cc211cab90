"""Stop under load: in shadow for the time it takes, for real for what starts late [S6 P7]."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage

SHADOW, REAL = 100, 200
# So many start between two stops, and the last stops' skipped ones are run by hand.
STARTS, REPLAYED = 5, 10
PATIENCE_SECONDS = 180
# So many are due whenever a switch is pressed, and again as soon as fewer than half are left.
DUE = 100
# The storm is about starts: what was started is run again when it is over, or never.
LATER_SECONDS = 3_600
_numbers = itertools.count(1)


@dataclass
class Storm:
    """What stop after stop came to. `seconds`: each stop's, to its answer; `late`: what started
    between a stop's answer and its release; `starts` in `running_seconds`: while none was engaged.
    """

    switches: list[UUID] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    late: set[UUID] = field(default_factory=set)
    starts: int = 0
    running_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.starts / self.running_seconds


def kill_switch(stage: Stage) -> Result:
    """Retries are always due. Nothing starts after "stop" has answered; what was skipped is listed,
    run by hand and recovers."""
    from actions.controls.drill import Drill, press
    from safety.models import AutomationPolicy, KillSwitch

    tenant = _tenant(stage)
    AutomationPolicy.objects.filter(tenant=tenant).update(verify_seconds=2 * LATER_SECONDS)
    stage.engine.control(delay_seconds=LATER_SECONDS)
    result, drill = Result("kill switch", action="retry"), Drill()
    for _ in range(SHADOW):
        _keep_due(stage)
        press(drill, KillSwitch(scope="tenant", tenant=tenant))
    result.expect("shadow presses hold nothing back", kept=not _skipped(stage).exists())
    storm = _storm(stage)
    result.expect("nothing starts after stop has answered", kept=not storm.late)
    result.gate = f"{_skipped(stage).count()} held"
    result.outcome = f"{len(storm.late)} late starts"
    stage.engine.control(delay_seconds=0.3)
    began = time.monotonic()
    _run_by_hand(stage, result, storm.switches[-REPLAYED:])
    result.seconds = time.monotonic() - began
    received = _received(stage)
    result.incidents = len(received)
    result.expect("only what was marked is sent", kept=set(received) <= _marked(stage))
    result.expect("nothing sent twice", kept=set(received.values()) == {1})
    rate = f"{storm.per_second:.0f} a second"
    result.table = [
        ("time to stop", "presses", "p50", "p99", "starts while running"),
        ("in shadow, to the commit", str(SHADOW), *_percentiles(drill.seconds), ""),
        ("for real, to the answer", str(REAL), *_percentiles(storm.seconds), rate),
    ]
    return result


def _storm(stage: Stage) -> Storm:
    """Stop and resume for real, each seen to bite, each after some have started again.

    What may still arrive is what was marked as being sent when "stop" answered; no clocks are
    compared.
    """
    storm, before, released_at = Storm(), len(_marked(stage)), time.monotonic()
    for _ in range(REAL):
        _keep_due(stage)
        await_(lambda enough=before + STARTS: len(_marked(stage)) >= enough)  # type: ignore[misc]
        began = time.monotonic()
        answer = stage.post("/kill-switches", {"scope": "tenant", "reason": "drill"})
        answer.raise_for_status()
        answered_at, under_way = time.monotonic(), _marked(stage)
        switch = UUID(answer.json()["id"])
        storm.seconds.append(answered_at - began)
        storm.switches.append(switch)
        storm.starts += len(under_way) - before
        storm.running_seconds += answered_at - released_at
        await_(_skipped(stage, [switch]).exists)
        storm.late |= _marked(stage) - under_way
        before = len(under_way)
        release = stage.post(f"/kill-switches/{switch}/release", {"reason": "drill"})
        release.raise_for_status()
        released_at = time.monotonic()
    return storm


def _run_by_hand(stage: Stage, result: Result, switches: list[UUID]) -> None:
    from actions.models import Action

    held = set(_skipped(stage, switches).values_list("pk", flat=True))
    replayed = _replay(stage, switches)
    # A worker that the last stop had caught may write so only now: one more than was held before.
    everything = held <= replayed and not _skipped(stage, switches).exists()
    result.expect("each skipped one is listed and run by hand", kept=everything)
    ended = Action.objects.filter(pk__in=replayed, status="succeeded")
    recovered = await_(lambda: ended.count() == len(replayed), PATIENCE_SECONDS)
    result.expect("what was skipped recovers", kept=bool(held) and bool(recovered))


def _replay(stage: Stage, switches: list[UUID]) -> set[UUID]:
    """Run all that the switches hold; the ids of what was planned again."""
    done = set[UUID]()
    for switch in switches:
        while held := stage.get(f"/kill-switches/{switch}/held", status="blocked")["results"]:
            body = {"action_ids": [action["id"] for action in held]}
            verdicts = stage.post(f"/kill-switches/{switch}/replay", body).json()["results"]
            ran = {UUID(one["action_id"]) for one in verdicts if one["outcome"] == "done"}
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


def _skipped(stage: Stage, switches: list[UUID] | None = None) -> Any:
    """What stops have skipped: those of `switches`, or all."""
    from actions.models import Action

    rows = Action.objects.filter(tenant_id=stage.ids()[0], status="blocked")
    return rows if switches is None else rows.filter(stopped_by__in=switches)


def _marked(stage: Stage) -> set[UUID]:
    """The keys of all that was ever marked as being sent."""
    from actions.models import Action

    rows = Action.objects.filter(tenant_id=stage.ids()[0]).exclude(sent_at=None)
    return set(rows.values_list("pk", flat=True))


def _received(stage: Stage) -> Counter[UUID]:
    """The keys of all requests for a retry that reached the engine."""
    requests = stage.engine.ledger()["requests"]
    return Counter(UUID(one["key"]) for one in requests if one["method"] == "POST")


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
