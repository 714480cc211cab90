"""Loading what the gate looks at. Judging is pure and lives in safety/gate.py [S9].

Reads under the caller's transaction; before a send the caller holds the switch lock, so what is
read about the switches stays true until its commit, and while a breaker is half-open its row's
lock, so that the probe the gate saw free is the one taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from actions.catalog import kind_named
from actions.learning import facts as learning
from actions.models import Action, StepRole
from actions.sent_lately import counts, last_other_recovery, sent_since
from awfdrs_site.kernel.transition import lock
from ingestion import calls
from safety import breakers, limiter
from safety.breaker import PASSING, Outcome, half_open_at, holds, probes_free
from safety.breakers import Call
from safety.gate import GateFacts, Receipt, SwitchFact, judge
from safety.models import KillSwitch, Vendor
from safety.selectors import engaged_switches, policy_for, vendor_for
from safety.window import Answer

# First half of an advisory lock's key; the second is the tenant. "CAPS" in ASCII.
COUNT_LOCK = 0x4341_5053
# A second, and what may lie between a mark and its call: so no second of the vendor's holds more.
RELEASE_WINDOW = timedelta(seconds=1.25)


def probe_of(action: Action) -> str:
    """Who holds the probe on which the action is sent."""
    return f"action:{action.pk}"


def judge_and_take(action: Action, now: datetime) -> Receipt:
    """The receipt for a send that follows at once: what may run is counted as a call to its vendor,
    and has taken its probe.

    In the caller's transaction; for a retry takes the lock on the tenant's counts, then, last, if
    its breaker is half-open or opens, the vendor's row. A call that is counted and then not sent,
    for the transaction failed, stays counted.
    """
    if not action.acts:
        return judge_action(action, now)
    tenant_id, name = action.tenant_id, action.incident.vendor
    _lock_counts(tenant_id)
    if not kind_named(action.kind).calls_vendor:
        return judge_action(action, now)
    vendor = calls.current(tenant_id, name, vendor_for(tenant_id, name), now)
    if vendor is None:
        return judge_action(action, now)
    if breakers.look(vendor, now).state == "half_open":
        vendor = lock(vendor)
    receipt = judge_action(action, now, vendor)
    if receipt.outcome == "run":
        answer = limiter.ask_shared(limiter.calls_of(vendor, now), counts=True)
        if answer is None or answer.over is not None:
            return judge(replace(receipt.inputs, **_calls(vendor, answer, now)))
        breakers.take(vendor, probe_of(action), now)
    return receipt


def _lock_counts(tenant_id: UUID) -> None:
    """Wait for the tenant's other senders: each counts what the one before it has sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [COUNT_LOCK, str(tenant_id)]
        )


def report_of(action: Action, outcome: Outcome | None, now: datetime) -> Call:
    """How the recovery ended, for the breaker: it counts where the recovery was a probe.

    Any other recovery is counted by the events its workflow posts.
    """
    return Call(
        action.tenant_id,
        action.incident.vendor,
        now,
        outcome,
        holder=probe_of(action),
        only_probe=True,
    )


def holds_as_before(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether what puts an action off is nothing that did not put it off already."""
    if not now.get("outcome") == before.get("outcome") == "defer":
        return False
    return _deferring(now) <= _deferring(before)


def _deferring(receipt: Mapping[str, Any]) -> set[str]:
    return {check["name"] for check in receipt["checks"] if check["verdict"] == "defer"}


def is_parked(receipt: Mapping[str, Any]) -> bool:
    """Whether this stored receipt put its action off because of a breaker."""
    return receipt.get("outcome") == "defer" and _says(receipt, "circuit_breaker", "defer")


def is_left_to_people(receipt: Mapping[str, Any]) -> bool:
    """Whether this stored receipt blocked its action for automation alone: in a dry run, or for
    want of trust."""
    blocks = {check["name"] for check in receipt.get("checks", ()) if check["verdict"] == "block"}
    return bool(blocks) and blocks <= {"dry_run", "trust"}


def is_untrusted(receipt: Mapping[str, Any]) -> bool:
    """Whether this stored receipt blocked its action for want of trust."""
    return _says(receipt, "trust", "block")


def only_observed(receipt: Mapping[str, Any]) -> bool:
    """Whether the action stood on the lowest rung: the decision is shown, nothing is offered."""
    return is_untrusted(receipt) and receipt["inputs"]["trust"] == "observe"


def _says(receipt: Mapping[str, Any], name: str, verdict: str) -> bool:
    checks = receipt.get("checks", ())
    return any(check["name"] == name and check["verdict"] == verdict for check in checks)


def judge_action(action: Action, now: datetime, vendor: Vendor | None = None) -> Receipt:
    """The gate's receipt for `action` (saved or not) as things stand now.

    `vendor`: its row, where the caller has locked it.
    """
    incident = action.incident
    calls_vendor = kind_named(action.kind).calls_vendor
    policy = policy_for(incident.tenant_id, incident.workflow_id)
    last_recovery = last_other_recovery(action, policy, now) if _begins(action) else None
    vendor = vendor or vendor_for(incident.tenant_id, incident.vendor)
    facts = GateFacts(
        now=now,
        tenant_id=str(incident.tenant_id),
        workflow_id=str(incident.workflow_id),
        workflow=incident.workflow.name,
        action_kind=action.kind,
        acts=action.acts,
        calls_vendor=calls_vendor,
        vendor=incident.vendor,
        switches=tuple(map(_fact, _switches_before(action, now))),
        attempt=action.attempt,
        max_attempts=action.max_attempts,
        last_recovery_at=last_recovery,
        cooldown_seconds=policy.cooldown_seconds,
        confidence=action.decision.confidence if action.decision else None,
        confidence_threshold=policy.threshold_for("plan" if action.step else action.kind),
        approved_by=action.decided_by_name or approved_plan(action),
        needs_person=_needs_person(action),
        dry_run=policy.dry_run,
        **learning.facts_of(action, policy),
        **counts(incident, policy, now),
        **_breaker(action, vendor, now),
        **_rate(action, vendor, now),
    )
    return judge(facts)


def _begins(action: Action) -> bool:
    """Whether a recovery begins with it: what follows under way is not held up by the cooldown."""
    if action.role == StepRole.UNDO:
        return False
    if action.recovery is None or not action.step:
        return action.attempt == action.chunk == 1
    earlier = action.recovery.actions.filter(acts=True, sent_at__isnull=False)
    return not earlier.exclude(pk=action.pk).exists()


def approved_plan(action: Action) -> str:
    """Who approved the plan that the action is a step of: that holds for all of its steps."""
    return action.recovery.approved_by_name if action.recovery and action.step else ""


def _needs_person(action: Action) -> str:
    """Why no confidence is enough; "" if it may be. An approval that binds to something and holds
    no more was of something else."""
    bound = action.recovery if action.recovery and action.step else action
    if bound.approved_hash and not (action.decided_by_name or approved_plan(action)):
        return "What it would call has changed since it was approved."
    plan = action.recovery.plan() if action.recovery and action.step else None
    if plan is None:
        return ""
    if plan.has_irreversible_step():
        return f"{plan.title} has a step that cannot be undone."
    return f"{plan.title} always asks a person." if plan.approval == "always" else ""


def _switches_before(action: Action, now: datetime) -> list[KillSwitch]:
    """The engaged switches but those that the action's own recovery engaged: a plan that pauses
    its workflow goes on with its steps, and takes the pause back."""
    engaged = engaged_switches(action.tenant_id, now)
    if action.recovery is None or not any(switch.action_id for switch in engaged):
        return engaged
    own = set(action.recovery.actions.values_list("pk", flat=True))
    return [switch for switch in engaged if switch.action_id not in own]


def _fact(switch: KillSwitch) -> SwitchFact:
    return SwitchFact(
        scope=switch.scope,  # type: ignore[arg-type]  # the column's CHECK allows these words only
        id=str(switch.pk),
        blocks=switch.blocks,  # type: ignore[arg-type]
        tenant_id=str(switch.tenant_id or ""),
        workflow_id=str(switch.workflow_id or ""),
        vendor=switch.vendor,
        action_kind=switch.action_kind,
        reason=switch.reason,
        engaged_by=switch.engaged_by,
        expires_at=switch.expires_at,
    )


def _breaker(action: Action, vendor: Vendor | None, now: datetime) -> dict[str, Any]:
    if vendor is None:
        return {"breaker_state": "closed"}
    breaker, policy = breakers.as_of(vendor, now), vendor.policy()
    free = probes_free(breaker, policy) + holds(breaker, probe_of(action))
    until = half_open_at(breaker, policy)
    if breaker.state == "half_open" and not free:
        until = min((lease.until for lease in breaker.leases), default=None)
    elif breaker.state in PASSING:
        until = _turn(action, vendor, now)
    return {"breaker_state": breaker.state, "breaker_until": until, "probes_free": free}


def _turn(action: Action, vendor: Vendor, now: datetime) -> datetime | None:
    """When a recovery that the breaker held may start, after as many as may start each second.

    Stage `release` spreads them; but workers come late, or find several due at once.
    """
    if not is_parked(action.receipt):
        return None
    lately = sent_since(vendor.tenant_id, now - RELEASE_WINDOW)
    starts = lately.filter(incident__vendor__iexact=vendor.name).order_by("-sent_at")
    nth = starts.values_list("sent_at", flat=True)[vendor.release_per_second - 1 :][:1]
    return next((at + RELEASE_WINDOW for at in nth if at is not None), None)


def _rate(action: Action, vendor: Vendor | None, now: datetime) -> dict[str, Any]:
    if vendor is None or not (action.acts and kind_named(action.kind).calls_vendor):
        return {}
    answer = limiter.ask_shared(limiter.calls_of(vendor, now), counts=False)
    return _calls(vendor, answer, now)


def _calls(vendor: Vendor, answer: Answer | None, now: datetime) -> dict[str, Any]:
    """What the gate is told of the vendor's limit. Without Redis nothing is known: no local share
    here, for a send that cannot be counted is one too many [S4]."""
    facts: dict[str, Any] = {
        "vendor_calls": None,
        "vendor_calls_per_minute": vendor.calls_per_minute(now),
    }
    throttle = vendor.throttle(now)
    if throttle:
        facts["vendor_throttled_by"] = throttle.by
    if answer is None:
        return facts
    use = answer.tightest
    until = now + timedelta(microseconds=use.frees_us)
    if throttle:
        until = min(until, throttle.until)
    return facts | {"vendor_calls": use.used, "vendor_calls_until": until}
