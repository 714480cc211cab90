"""May this step run now? Every check, its verdict and the number that decided. [S9]

A receipt holds all checks, also those after the one that stopped the step, so that a person sees at
once everything that stands in the way. The outcome is the worst verdict:

    block   it may not run (and waiting alone will not change that)
    defer   it may run later; `until` says when to look again
    wait    a person must decide
    run     it may run now

What cannot be read counts as the dangerous state: an unreadable kill switch is engaged, an
unreadable breaker is open, an unknown count is over its limit. A person's approval takes the place
of confidence, of the caps and of a dry run's end; it opens no kill switch, no breaker, no retry
limit and no cooldown. Telling people (`escalate`) passes: stopping automation must never mean that
nobody hears of a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Literal, cast

import msgspec

from safety.caps import BLAST_RADIUS, RETRIES, Cap, weigh

Verdict = Literal["pass", "wait", "defer", "block"]
Outcome = Literal["run", "wait", "defer", "block"]
# What the gate asks about, as policies name it; telling people is not held up.
GATED = ("retry", "plan")
Scope = Literal["global", "tenant", "workflow", "vendor", "action"]
Blocks = Literal["automation", "ingestion", "both"]
BreakerState = Literal["closed", "open", "half_open", "forced_open", "disabled", "unreadable"]
Numbers = dict[str, float | int | str | None]

_OUTCOMES: tuple[Outcome, ...] = ("run", "wait", "defer", "block")  # by worst verdict
_WORST: tuple[Verdict, ...] = ("pass", "wait", "defer", "block")

# How long to stand back when it is not known when a probe will be free.
PROBE_PAUSE_SECONDS = 30
# How long to stand back from a vendor while its calls cannot be counted.
COUNT_PAUSE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class SwitchFact:
    """A kill switch that was not released. Ids as text; "" where the scope needs none."""

    scope: Scope
    id: str = ""
    blocks: Blocks = "automation"
    tenant_id: str = ""
    workflow_id: str = ""
    vendor: str = ""
    action_kind: str = ""
    reason: str = ""
    engaged_by: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GateFacts:
    """All that the gate looks at. Times carry a zone; a None count or state was not readable.

    `attempt`: number of the attempt in question, from 1. Counts leave this step out: automated
    actions are the tenant's that no person asked for, retries anybody's, `vendor_calls` those of
    the last minute. A limit of None is not asked about. `vendor_calls_until`: when one more call is
    free. `breaker_until`: when to look again; of a breaker that is closed, for what it held and
    whose turn has not come. `last_recovery_at`: when the last *other* recovery of the same workflow
    and resource started; `last_recovery_label` names it ("INC-12"). `dry_run`: automation decides
    and sends nothing.
    `acts`: whether the step changes anything out there (None, in receipts from before there were
    plans: a retry does). `needs_person`: why it is never run without one, "" if it may be.
    `approved_by`: the person who approved this step, "" if nobody.
    """

    now: datetime
    tenant_id: str
    workflow_id: str
    workflow: str
    action_kind: str
    acts: bool | None = None
    vendor: str = ""
    switches: tuple[SwitchFact, ...] = ()
    switches_readable: bool = True
    breaker_state: BreakerState = "closed"
    breaker_until: datetime | None = None
    probes_free: int = 1
    vendor_calls: int | None = 0
    vendor_calls_per_minute: int | None = None
    vendor_calls_until: datetime | None = None
    attempt: int = 1
    max_attempts: int = 5
    actions_last_hour: int | None = 0
    max_actions_per_hour: int = 600
    actions_last_day: int | None = None
    max_actions_per_day: int | None = None
    incident_retries_last_day: int | None = None
    max_incident_retries_per_day: int | None = None
    workflow_retries_last_hour: int | None = None
    max_workflow_retries_per_hour: int | None = None
    vendor_retries_last_hour: int | None = None
    max_vendor_retries_per_hour: int | None = None
    last_recovery_at: datetime | None = None
    last_recovery_label: str = ""
    cooldown_seconds: int = 300
    confidence: float | None = None
    confidence_threshold: float = 0.8
    approved_by: str = ""
    dry_run: bool = False
    needs_person: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GateFacts:
        """Raises msgspec.ValidationError if `data` are no such facts."""
        return msgspec.convert(data, cls)


@dataclass(frozen=True, slots=True)
class Check:
    """One question. `numbers`: what decided, for display and for search."""

    name: str
    verdict: Verdict
    reason: str
    numbers: Numbers
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The gate's answer and what it was made from: `judge(receipt.inputs)` gives it again."""

    outcome: Outcome
    checks: tuple[Check, ...]
    until: datetime | None
    inputs: GateFacts

    def to_json(self) -> dict[str, Any]:
        return cast(dict[str, Any], msgspec.to_builtins(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Receipt:
        """Raises msgspec.ValidationError if `data` is no receipt."""
        return msgspec.convert(data, cls)

    def stopping(self) -> tuple[Check, ...]:
        """The checks with the outcome's verdict; none when it may run."""
        return tuple(check for check in self.checks if check.verdict == self.outcome)

    def stopped_by(self) -> str:
        """Id of the kill switch that decided; "" if none did."""
        for check in self.checks:
            if check.name == "kill_switch" and check.verdict == "block":
                return str(check.numbers.get("switch") or "")
        return ""

    def needs_person(self) -> bool:
        """Whether a person is asked, now or after what defers it."""
        return any(check.verdict == "wait" for check in self.checks)


def judge(facts: GateFacts) -> Receipt:
    """Ask every check, in order. Pure: the same facts give the same receipt."""
    if facts.confidence is not None and not isfinite(facts.confidence):
        facts = replace(facts, confidence=None)
    checks = tuple(check(facts) for check in _CHECKS)
    checks += (_dry_run(facts, _worst(checks)),)
    worst = _worst(checks)
    untils = [check.until for check in checks if check.verdict == "defer" and check.until]
    until = max(untils) if worst == "defer" and untils else None
    return Receipt(_OUTCOMES[_WORST.index(worst)], checks, until, facts)


def _worst(checks: tuple[Check, ...]) -> Verdict:
    return max((check.verdict for check in checks), key=_WORST.index)


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


def _kill_switch(facts: GateFacts) -> Check:
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


def _circuit_breaker(facts: GateFacts) -> Check:
    name, vendor = "circuit_breaker", facts.vendor
    numbers: Numbers = {"state": facts.breaker_state, "probes_free": facts.probes_free}
    if not vendor:
        return Check(name, "pass", "No vendor is involved.", numbers)
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


def _rate_limit(facts: GateFacts) -> Check:
    name, vendor = "rate_limit", facts.vendor
    done, most = facts.vendor_calls, facts.vendor_calls_per_minute
    numbers: Numbers = {"calls_last_minute": done, "calls_per_minute": most}
    if most is None:
        return Check(name, "pass", "No limit of calls a minute is set.", numbers)
    if done is not None and done < most:
        reason = f"{done} of {most} calls to {vendor} in the last minute."
        return Check(name, "pass", reason, numbers)
    until = facts.vendor_calls_until
    if until is None or until <= facts.now:
        until = facts.now + timedelta(seconds=COUNT_PAUSE_SECONDS)
    wait = _seconds(until - facts.now)
    numbers["seconds"] = wait
    said = f"The calls to {vendor} cannot be counted"
    if done is not None:
        said = f"{done} of {most} calls to {vendor} in the last minute"
    return Check(name, "defer", f"{said}; next look in {wait} s.", numbers, until)


def _retry_limit(facts: GateFacts) -> Check:
    attempt, most = facts.attempt, facts.max_attempts
    numbers: Numbers = {"attempt": attempt, "max_attempts": most}
    if attempt < 1 or attempt > most:
        reason = f"Attempt {attempt} is not among the {most} allowed."
        return Check("retry_limit", "block", reason, numbers)
    return Check("retry_limit", "pass", f"Attempt {attempt} of {most}.", numbers)


def _retry_caps(facts: GateFacts) -> Check:
    return _capped("retry_caps", RETRIES, facts)


def _blast_radius(facts: GateFacts) -> Check:
    return _capped("blast_radius", BLAST_RADIUS, facts)


def _capped(name: str, caps: tuple[Cap, ...], facts: GateFacts) -> Check:
    counted = {n: getattr(facts, n) for cap in caps for n in (cap.count, cap.limit)}
    room, reason, asked = weigh(caps, counted)
    numbers: Numbers = {**asked}
    if not room and facts.approved_by:
        return Check(name, "pass", f"{reason} Approved by {facts.approved_by}.", numbers)
    return Check(name, "pass" if room else "wait", reason, numbers)


def _cooldown(facts: GateFacts) -> Check:
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


def _confidence(facts: GateFacts) -> Check:
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


def _dry_run(facts: GateFacts, worst: Verdict) -> Check:
    """Takes "run" away from automation; what the other checks hold back stays as they say."""
    if not facts.dry_run or facts.action_kind != "retry":
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


def _point_of_no_return(facts: GateFacts) -> Check:
    name, why = "point_of_no_return", facts.needs_person
    if not why:
        return Check(name, "pass", "What it does can be taken back, or repeated.", {})
    if facts.approved_by:
        return Check(name, "pass", f"{why} Approved by {facts.approved_by}.", {})
    return Check(name, "wait", why, {})


def _if_it_acts(check: Callable[[GateFacts], Check]) -> Callable[[GateFacts], Check]:
    name = check.__name__.removeprefix("_")

    def asked(facts: GateFacts) -> Check:
        acts = facts.action_kind == "retry" if facts.acts is None else facts.acts
        if acts:
            return check(facts)
        return Check(name, "pass", "Not asked: this step starts nothing in the workflow.", {})

    return asked


_CHECKS: tuple[Callable[[GateFacts], Check], ...] = (
    _if_it_acts(_kill_switch),
    _if_it_acts(_circuit_breaker),
    _if_it_acts(_rate_limit),
    _if_it_acts(_retry_limit),
    _if_it_acts(_retry_caps),
    _if_it_acts(_blast_radius),
    _if_it_acts(_cooldown),
    _if_it_acts(_point_of_no_return),
    _if_it_acts(_confidence),
)
