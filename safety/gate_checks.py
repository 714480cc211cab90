"""The gate's checks, one question each: its verdict, and the number that decided. [S9] Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from safety.caps import BLAST_RADIUS, RETRIES, Cap, weigh
from safety.gate_facts import BreakerState, Check, GateFacts, Numbers, Scope, SwitchFact, Verdict
from safety.rule_types import Rung

# How long to stand back when it is not known when a probe will be free.
PROBE_PAUSE_SECONDS = 30
# How long to stand back from a vendor while its calls cannot be counted.
COUNT_PAUSE_SECONDS = 5
# Only of such cases some may wait to show what heals alone.
LOW_RISK = ("low", "medium")


def covers(switch: SwitchFact, facts: GateFacts) -> bool:
    """Whether the switch stops this step now. A switch without its target stops everything."""
    if switch.blocks == "ingestion":
        return False
    if switch.expires_at is not None and switch.expires_at <= facts.now:
        return False
    if switch.tenant_id and switch.tenant_id != facts.tenant_id:
        return False
    if switch.scope == "workflow" and switch.workflow_id:
        return switch.workflow_id == facts.workflow_id
    if switch.scope == "vendor" and switch.vendor:
        return switch.vendor.casefold() == facts.vendor.casefold()
    if switch.scope == "action" and switch.action_kind:
        return switch.action_kind == facts.action_kind
    return True


def kill_switch(facts: GateFacts) -> Check:
    if not facts.switches_readable:
        reason = "The kill switches could not be read, so they count as engaged."
        return Check("kill_switch", "block", reason, {"engaged": None})
    engaged = [switch for switch in facts.switches if covers(switch, facts)]
    if not engaged:
        return Check("kill_switch", "pass", "None covers this step.", {"engaged": 0})
    first = min(engaged, key=lambda switch: (_SCOPES.index(switch.scope), switch.vendor))
    more = f" and {len(engaged) - 1} more" if len(engaged) > 1 else ""
    by = f" by {first.engaged_by}" if first.engaged_by else ""
    why = f": {first.reason}" if first.reason else ""
    reason = f"Stopped for {_target(first, facts)}{by}{more}{why}."
    numbers: Numbers = {"engaged": len(engaged), "switch": first.id}
    return Check("kill_switch", "block", reason.replace("..", "."), numbers)


_SCOPES: tuple[Scope, ...] = ("global", "tenant", "workflow", "vendor", "action")


def _target(switch: SwitchFact, facts: GateFacts) -> str:
    return {
        "global": "everything",
        "tenant": "the tenant",
        "workflow": f"workflow {facts.workflow}",
        "vendor": f"vendor {switch.vendor or facts.vendor}",
        "action": f"every {switch.action_kind or facts.action_kind}",
    }[switch.scope]


def circuit_breaker(facts: GateFacts) -> Check:
    name, vendor = "circuit_breaker", facts.vendor
    numbers: Numbers = {"state": facts.breaker_state, "probes_free": facts.probes_free}
    if not vendor:
        return Check(name, "pass", "No vendor is involved.", numbers)
    if not facts.calls_vendor:
        return Check(name, "pass", f"It does not call {vendor}.", numbers)
    until = facts.breaker_until
    if facts.breaker_state in _PASSING and (until is None or until <= facts.now):
        return Check(name, "pass", f"{_PASSING[facts.breaker_state].format(vendor)}.", numbers)
    if facts.breaker_state == "unreadable":
        reason = f"The breaker of {vendor} could not be read, so it counts as open."
        return Check(name, "block", reason, numbers)
    if facts.breaker_state == "half_open" and facts.probes_free > 0:
        reason = f"{vendor} is half-open, {facts.probes_free} of its probes free."
        return Check(name, "pass", reason, numbers)
    if until is None or until <= facts.now:
        until = facts.now + timedelta(seconds=PROBE_PAUSE_SECONDS)
    wait = _seconds(until - facts.now)
    numbers["seconds"] = wait
    why = _HOLDING[facts.breaker_state].format(vendor)
    return Check(name, "defer", f"{why}; next look in {wait} s.", numbers, until)


_PASSING: dict[BreakerState, str] = {
    "closed": "{} is closed",
    "disabled": "The breaker of {} is disabled by hand",
}
_TURN = "{} is back, and what its breaker held starts a few a second"
_HOLDING: dict[BreakerState, str] = {
    "open": "{} is open",
    "forced_open": "{} is kept open by hand",
    "half_open": "{} is half-open with every probe out",
    "closed": _TURN,
    "disabled": _TURN,
}


def rate_limit(facts: GateFacts) -> Check:
    name, vendor = "rate_limit", facts.vendor
    done, most = facts.vendor_calls, facts.vendor_calls_per_minute
    numbers: Numbers = {"calls_last_minute": done, "calls_per_minute": most}
    if not facts.calls_vendor:
        return Check(name, "pass", "It calls no vendor.", numbers)
    if most is None:
        return Check(name, "pass", "No limit of calls a minute is set.", numbers)
    throttled = f", throttled by {facts.vendor_throttled_by}" if facts.vendor_throttled_by else ""
    if done is not None and done < most:
        reason = f"{done} of {most} calls to {vendor} in the last minute{throttled}."
        return Check(name, "pass", reason, numbers)
    until = facts.vendor_calls_until
    if until is None or until <= facts.now:
        until = facts.now + timedelta(seconds=COUNT_PAUSE_SECONDS)
    wait = _seconds(until - facts.now)
    numbers["seconds"] = wait
    said = f"The calls to {vendor} cannot be counted"
    if done is not None:
        said = f"{done} of {most} calls to {vendor} in the last minute{throttled}"
    return Check(name, "defer", f"{said}; next look in {wait} s.", numbers, until)


def retry_limit(facts: GateFacts) -> Check:
    attempt, most = facts.attempt, facts.max_attempts
    numbers: Numbers = {"attempt": attempt, "max_attempts": most}
    if attempt < 1 or attempt > most:
        reason = f"Attempt {attempt} is not among the {most} allowed."
        return Check("retry_limit", "block", reason, numbers)
    return Check("retry_limit", "pass", f"Attempt {attempt} of {most}.", numbers)


def retry_caps(facts: GateFacts) -> Check:
    return _capped("retry_caps", RETRIES, facts)


def blast_radius(facts: GateFacts) -> Check:
    return _capped("blast_radius", BLAST_RADIUS, facts)


def _capped(name: str, caps: tuple[Cap, ...], facts: GateFacts) -> Check:
    counted = {n: getattr(facts, n) for cap in caps for n in (cap.count, cap.limit)}
    room, reason, asked = weigh(caps, counted)
    numbers: Numbers = {**asked}
    if not room and facts.approved_by:
        return Check(name, "pass", f"{reason} Approved by {facts.approved_by}.", numbers)
    return Check(name, "pass" if room else "wait", reason, numbers)


def cooldown(facts: GateFacts) -> Check:
    last, pause = facts.last_recovery_at, facts.cooldown_seconds
    numbers: Numbers = {"cooldown_seconds": pause, "seconds_since": None}
    if last is None:
        return Check("cooldown", "pass", f"No other recovery of {facts.workflow} on file.", numbers)
    since = _seconds(facts.now - last, up=False)
    numbers["seconds_since"] = since
    label = f" ({facts.last_recovery_label})" if facts.last_recovery_label else ""
    until = last + timedelta(seconds=pause)
    if until <= facts.now:
        reason = f"Last recovery of {facts.workflow}{label} {since} s ago, cooldown {pause} s."
        return Check("cooldown", "pass", reason, numbers)
    left = _seconds(until - facts.now)
    reason = f"Last recovery of {facts.workflow}{label} {since} s ago; {left} s of {pause} s left."
    return Check("cooldown", "defer", reason, numbers, until)


def point_of_no_return(facts: GateFacts) -> Check:
    name, why = "point_of_no_return", facts.needs_person
    if not why:
        return Check(name, "pass", "What it does can be taken back, or repeated.", {})
    if facts.approved_by:
        return Check(name, "pass", f"{why} Approved by {facts.approved_by}.", {})
    return Check(name, "wait", why, {})


def confidence(facts: GateFacts) -> Check:
    value, line = facts.confidence, facts.confidence_threshold
    numbers: Numbers = {"confidence": value, "threshold": line}
    if facts.approved_by:
        shown = "unknown" if value is None else _share(value, line)[0]
        reason = f"Approved by {facts.approved_by} (confidence {shown})."
        return Check("confidence", "pass", reason, numbers)
    if value is None:
        return Check("confidence", "wait", "There is no confidence to go by.", numbers)
    mine, theirs = _share(value, line)
    if value >= line:
        return Check("confidence", "pass", f"{mine} reaches the line of {theirs}.", numbers)
    return Check("confidence", "wait", f"{mine} is under the line of {theirs}.", numbers)


def trust(facts: GateFacts) -> Check:
    rung, progress = facts.trust, facts.trust_progress
    numbers: Numbers = {"rung": rung or None, "progress": progress or None}
    if not rung:
        return Check("trust", "pass", "No trust is asked for.", numbers)
    why = f"{_ON_RUNG[rung]} for this signature{': ' if progress else ''}{progress}."
    if rung == "automatic":
        return Check("trust", "pass", why, numbers)
    if facts.approved_by:
        return Check("trust", "pass", f"{why} Approved by {facts.approved_by}.", numbers)
    return Check("trust", "wait" if rung == "approve" else "block", why, numbers)


_ON_RUNG: dict[Rung, str] = {
    "observe": "Nothing runs",
    "suggest": "Only a person starts it",
    "approve": "A person approves it",
    "automatic": "It runs by itself",
}


def lot_of(incident_id: str, opened_at: datetime) -> float:
    """A number from 0 to under 100 for one opening of an incident: the same whoever draws it."""
    drawn = sha256(f"{incident_id} {opened_at.isoformat()}".encode()).digest()
    return int.from_bytes(drawn[:4]) / 2**32 * 100


def held_back(facts: GateFacts, worst: Verdict) -> Check:
    """Puts off what would run, for a share of low-risk cases: would they heal alone?"""
    name, percent, seconds = "held_back", facts.held_back_percent, facts.held_back_seconds
    numbers: Numbers = {"percent": percent, "seconds": seconds}
    if not percent:
        return Check(name, "pass", "No case is held back.", numbers)
    low_risk = facts.severity in LOW_RISK and facts.action_kind == "retry"
    alone = facts.trust == "automatic" and not facts.approved_by and not facts.dry_run
    if worst != "pass" or not (low_risk and alone) or facts.opened_at is None:
        return Check(name, "pass", "Only low-risk retries that would run are held back.", numbers)
    if facts.lot >= percent:
        return Check(name, "pass", f"It is not among the {percent}% that only wait.", numbers)
    until = facts.opened_at + timedelta(seconds=seconds)
    if until <= facts.now:
        return Check(name, "pass", f"It did not heal alone in {seconds} s.", numbers)
    left = _seconds(until - facts.now)
    reason = f"It is among the {percent}% that only wait, to see what heals alone; {left} s left."
    return Check(name, "defer", reason, numbers, until)


def dry_run(facts: GateFacts, worst: Verdict) -> Check:
    """Takes "run" away from automation; what the other checks hold back stays as they say."""
    if not facts.dry_run or not facts.changes_something():
        return Check("dry_run", "pass", "This is no dry run.", {})
    if facts.approved_by:
        return Check("dry_run", "pass", f"A dry run, but {facts.approved_by} wants it.", {})
    if worst == "pass":
        return Check("dry_run", "block", "A dry run: it would have run.", {})
    return Check("dry_run", "pass", f"A dry run, and it would not have run: {worst}.", {})


def _share(value: float, line: float) -> tuple[str, str]:
    """Both with two decimals, or with as many as it takes to tell them apart."""
    for decimals in range(2, 17):
        mine, theirs = f"{value:.{decimals}f}", f"{line:.{decimals}f}"
        if mine != theirs or value == line:
            break
    return mine, theirs


def _seconds(span: timedelta, *, up: bool = True) -> int:
    """Whole seconds, rounded up (time left) or down (time since)."""
    whole, rest = divmod(span, timedelta(seconds=1))
    return whole + (1 if up and rest else 0)
