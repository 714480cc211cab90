"""What one side of a replay does about its incidents: decide, ask the gate, retry. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any

from actions.whatif.facts import OpeningOutcome, Phase, Replayed, Seen, Tally, World
from actions.whatif.memory import MINUTE, Learnt, Recoveries, Surroundings, Vendors
from ai.classify import Classification, classify
from ai.decide import Case, DecisionDraft, decide
from ai.effectiveness import WINDOW, came_back
from ai.evidence import CauseFacts
from ai.record import NO_HISTORY
from safety.backoff import Band, band
from safety.breaker import half_open_at, probes_free
from safety.gate import GateFacts, Receipt, judge
from safety.gate_checks import lot_of
from safety.rule_types import (
    CAREFUL_RETRY,
    SEVERITIES,
    AutomationRule,
    RetryPolicy,
    Ruleset,
)

COOLDOWN_RESOURCES = 200
# How long the stages detect and analyse take in life: what comes in meanwhile, they have seen.
DECIDED_AFTER = timedelta(seconds=0.1)
# Of a flood of resources, a retry asks for so many at a time.
RESOURCES_PER_CALL = 500


class Deciding:
    """`ai.decide`, which two sides that see the same case ask once."""

    def __init__(self) -> None:
        self._last: tuple[Case, DecisionDraft] | None = None

    def decide(self, case: Case) -> DecisionDraft:
        if self._last is None or self._last[0] != case:
            self._last = case, decide(case)
        return self._last[1]


class Stages:
    """The stages analyse, plan, send and verify of one side; `days` is where they count."""

    def __init__(
        self,
        rules: Ruleset,
        world: World,
        days: dict[date, Tally],
        around: Surroundings,
        deciding: Deciding,
    ) -> None:
        self.rules, self.world, self._days = rules, world, days
        self.around, self._deciding, self.vendors = around, deciding, Vendors(rules)
        self.learnt = Learnt(world)
        self._classes: dict[str, Classification] = {}
        self._recoveries = Recoveries()
        self._due: list[tuple[datetime, int, Replayed, int]] = []
        self._numbers = count(1)

    def run_until(self, now: datetime) -> None:
        """Do what is due: decisions, attempts, and recoveries that nobody has seen work."""
        due = self._due
        do = {"new": self._decide, "planned": self._send, "sent": self.did_not_help}
        while due and due[0][0] <= now:
            at, _, incident, turn = heappop(due)
            if incident.turn == turn:
                do[incident.phase](incident, at)

    def decide_soon(self, incident: Replayed, at: datetime) -> None:
        """Leave the incident to be decided on."""
        self._queue(incident, "new", at + DECIDED_AFTER)

    def _tally(self, at: datetime) -> Tally:
        return self._days[at.date()]

    def class_of(self, signature: str, seen: Seen) -> Classification:
        """Of a first event of the signature: one look a signature makes a replay quick."""
        found = self._classes.get(signature)
        if found is None:
            found = self._classes[signature] = classify(seen.code, seen.message, self.rules)
        return found

    def _decide(self, incident: Replayed, at: datetime) -> None:
        found, automation = (
            self.class_of(incident.signature, incident.newest),
            self._automation(incident),
        )
        severity = incident.newest.severity
        self._judge_last(incident)
        reopened = 0 if incident.last_helped else incident.reopened
        facts = CauseFacts(
            category=found.category,
            certainty=found.certainty,
            workflow=self._name(incident),
            vendor=incident.vendor,
            **self.around.around(incident.vendor, incident.workflow, at),
            **self.around.changes(incident.workflow, incident.opening.at),
            failures=max(1, incident.events),
            failing_resources=len(incident.failing),
            recovered_resources=incident.recovered,
            successes_since=self.around.successes[incident.workflow] - incident.successes_before,
            reopen_count=reopened,
            past_incidents=incident.past,
        )
        draft = self._deciding.decide(
            Case(
                incident="",
                classification=found,
                facts=facts,
                # What plans come to is not replayed.
                history=NO_HISTORY if found.plan else incident.history,
                failed_attempts=incident.failed_attempts,
                max_attempts=automation.max_attempts,
                ineffective=sum(one > at - WINDOW for one in incident.recurred),
                max_ineffective=automation.max_ineffective,
                reported_severity=severity if severity in SEVERITIES else "",
            )
        )
        incident.draft, incident.decision, incident.phase = draft, next(self._numbers), "idle"
        incident.opening.confidence, incident.opening.severity = draft.confidence, draft.severity
        self._act(incident, draft, at)

    def _judge_last(self, incident: Replayed) -> None:
        """If what the last retry mended has failed again too soon, it counts as failed."""
        helped, sent = incident.helped_at, incident.sent_at
        again = [at for one, at in incident.failing.items() if one in incident.asked]
        if not incident.last_helped or helped is None or sent is None or not again:
            return
        seconds = self._automation(incident).recurrence_seconds
        if not came_back(
            retried_at=sent, worked_at=helped, failed_at=min(again), window_seconds=seconds
        ):
            return
        incident.last_helped = False
        incident.recurred = (*incident.recurred, helped)
        self.learnt.remember(incident.signature, "recurred")
        if helped < incident.opening.at:
            incident.history = self.learnt.history(incident.signature)

    def _act(self, incident: Replayed, draft: DecisionDraft, at: datetime) -> None:
        facts = self.world.workflows.get(incident.workflow)
        if draft.type == "escalate" or (draft.type == "retry" and facts and not facts.can_retry):
            self._escalate(incident, at)
        elif draft.type == "retry":
            self._plan(incident, int(draft.parameters["attempt"]), at)
            if draft.parameters["notify"]:
                self._escalate(incident, at)

    def _escalate(self, incident: Replayed, at: datetime) -> None:
        """Call a person, once an opening."""
        if incident.opening.escalated:
            return
        incident.opening.escalated = True
        self._tally(at).escalations += 1
        if incident.opening.outcome == "nothing":
            incident.opening.outcome = "escalated"

    # recoveries

    def _plan(self, incident: Replayed, attempt: int, at: datetime) -> None:
        incident.attempt, incident.put_off = attempt, False
        receipt = self._judge(incident, at)
        # As early as chance allows: never after what the retry of the past brought about.
        due = at + timedelta(seconds=self._band(incident).earliest_seconds)
        if receipt.outcome in ("run", "defer"):
            later = receipt.until if receipt.outcome == "defer" and receipt.until else due
            self._note_put_off(incident, receipt, at)
            self._queue(incident, "planned", max(due, later))
        else:
            self._stop(incident, receipt, at)

    def _send(self, incident: Replayed, at: datetime) -> None:
        receipt = self._judge(incident, at)
        if receipt.outcome == "defer":
            self._note_put_off(incident, receipt, at)
            self._queue(incident, "planned", receipt.until or at + timedelta(seconds=30))
        elif receipt.outcome == "run":
            self._run(incident, at)
        else:
            self._stop(incident, receipt, at)

    def _run(self, incident: Replayed, at: datetime) -> None:
        self._tally(at).retries += 1
        incident.opening.attempts += 1
        self._reached(incident, "automatic")
        incident.asked = frozenset(list(incident.failing)[:RESOURCES_PER_CALL])
        incident.sent_at, incident.last_helped = at, False
        self._recoveries.note(incident, at)
        found = self._band(incident)
        chance = found.latest_seconds - found.earliest_seconds
        seconds = self._automation(incident).verify_seconds + chance
        self._queue(incident, "sent", at + timedelta(seconds=seconds))

    def did_not_help(self, incident: Replayed, at: datetime) -> None:
        incident.failed_attempts += 1
        incident.phase, incident.turn = "idle", incident.turn + 1
        if incident.attempt < self._limit(incident):
            self._plan(incident, incident.attempt + 1, at)
            return
        self.learnt.remember(incident.signature, "failed")
        self._escalate(incident, at)

    def _stop(self, incident: Replayed, receipt: Receipt, at: datetime) -> None:
        """A person is asked, whom a replay does not have; or it may not run at all."""
        incident.phase, incident.turn = "stopped", incident.turn + 1
        if receipt.outcome == "wait":
            self._tally(at).approvals += 1
            self._reached(incident, "approval")
        else:
            self._tally(at).blocked += 1
            self._reached(incident, "blocked")

    def _note_put_off(self, incident: Replayed, receipt: Receipt, at: datetime) -> None:
        if receipt.outcome == "defer" and not incident.put_off:
            incident.put_off = True
            self._tally(at).deferred += 1
            self._reached(incident, "deferred")

    def _reached(self, incident: Replayed, outcome: OpeningOutcome) -> None:
        """The boldest thing that happened in the opening is its outcome."""
        opening = incident.opening
        if _BOLDNESS.index(outcome) > _BOLDNESS.index(opening.outcome):
            opening.outcome = outcome

    def _queue(self, incident: Replayed, phase: Phase, due: datetime) -> None:
        incident.phase, incident.turn = phase, incident.turn + 1
        heappush(self._due, (due, next(self._numbers), incident, incident.turn))

    def _judge(self, incident: Replayed, at: datetime) -> Receipt:
        automation, draft = self._automation(incident), incident.draft
        trust, last = self.learnt.trust(incident.signature, automation), None
        if incident.attempt == 1:
            named = [one for one in list(incident.failing)[:COOLDOWN_RESOURCES] if one]
            last = self._recoveries.last_other(
                incident.workflow, named, incident.decision, at, automation.cooldown_seconds
            )
        facts = GateFacts(
            now=at,
            tenant_id=self.world.tenant_id,
            workflow_id=incident.workflow,
            workflow=self._name(incident),
            action_kind="retry",
            vendor=incident.vendor,
            attempt=incident.attempt,
            max_attempts=self._limit(incident),
            max_actions_per_hour=automation.max_actions_per_hour,
            max_actions_per_day=automation.max_actions_per_day,
            max_incident_retries_per_day=automation.max_incident_retries_per_day,
            max_workflow_retries_per_hour=automation.max_workflow_retries_per_hour,
            max_vendor_retries_per_hour=automation.max_vendor_retries_per_hour
            if incident.vendor
            else None,
            last_recovery_at=last,
            cooldown_seconds=automation.cooldown_seconds,
            confidence=draft.confidence if draft else None,
            confidence_threshold=automation.threshold_for("retry"),
            dry_run=automation.dry_run,
            trust=trust.rung,
            trust_progress=trust.to_next,
            severity=draft.severity if draft else "",
            opened_at=incident.opening.at,
            lot=lot_of(incident.opening.event_id, incident.opening.at),
            held_back_percent=automation.held_back_percent,
            held_back_seconds=automation.held_back_seconds,
            **self._recoveries.counts(incident, at),
            **self._calls(incident.vendor, at),
        )
        breaker = self.vendors.state_at(incident.vendor, at)
        if breaker is None or breaker.state == "closed":
            return judge(facts)
        policy = self.vendors.policy(incident.vendor)
        return judge(
            replace(
                facts,
                breaker_state=breaker.state,
                breaker_until=half_open_at(breaker, policy),
                probes_free=probes_free(breaker, policy),
            )
        )

    def _calls(self, vendor: str, at: datetime) -> dict[str, Any]:
        """The side's own calls to a vendor that has a limit."""
        rule = self.rules.vendor(vendor)
        if rule is None:
            return {}
        calls, most = self._recoveries.last_minute(vendor, at), rule.requests_per_minute
        until = calls[-most] + MINUTE if 0 < most <= len(calls) else None
        return {
            "vendor_calls": len(calls),
            "vendor_calls_per_minute": most,
            "vendor_calls_until": until,
        }

    def _policy(self, incident: Replayed) -> RetryPolicy:
        found = self.class_of(incident.signature, incident.newest)
        return found.policy if found.retryable else CAREFUL_RETRY

    def _band(self, incident: Replayed) -> Band:
        return band(self._policy(incident), incident.attempt)

    def _limit(self, incident: Replayed) -> int:
        return min(self._policy(incident).max_retries, self._automation(incident).max_attempts)

    def _automation(self, incident: Replayed) -> AutomationRule:
        return self.rules.automation_for(self._name(incident))

    def _name(self, incident: Replayed) -> str:
        facts = self.world.workflows.get(incident.workflow)
        return facts.name if facts else incident.workflow


_BOLDNESS: tuple[OpeningOutcome, ...] = (
    *("nothing", "escalated", "blocked", "deferred", "approval", "automatic"),
)
