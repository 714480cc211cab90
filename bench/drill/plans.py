"""What drills of recovery plans share: rules that name a plan, and how its recoveries stand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage
from simulator.engine import ScenarioRun

if TYPE_CHECKING:
    from actions.models import Recovery
    from actions.plans.models import RecoveryPlan

# One retry of the engine mends it.
SCENARIO = "payment-timeout"
SECRET = "whsec_" + "ZHJpbGwtZHJpbGwtZHJpbGwtZHJpbGwtZHJpbGw="


def save(stage: Stage, source: str) -> RecoveryPlan:
    from django.utils import timezone

    from actions.plans.templates import save_plan
    from awfdrs_site.kernel.actor import Actor
    from tenants.models import Tenant

    tenant, actor = Tenant.objects.get(pk=stage.tenant_id), Actor("person", "drill")
    return save_plan(tenant=tenant, source=source, actor=actor, now=timezone.now())


def give(stage: Stage, source: str, codes: Sequence[str]) -> None:
    """Let failures with one of `codes` get the plan in `source`, without asking anybody."""
    from safety.models import AutomationPolicy, ErrorCode, RetryPolicy

    plan = save(stage, source)
    never = RetryPolicy.objects.get(tenant_id=stage.tenant_id, name="no_retry")
    ErrorCode.objects.bulk_create(
        ErrorCode(
            tenant_id=stage.tenant_id,
            code=code,
            category="network_failure",
            retry_policy=never,
            plan=plan.name,
        )
        for code in codes
    )
    policies = AutomationPolicy.objects.filter(tenant_id=stage.tenant_id)
    policies.update(confidence_threshold=0.5, trust_start_plan="automatic")


def connect(stage: Stage, kind: str, name: str, secret: str, **settings: str) -> None:
    """A connector that really calls."""
    from actions.connectors.models import Connector

    connector = Connector(
        tenant_id=stage.tenant_id, kind=kind, name=name, settings=settings, dry_run=False
    )
    connector.keep_secret(secret)
    connector.save()


def begin_run(stage: Stage, code: str) -> ScenarioRun:
    """A trouble that shows as `code`; nothing has failed yet."""
    run = stage.engine.begin_scenario(SCENARIO, recovers_after=1)
    failure = replace(run.scenario.failure, error_code=code)
    return replace(run, scenario=replace(run.scenario, failure=failure))


def fail(stage: Stage, code: str) -> ScenarioRun:
    run = begin_run(stage, code)
    stage.engine.fail_one(run)
    return run


def recovery_of(stage: Stage, code: str) -> Recovery:
    """The newest recovery of the incident whose failures have the code; waits for it."""
    from actions.models import Recovery

    rows = Recovery.objects.filter(
        incident__tenant_id=stage.tenant_id, incident__signature_text=code
    )
    found: Recovery = await_(rows.order_by("-created_at").first)
    if found is None:
        raise RuntimeError(f"{code}: no recovery began")
    return found


def await_state(recovery: Recovery, *states: str, seconds: float = 60) -> bool:
    """Whether the recovery came to one of the states in that time."""

    def look() -> bool:
        recovery.refresh_from_db()
        return recovery.status in states

    return bool(await_(look, seconds))


def states(recovery: Recovery) -> list[str]:
    """All that it went through, in order."""
    return [entry["state"] for entry in recovery.history]


def attempts(recovery: Recovery) -> list[Any]:
    """What was sent for it, in order."""
    sent = recovery.actions.exclude(step="").exclude(sent_at=None)
    return list(sent.order_by("sent_at"))


def parts(recovery: Recovery) -> list[str]:
    """The same in words."""
    return [part(one.role, one.step) for one in attempts(recovery)]


def part(role: str, step: str) -> str:
    """`drain`, `undo drain`, `verify`."""
    return f"undo {step}" if role == "undo" else step


def follow_each_other(recovery: Recovery) -> bool:
    """Whether each was over before the next was sent."""
    sent = attempts(recovery)
    return all(
        earlier.finished_at is not None and earlier.finished_at <= later.sent_at
        for earlier, later in pairwise(sent)
    )


def called_once(recovery: Recovery) -> bool:
    """Whether exactly one person was called about its incident, after it ended."""
    calls = recovery.incident.actions.filter(kind="escalate", status="succeeded")
    return bool(await_(lambda: calls.count() == 1, 10))


def lasted(recovery: Recovery) -> float:
    """Seconds from its beginning to its end, or to now."""
    from django.utils import timezone

    return ((recovery.finished_at or timezone.now()) - recovery.created_at).total_seconds()


def row(scenario: str, recovery: Recovery, *, since: float) -> Result:
    """The line of a drill whose one incident got the recovery; `since`: when it began."""
    from ingestion.models import Event

    decision = recovery.decision
    assert decision is not None
    events = Event.objects.filter(tenant_id=recovery.tenant_id, kind="failure").count()
    return Result(
        scenario,
        events=events,
        incidents=1,
        decision=f"{decision.type} {decision.confidence:.2f}",
        gate="wait" if recovery.approved_by_name else "run",
        action=recovery.document["name"],
        outcome=recovery.status,
        seconds=time.monotonic() - since,
    )
