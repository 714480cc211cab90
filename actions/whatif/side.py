"""One side of a replay: the events of the past under one set of rules. Pure [S10].

The decisions are made by the functions that make them in life: `kind_of`, `classify`, `decide`,
`judge`, the breaker. Around them stands a small model of the stages that is told the time by the
events; docs/rules.md says what it simulates and what not.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime

from actions.whatif.facts import Opening, Replayed, Seen, Tally, World
from actions.whatif.memory import Surroundings
from actions.whatif.stages import Deciding, Stages
from incidents.lifecycle import Arrival, arrival
from safety.rule_types import (
    EventKind,
    Ruleset,
    kind_of,
)


class Side:
    """Takes the events in order of receipt; `openings` and `days` are what it came to."""

    def __init__(
        self, rules: Ruleset, world: World, deciding: Deciding, around: Surroundings
    ) -> None:
        self.rules = rules
        self.days: dict[date, Tally] = defaultdict(Tally)
        self.openings: dict[str, Opening] = {}
        self.stages = Stages(rules, world, self.days, around, deciding)
        self._kinds: dict[str, EventKind] = {}
        self._blames: dict[str, bool] = {}
        self._open: dict[str, Replayed] = {}
        self._by_workflow: dict[str, dict[str, Replayed]] = defaultdict(dict)
        self._resolved: dict[str, Replayed] = {}
        self._past: dict[str, int] = defaultdict(int)

    def kind(self, event_type: str) -> EventKind:
        """What the event type means under this side's rules."""
        kind = self._kinds.get(event_type)
        if kind is None:
            kind = self._kinds[event_type] = kind_of(event_type, self.rules)
        return kind

    def take(self, seen: Seen, kind: EventKind, signature: str) -> None:
        """Live through one event; `signature` is needed for a failure only.

        The caller has done what was due before, and noted the event in the surroundings.
        """
        if kind == "failure":
            self._fail(seen, signature)
        elif kind == "success" and (incidents := self._by_workflow.get(seen.workflow)):
            self._heal(seen, list(incidents.values()))
        if seen.vendor and kind in ("failure", "success"):
            self._call(seen, kind, signature)

    def _call(self, seen: Seen, kind: EventKind, signature: str) -> None:
        """Feed the breaker. A failure of ours or of the customer says nothing of the vendor."""
        breaker = self.stages.vendors.state_at(seen.vendor, seen.at)
        if breaker is None:
            return
        if breaker.state == "open":
            self.days[seen.at.date()].open_calls += 1
        if kind == "failure" and not self._blames_vendor(seen, signature):
            return
        self.stages.vendors.record(
            seen.vendor, "success" if kind == "success" else "failure", seen.at
        )

    def _blames_vendor(self, seen: Seen, signature: str) -> bool:
        """By the signature's first event: one look a signature is what makes a replay quick."""
        if signature not in self._blames:
            self._blames[signature] = self.rules.blames_vendor(seen.code, seen.message)
        return self._blames[signature]

    def _fail(self, seen: Seen, signature: str) -> None:
        self.days[seen.at.date()].failures += 1
        incident = self._open.get(signature)
        if incident is not None:
            incident.newest = seen
            incident.events += 1
            incident.failing[seen.resource] = seen.at
            if incident.phase == "sent" and seen.resource in incident.asked:
                self.stages.did_not_help(incident, seen.at)
            return
        before = self._resolved.get(signature)
        if before is not None and before.resolved_at is not None:
            how = arrival(
                occurred_at=seen.occurred_at or seen.at,
                received_at=seen.at,
                clock_skew=seen.skewed,
                resolved_at=before.resolved_at,
            )
            if how is Arrival.LATE:
                before.events += 1
                return
            if how is Arrival.REGRESSION:
                self._begin(before, seen, reopened=True)
                return
        incident = Replayed(
            signature, seen.workflow, seen.vendor, Opening("", seen.at, seen.workflow), seen
        )
        incident.past = self._past[signature]
        self._past[signature] += 1
        self._begin(incident, seen, reopened=False)

    def _begin(self, incident: Replayed, seen: Seen, *, reopened: bool) -> None:
        tally = self.days[seen.at.date()]
        tally.incidents += 1
        tally.reopened += reopened
        incident.reopened += reopened
        incident.opening = Opening(seen.event_id, seen.at, seen.workflow)
        self.openings[seen.event_id] = incident.opening
        incident.newest, incident.resolved_at = seen, None
        incident.events += 1
        incident.failing = {seen.resource: seen.at}
        incident.recovered = incident.failed_attempts = 0
        incident.history = self.stages.learnt.history(incident.signature)
        incident.successes_before = self.stages.around.successes[incident.workflow]
        self._open[incident.signature] = incident
        self._by_workflow[incident.workflow][incident.signature] = incident
        self.stages.decide_soon(incident, seen.at)

    def _heal(self, seen: Seen, incidents: list[Replayed]) -> None:
        for incident in incidents:
            failing = incident.failing
            if not seen.resource:
                proven = list(failing)
            else:
                proven = [one for one in (seen.resource, "") if one in failing]
            if not proven:
                continue
            for one in proven:
                del failing[one]
            incident.recovered += len(proven)
            helped = incident.phase == "sent" and not any(r in failing for r in incident.asked)
            if helped:
                self.stages.learnt.remember(incident.signature, "succeeded")
                incident.last_helped, incident.helped_at = True, seen.at
            if not failing:
                self._resolve(incident, seen.at)
            elif helped:
                self.stages.decide_soon(incident, seen.at)

    def _resolve(self, incident: Replayed, at: datetime) -> None:
        incident.resolved_at = at
        incident.phase, incident.turn = "idle", incident.turn + 1
        self._resolved[incident.signature] = incident
        del self._open[incident.signature]
        del self._by_workflow[incident.workflow][incident.signature]
