"""What was observed around an incident, and how strongly it speaks for each cause.

A ratio of 4 says: seen four times as often when this is the cause as when it is not. Causes that an
observation does not name keep a ratio of 1. Observations that say nearly the same (the vendor's
share of failures and its failing in other workflows) have modest ratios, because multiplying
assumes that they are independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log10

from ai.causes import Cause, weights
from safety.rule_types import Category

Numbers = dict[str, float | int | str]

# A change this long before the first failure is no longer suspected, minutes.
CHANGE_WINDOW_MINUTES = 360
MANY_RESOURCES = 20
NO_CHANGE = weights(change=0.15)


@dataclass(frozen=True, slots=True)
class Change:
    """A deploy or change event. `same_workflow`: it named this workflow."""

    label: str
    minutes_before: float
    same_workflow: bool = False


@dataclass(frozen=True, slots=True)
class CauseFacts:
    """What is known around one incident; the windows are the caller's (15 minutes is usual).

    `other_workflows_failing` of `other_workflows` call the same vendor and fail; `other_vendors_
    failing`: vendors with failures at the same time. `vendor_failure_share`: of the vendor's events
    over all workflows, None if there were none. `failures`: events of the incident;
    `failing_resources` still failing, `recovered_resources` failed and succeeded since;
    `successes_since`: successes of the workflow after the first failure. `past_incidents`: earlier
    ones of the same signature. `changes_known`: change events reach us at all.
    """

    category: Category
    certainty: float
    workflow: str
    vendor: str = ""
    other_workflows_failing: int = 0
    other_workflows: int = 0
    other_vendors_failing: int = 0
    vendor_failure_share: float | None = None
    changes: tuple[Change, ...] = ()
    changes_known: bool = False
    failures: int = 1
    failing_resources: int = 0
    recovered_resources: int = 0
    successes_since: int = 0
    reopen_count: int = 0
    past_incidents: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation as it bears on one cause. `decibans`: its weight, negative if against."""

    text: str
    supports: bool
    decibans: float
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Observation:
    text: str
    numbers: Numbers
    ratios: dict[Cause, float]

    def as_evidence(self, cause: Cause) -> Evidence:
        ratio = self.ratios[cause]
        return Evidence(self.text, ratio > 1.0, round(10 * log10(ratio), 1), self.numbers)


def observe(facts: CauseFacts) -> tuple[Observation, ...]:
    """Everything that says something, in a fixed order."""
    found = (look(facts) for look in _LOOKS)
    return tuple(one for one in found if one is not None)


def _same_vendor_elsewhere(facts: CauseFacts) -> Observation | None:
    failing, total = facts.other_workflows_failing, facts.other_workflows
    if not facts.vendor or total < 1:
        return None
    numbers: Numbers = {"failing": failing, "workflows": total}
    if failing < 1:
        text = f"None of the {total} other workflows that call {facts.vendor} fails"
        if total == 1:
            text = f"The other workflow that calls {facts.vendor} works"
        ratios = weights(vendor_failing=0.3, network=0.6, credential=0.6, vendor_limit=0.8)
        ratios |= weights(input=1.5, change=1.5, defect=1.5, contention=1.2)
        return Observation(text, numbers, ratios)
    text = f"{failing} of {total} other workflows that call {facts.vendor} fail as well"
    strong = 5.0 if failing == 1 else 8.0
    ratios = weights(vendor_failing=strong, vendor_limit=2.0, credential=2.5, network=2.0)
    ratios |= weights(input=0.3, defect=0.3, change=0.5, contention=0.6, refusal=0.3)
    return Observation(text, numbers, ratios)


def _vendor_share(facts: CauseFacts) -> Observation | None:
    share = facts.vendor_failure_share
    if share is None or not facts.vendor or 0.1 <= share < 0.5:
        return None
    numbers: Numbers = {"share": round(share, 3)}
    if share >= 0.5:
        ratios = weights(vendor_failing=2.5, credential=2.0, network=1.5)
        ratios |= weights(input=0.5, contention=0.5)
    else:
        ratios = weights(vendor_failing=0.5, credential=0.3, network=0.8)
        ratios |= weights(input=1.5, passing=1.5, refusal=1.5)
    return Observation(f"{share:.0%} of the calls to {facts.vendor} failed", numbers, ratios)


def _recent_change(facts: CauseFacts) -> Observation | None:
    near = [one for one in facts.changes if 0 <= one.minutes_before <= CHANGE_WINDOW_MINUTES]
    if not near and facts.changes_known:
        hours = CHANGE_WINDOW_MINUTES // 60
        return Observation(f"No change in the {hours} h before", {"hours": hours}, NO_CHANGE)
    if not near:
        return None
    nearest = min(near, key=lambda one: (not one.same_workflow, one.minutes_before, one.label))
    # Most failures of a change show within minutes; the suspicion fades with half an hour.
    strength = 15.0 if nearest.same_workflow else 5.0
    ratio = round(1.0 + strength * exp(-nearest.minutes_before / 30.0), 3)
    text = f"{nearest.label} came {_minutes(nearest.minutes_before)} before the first failure"
    numbers: Numbers = {"minutes": round(nearest.minutes_before, 1)}
    ratios = weights(change=ratio, defect=1.2, configuration=1.5, passing=0.7)
    return Observation(text, numbers, ratios)


def _successes(facts: CauseFacts) -> Observation | None:
    wins, losses = facts.successes_since, facts.failures
    numbers: Numbers = {"successes": wins, "failures": losses}
    if wins > 0:
        runs = "1 run" if wins == 1 else f"{wins} runs"
        text = f"{runs} of {facts.workflow} succeeded since the first failure"
        ratios = weights(passing=4.0, input=2.0, contention=1.5, refusal=1.5, vendor_limit=1.2)
        ratios |= weights(vendor_failing=0.5, credential=0.15, configuration=0.2, exhaustion=0.5)
        ratios |= weights(change=0.4, defect=0.7)
        return Observation(text, numbers, ratios)
    if losses < 5:
        return None
    ratios = weights(credential=2.0, configuration=2.0, change=1.5, vendor_failing=1.5)
    ratios |= weights(passing=0.3, contention=0.5)
    return Observation(f"{losses} failures and not one success since", numbers, ratios)


def _spread(facts: CauseFacts) -> Observation | None:
    """One record failing over and over, or many at once."""
    count, failures = facts.failing_resources, facts.failures
    numbers: Numbers = {"resources": count, "failures": failures}
    if count == 1 and failures >= 3:
        ratios = weights(input=4.0, defect=1.5, vendor_failing=0.3, network=0.4, passing=0.5)
        return Observation(f"One and the same record failed {failures} times", numbers, ratios)
    if count >= MANY_RESOURCES:
        ratios = weights(input=0.4, refusal=0.5, vendor_failing=1.5, change=1.3)
        return Observation(f"{count} different records fail", numbers, ratios)
    return None


def _other_vendors(facts: CauseFacts) -> Observation | None:
    count = facts.other_vendors_failing
    if count < 1:
        return None
    text = f"{count} other vendors fail at the same time"
    if count == 1:
        text = "Another vendor fails at the same time"
    ratios = weights(network=3.0 if count == 1 else 5.0, exhaustion=2.0, change=1.5)
    ratios |= weights(vendor_failing=0.4, input=0.5)
    return Observation(text, {"vendors": count}, ratios)


def _recurrence(facts: CauseFacts) -> Observation | None:
    reopened, past = facts.reopen_count, facts.past_incidents
    numbers: Numbers = {"reopened": reopened, "past_incidents": past}
    if reopened > 0:
        times = "once" if reopened == 1 else f"{reopened} times"
        ratios = weights(passing=0.4, contention=1.4, vendor_limit=1.4, defect=1.5, input=1.3)
        return Observation(f"It came back {times} after it was resolved", numbers, ratios)
    if past >= 3:
        ratios = weights(contention=1.3, vendor_limit=1.3, change=0.6)
        return Observation(f"The same was seen {past} times before", numbers, ratios)
    return None


def _minutes(value: float) -> str:
    if value < 1:
        return "less than a minute"
    return f"{value:.0f} min"


_LOOKS: tuple[Callable[[CauseFacts], Observation | None], ...] = (
    _same_vendor_elsewhere,
    _vendor_share,
    _recent_change,
    _successes,
    _spread,
    _other_vendors,
    _recurrence,
)
