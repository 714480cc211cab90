"""May this step run now? Every check, its verdict and the number that decided. [S9]

A receipt holds all checks, also those after the one that stopped the step, so that a person sees at
once everything that stands in the way. The outcome is the worst verdict:

    block   it may not run (and waiting alone will not change that)
    defer   it may run later; `until` says when to look again
    wait    a person must decide
    run     it may run now

What cannot be read counts as the dangerous state: an unreadable kill switch is engaged, an
unreadable breaker is open, an unknown count is over its limit. A person's approval takes the place
of confidence, of trust, of the caps and of a dry run's end; it opens no kill switch, no breaker, no
retry limit and no cooldown. Telling people (`escalate`) passes: stopping automation must never mean
that nobody hears of a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any, Literal, cast

import msgspec

from safety import gate_checks
from safety.gate_facts import GATED as GATED  # noqa: PLC0414
from safety.gate_facts import Check as Check  # noqa: PLC0414
from safety.gate_facts import GateFacts as GateFacts  # noqa: PLC0414
from safety.gate_facts import SwitchFact as SwitchFact  # noqa: PLC0414
from safety.gate_facts import Verdict as Verdict  # noqa: PLC0414

Outcome = Literal["run", "wait", "defer", "block"]

_OUTCOMES: tuple[Outcome, ...] = ("run", "wait", "defer", "block")  # by worst verdict
_WORST: tuple[Verdict, ...] = ("pass", "wait", "defer", "block")

# In the order in which a receipt shows them; `held_back` and `dry_run` come last, for they look at
# the others.
_CHECKS: tuple[Callable[[GateFacts], Check], ...] = (
    gate_checks.kill_switch,
    gate_checks.circuit_breaker,
    gate_checks.rate_limit,
    gate_checks.retry_limit,
    gate_checks.retry_caps,
    gate_checks.blast_radius,
    gate_checks.cooldown,
    gate_checks.point_of_no_return,
    gate_checks.confidence,
    gate_checks.trust,
)


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
    checks = tuple(_asked(check, facts) for check in _CHECKS)
    for last in (gate_checks.held_back, gate_checks.dry_run):
        checks += (last(facts, _worst(checks)),)
    worst = _worst(checks)
    untils = [check.until for check in checks if check.verdict == "defer" and check.until]
    until = max(untils) if worst == "defer" and untils else None
    return Receipt(_OUTCOMES[_WORST.index(worst)], checks, until, facts)


def _worst(checks: tuple[Check, ...]) -> Verdict:
    return max((check.verdict for check in checks), key=_WORST.index)


def _asked(check: Callable[[GateFacts], Check], facts: GateFacts) -> Check:
    if facts.changes_something():
        return check(facts)
    reason = "Not asked: this step starts nothing in the workflow."
    return Check(check.__name__, "pass", reason, {})
