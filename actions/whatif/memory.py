"""What one side of a replay remembers of the last minutes and hours. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from actions.whatif.facts import Replayed, Seen, World
from actions.whatif.vendor import ReplayedBreaker
from ai.evidence import CHANGE_WINDOW_MINUTES, Change
from ai.record import NO_HISTORY, Outcomes
from ai.trust import Climb, Trust
from safety.breaker import Breaker, BreakerPolicy, Outcome
from safety.rule_types import AutomationRule, EventKind, Ruleset

# The windows of `ai.cases`.
WINDOW_MINUTES = 15
TELLING_CALLS = 10
NEWEST_CHANGES = 20
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Surroundings:
    """Calls to vendors, changes, successes: what a decision looks at beside its own incident.

    Two sides on which every event means the same share one.
    """

    def __init__(self) -> None:
        self.successes: dict[str, int] = defaultdict(int)
        self._calls: dict[str, dict[str, deque[list[int]]]] = defaultdict(dict)
        self._changes: deque[Seen] = deque(maxlen=NEWEST_CHANGES)
        self._changes_known = False
        self._last_failure: dict[str, int] = {}
        self._looked: tuple[tuple[str, str, datetime], dict[str, Any]] | None = None

    def note(self, seen: Seen, kind: EventKind) -> None:
        if kind == "success":
            self.successes[seen.workflow] += 1
        elif kind == "change":
            self._changes.append(seen)
            self._changes_known = True
        if not seen.vendor:
            return
        by_workflow = self._calls[seen.vendor]
        minutes = by_workflow.get(seen.workflow)
        if minutes is None:
            minutes = by_workflow[seen.workflow] = deque(maxlen=WINDOW_MINUTES + 1)
        minute = int(seen.at.timestamp()) // 60
        if not minutes or minutes[-1][0] != minute:
            minutes.append([minute, 0, 0])
        minutes[-1][1] += 1
        if kind == "failure":
            minutes[-1][2] += 1
            self._last_failure[seen.vendor] = minute

    def around(self, vendor: str, workflow: str, now: datetime) -> dict[str, Any]:
        """How the vendor's other workflows, and other vendors, did in the last 15 minutes."""
        key = vendor, workflow, now
        if self._looked is None or self._looked[0] != key:
            self._looked = key, self._look(vendor, workflow, now)
        return self._looked[1]

    def _look(self, vendor: str, workflow: str, now: datetime) -> dict[str, Any]:
        since = int(now.timestamp()) // 60 - WINDOW_MINUTES
        total = failed = others = others_failing = 0
        for name, minutes in self._calls.get(vendor, {}).items():
            calls, failures = _sum(minutes, since)
            total += calls
            failed += failures
            if calls and name != workflow:
                others += 1
                others_failing += failures > 0
        elsewhere = [v for v, at in self._last_failure.items() if at >= since and v != vendor]
        return {
            "other_workflows": others,
            "other_workflows_failing": others_failing,
            "other_vendors_failing": len(elsewhere),
            "vendor_failure_share": failed / total if total >= TELLING_CALLS else None,
        }

    def changes(self, workflow: str, now: datetime) -> dict[str, Any]:
        minutes = [(seen, (now - seen.at).total_seconds() / 60) for seen in self._changes]
        found = tuple(
            Change(seen.event_type, before, seen.workflow == workflow)
            for seen, before in minutes
            if 0 <= before <= CHANGE_WINDOW_MINUTES
        )
        return {"changes": found, "changes_known": self._changes_known}


class Learnt:
    """How retries of each signature have ended on one side, in the past and in the replay."""

    def __init__(self, world: World) -> None:
        self._history, self._climbs = dict(world.history), dict(world.climbs)

    def remember(self, signature: str, result: Literal["succeeded", "failed", "recurred"]) -> None:
        """One more has ended; `recurred` turns the success that it was taken for."""
        was, worked = self.history(signature), result == "succeeded"
        self._history[signature] = replace(
            was,
            succeeded=was.succeeded + worked - (result == "recurred"),
            failed=was.failed + (not worked),
        )
        self._climbs[signature] = self._climbs.get(signature, Climb()).then(result)

    def history(self, signature: str) -> Outcomes:
        return self._history.get(signature, NO_HISTORY)

    def trust(self, signature: str, rule: AutomationRule) -> Trust:
        start, needed = rule.trust_start_for("retry"), rule.trust_successes
        return self._climbs.get(signature, Climb()).trust(start, needed)


def _sum(minutes: deque[list[int]], since: int) -> tuple[int, int]:
    """Calls and failures of the minutes from `since` on."""
    total = failed = 0
    for minute, calls, failures in reversed(minutes):
        if minute < since:
            break
        total += calls
        failed += failures
    return total, failed


class Vendors:
    """The breakers of one side. A vendor without a row has none: it is always closed."""

    def __init__(self, rules: Ruleset) -> None:
        self._breakers = {
            rule.name.casefold(): ReplayedBreaker(rule.breaker) for rule in rules.vendors
        }

    def state_at(self, vendor: str, now: datetime) -> Breaker | None:
        found = self._breakers.get(vendor.casefold()) if vendor else None
        return found.state_at(now) if found else None

    def policy(self, vendor: str) -> BreakerPolicy:
        return self._breakers[vendor.casefold()].policy

    def record(self, vendor: str, outcome: Outcome, at: datetime) -> None:
        if (found := self._breakers.get(vendor.casefold())) is not None:
            found.record(outcome, at)


class Recoveries:
    """When which recovery was sent: what the caps and the cooldown look at."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], deque[datetime]] = defaultdict(deque)
        self._to_vendor: dict[str, deque[datetime]] = defaultdict(deque)
        self._by_workflow: dict[str, tuple[datetime, int]] = {}
        self._by_resource: dict[tuple[str, str], tuple[datetime, int]] = {}

    def counts(self, incident: Replayed, now: datetime) -> dict[str, Any]:
        """How many were sent lately, by the names of the gate's facts."""
        return {name: self._count((name, key), now) for name, key in _keys(incident).items()}

    def last_minute(self, vendor: str, now: datetime) -> deque[datetime]:
        """When the vendor was called, the oldest first."""
        calls = self._to_vendor[vendor.casefold()]
        while calls and calls[0] <= now - MINUTE:
            calls.popleft()
        return calls

    def _count(self, key: tuple[str, str], now: datetime) -> int:
        sent = self._sent[key]
        while sent and sent[0] <= now - (DAY if key[0].endswith("_day") else HOUR):
            sent.popleft()
        return len(sent)

    def note(self, incident: Replayed, at: datetime) -> None:
        for key in _keys(incident).items():
            self._sent[key].append(at)
        if incident.vendor:
            self.last_minute(incident.vendor, at).append(at)
        self._by_workflow[incident.workflow] = (at, incident.decision)
        for resource in incident.asked:
            self._by_resource[incident.workflow, resource] = (at, incident.decision)

    def last_other(
        self, workflow: str, resources: list[str], decision: int, now: datetime, cooldown: int
    ) -> datetime | None:
        """When the same thing was last recovered under another decision, within the cooldown."""
        if resources:
            found = [self._by_resource.get((workflow, resource)) for resource in resources]
        else:
            found = [self._by_workflow.get(workflow)]
        since = now - timedelta(seconds=cooldown)
        return max(
            (one[0] for one in found if one and one[1] != decision and one[0] > since),
            default=None,
        )


def _keys(incident: Replayed) -> dict[str, str]:
    """What a recovery of the incident counts for. All of them are automated in a replay."""
    return {
        "actions_last_hour": "",
        "actions_last_day": "",
        "incident_retries_last_day": incident.signature,
        "workflow_retries_last_hour": incident.workflow,
        "vendor_retries_last_hour": incident.vendor.casefold(),
    }
