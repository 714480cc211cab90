"""What the gate looks at, and what one of its checks answers; part of gate.py. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from safety.rule_types import Rung

Verdict = Literal["pass", "wait", "defer", "block"]
# What the gate asks about, as policies name it; telling people is not held up.
GATED = ("retry", "plan")
Scope = Literal["global", "tenant", "workflow", "vendor", "action"]
Blocks = Literal["automation", "ingestion", "both"]
BreakerState = Literal["closed", "open", "half_open", "forced_open", "disabled", "unreadable"]
Numbers = dict[str, float | int | str | None]


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
    `calls_vendor`: whether the step leads to a call to its vendor; `vendor_throttled_by`: who keeps
    those below the vendor's own limit now ("INC-12").
    `acts`: whether the step changes anything out there (None, in receipts from before there were
    plans: a retry does). `needs_person`: why it is never run without one, "" if it may be.
    `approved_by`: the person who approved this step, "" if nobody.
    `trust`: the rung that the action stands on for the signature, "" if it is not asked about;
    `trust_progress`: "2 of 5 to automatic". `lot`: 0 to 100, drawn for this opening of the incident
    (`opened_at`); under `held_back_percent` a low-risk case waits first.
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
    vendor_throttled_by: str = ""
    calls_vendor: bool = True
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
    trust: Rung | Literal[""] = ""
    trust_progress: str = ""
    severity: str = ""
    opened_at: datetime | None = None
    lot: float = 100.0
    held_back_percent: int = 0
    held_back_seconds: int = 600

    def changes_something(self) -> bool:
        """Whether the step acts, so that it is asked about at all."""
        return self.action_kind == "retry" if self.acts is None else self.acts

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
