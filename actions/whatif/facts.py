"""What a replay takes in and gives out. Plain data: no Django, no clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Literal, NamedTuple

from ai.decide import DecisionDraft
from ai.record import NO_HISTORY, Outcomes
from ai.trust import Climb

OpeningOutcome = Literal["automatic", "approval", "deferred", "blocked", "escalated", "nothing"]


class Seen(NamedTuple):
    """One stored event, as light as it can be. `resource`: type and id, "" if it names none."""

    event_id: str
    at: datetime
    workflow: str
    event_type: str
    code: str = ""
    message: str = ""
    fingerprint: str = ""
    vendor: str = ""
    resource: str = ""
    severity: str = ""
    occurred_at: datetime | None = None
    skewed: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowFacts:
    """`can_retry`: it has an endpoint that retries are asked of."""

    name: str
    can_retry: bool = True


@dataclass(frozen=True)
class World:
    """What both sides of a replay start from.

    `workflows` by id; `history`: how retries of each signature had ended before; `climbs`: what the
    trust in them is made from.
    """

    tenant_id: str = ""
    workflows: Mapping[str, WorkflowFacts] = field(default_factory=dict)
    history: Mapping[str, Outcomes] = field(default_factory=dict)
    climbs: Mapping[str, Climb] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """Counts of one side, for one day or for all.

    `incidents` opened, of which `reopened` came back; `retries` run by themselves; `approvals` a
    person was asked for; `escalations`; `deferred` attempts put off (cooldown, breaker); `blocked`
    attempts; `open_calls`: calls that workflows made to vendors whose breaker stood open.
    """

    failures: int = 0
    incidents: int = 0
    reopened: int = 0
    retries: int = 0
    approvals: int = 0
    escalations: int = 0
    deferred: int = 0
    blocked: int = 0
    open_calls: int = 0

    def add(self, other: Tally) -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def to_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(slots=True)
class Opening:
    """One opening of an incident on one side: the event that opened it, and what it came to."""

    event_id: str
    at: datetime
    workflow: str
    outcome: OpeningOutcome = "nothing"
    attempts: int = 0
    escalated: bool = False
    confidence: float = 0.0
    severity: str = ""

    def what(self) -> tuple[str, int, bool]:
        """What a person would see as another outcome."""
        return self.outcome, self.attempts, self.escalated


Phase = Literal["new", "idle", "planned", "sent", "stopped"]


@dataclass(slots=True)
class Replayed:
    """An incident of one side. `turn` grows with each step: what was due before it is void."""

    signature: str
    workflow: str
    vendor: str
    opening: Opening
    newest: Seen
    events: int = 0
    failing: dict[str, datetime] = field(default_factory=dict)
    recovered: int = 0
    reopened: int = 0
    resolved_at: datetime | None = None
    history: Outcomes = NO_HISTORY
    past: int = 0
    successes_before: int = 0
    last_helped: bool = False
    phase: Phase = "idle"
    turn: int = 0
    decision: int = 0
    draft: DecisionDraft | None = None
    attempt: int = 0
    failed_attempts: int = 0
    asked: frozenset[str] = frozenset()
    sent_at: datetime | None = None
    helped_at: datetime | None = None
    recurred: tuple[datetime, ...] = ()
    put_off: bool = False
