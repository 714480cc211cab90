"""How likely is it that the recommended action recovers the incident? [D5 D6]

The confidence is a sum of named parts, so that a person can see what raised and what lowered it:

    classification   certainty of the class x the usual success of a retry of that class: the prior
    own history      what the same action did for the same signature
    similar          what it did for similar incidents, at half weight times their likeness
    likely cause     causes that no retry mends
    recurrence       it keeps coming back
    novelty          nothing like it on file
    blast radius     many records at once

The first three are one Beta posterior, taken apart: the prior counts as PRIOR_RUNS runs, each
outcome as one more (Gelman et al., "Bayesian Data Analysis", 2.4). So a few verified successes
carry a middling prior over the line, one failure takes a good one under it, and a long record
outweighs whatever was assumed. The rest are deductions. `low` and `high` are the Wilson interval
of all these runs (`ai.record`), moved by the deductions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log10
from typing import Literal

from ai.causes import RETRY_HELPS, lasting_share
from ai.classify import Classification
from ai.record import NO_HISTORY, RETRY, Outcomes, tried, wilson, words_of
from ai.root_cause import Hypothesis
from ai.similarity import Outcome, Similar
from safety.rule_types import Category

PartName = Literal[
    "classification",
    "own_history",
    "similar_incidents",
    "likely_cause",
    "recurrence",
    "novelty",
    "blast_radius",
    "limits",
]

# Never certain: a run may always meet something new.
HIGHEST = 0.98
PRIOR_RUNS = 6.0
# A person's "no" is half a failure: the action was judged, not seen to fail.
REJECTION_WEIGHT = 0.5
# An attempt that failed within the policy's allowance was allowed for: four make one failure.
ATTEMPT_WEIGHT = 0.25
SIMILAR_WEIGHT = 0.5
# All similar incidents together count at most as much as the prior.
MOST_SIMILAR_RUNS = 6.0
UNKNOWN_PRIOR = 0.3
# Of plans that nobody has seen run; three verified successes carry it over a line of 0.80.
PLAN_SUCCESS = 0.75

# Share of retries that end well, by class, before any history; a rule that allows retries but names
# no class is taken at `unknown`.
RETRY_SUCCESS: dict[Category, float] = {
    "transient_timeout": 0.93,
    "network_failure": 0.93,
    "vendor_rate_limit": 0.95,
    "vendor_outage": 0.92,
    "lock_contention": 0.94,
    "resource_exhausted": 0.6,
    "unknown": 0.85,
    "credential_expired": 0.05,
    "bad_data": 0.05,
    "business_decline": 0.02,
    "configuration": 0.05,
    "code_defect": 0.05,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One summand. `value` may be negative; the parts of a confidence add up to it."""

    name: PartName
    value: float
    reason: str


@dataclass(frozen=True, slots=True)
class Confidence:
    """`value`, `low`, `high`: 0 to 1, three decimals; `parts` add up to `value` exactly."""

    value: float
    low: float
    high: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class RetryOutlook:
    """What the confidence in an action is made from.

    `history`: of `action` alone. `failed_attempts`: of this incident.
    """

    classification: Classification
    action: str = RETRY
    history: Outcomes = NO_HISTORY
    similar: tuple[Similar, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    failed_attempts: int = 0
    reopen_count: int = 0
    failing_resources: int = 0


def confidence_in_retry(outlook: RetryOutlook) -> Confidence:
    """The confidence that a retry recovers the incident."""
    return _confidence_in_action(outlook, *_prior(outlook.classification))


def confidence_in_plan(outlook: RetryOutlook) -> Confidence:
    """The confidence that the recovery plan which the failure's rule names recovers it.

    Somebody wrote the plan for this failure, and nobody has seen it work: under the usual line of
    0.80 until it has worked a few times.
    """
    found = outlook.classification
    outlook = replace(outlook, action=tried(found.plan))
    words = f"{class_words(found)}; its rule names the plan {found.plan}"
    return _confidence_in_action(outlook, found.certainty * PLAN_SUCCESS, words)


def _confidence_in_action(outlook: RetryOutlook, base: float, reason: str) -> Confidence:
    good, bad = _own_runs(outlook)
    own = (base * PRIOR_RUNS + good) / (PRIOR_RUNS + good + bad)
    like_good, like_bad = _similar_runs(outlook)
    runs = PRIOR_RUNS + good + bad + like_good + like_bad
    mean = (base * PRIOR_RUNS + good + like_good) / runs
    parts = [
        Part("classification", base, reason),
        Part("own_history", own - base, _own_words(outlook)),
        Part("similar_incidents", mean - own, _similar_words(outlook)),
        *_deductions(outlook),
    ]
    low, high = wilson(mean * runs, runs)
    return _total(parts, low - mean, high - mean)


def confidence_in_class(classification: Classification, verdict: str) -> Confidence:
    """The confidence in a decision that runs nothing: as far as the class is certain."""
    value, reason = classification.certainty, f"{class_words(classification)}; {verdict}."
    if classification.source == "none":
        value, reason = UNKNOWN_PRIOR, f"No rule knows this failure; {verdict}."
    return _total([Part("classification", value, reason)])


def class_words(classification: Classification) -> str:
    """How the class was found: `Known code payment_timeout, transient timeout (0.97)`."""
    found = {
        "code": f"Known code {classification.matched}",
        "pattern": f"Message fits the pattern {classification.matched}",
        "heuristic": f"{classification.matched} points to it",
        "none": "No rule knows this failure",
    }[classification.source]
    if classification.source == "none":
        return found
    if classification.doubt:
        found += f", though the message fits {classification.doubt}"
    return f"{found}, {category_words(classification.category)} ({classification.certainty:.2f})"


def category_words(category: Category) -> str:
    return category.replace("_", " ")


def _prior(classification: Classification) -> tuple[float, str]:
    if classification.source == "none":
        return UNKNOWN_PRIOR, "No rule knows this failure; the usual chance of a blind retry"
    usual = RETRY_SUCCESS[classification.category]
    words = f"{class_words(classification)}; a retry usually works in {usual:.0%} of such cases"
    return classification.certainty * usual, words


def _own_runs(outlook: RetryOutlook) -> tuple[float, float]:
    history = outlook.history
    lost = ATTEMPT_WEIGHT * outlook.failed_attempts + REJECTION_WEIGHT * history.rejected
    return float(history.succeeded), history.failed + lost


def _own_words(outlook: RetryOutlook) -> str:
    history, failed = outlook.history, outlook.failed_attempts
    words = [words_of(history)] if history.runs else []
    if failed:
        words.append(f"{_count(failed, 'attempt')} of this incident failed")
    if history.rejected:
        words.append(f"people rejected it {_count(history.rejected, 'time')}")
    return "; ".join(words) or "It has not run for this signature yet"


_WORTH: dict[Outcome, tuple[float, float]] = {
    "recovered": (1.0, 0.0),
    "failed": (0.0, 1.0),
    "by_hand": (0.0, 0.5),
    "rejected": (0.0, REJECTION_WEIGHT),
    "unknown": (0.0, 0.0),
}


def _comparable(outlook: RetryOutlook) -> list[Similar]:
    """The same action for other signatures; the same signature is own history already."""
    return [
        one
        for one in sorted(outlook.similar, key=lambda one: (one.number, one.incident_id))
        if one.action_kind == outlook.action and not one.same_signature and one.outcome != "unknown"
    ]


def _similar_runs(outlook: RetryOutlook) -> tuple[float, float]:
    good = bad = 0.0
    for one in _comparable(outlook):
        win, loss = _WORTH[one.outcome]
        good += SIMILAR_WEIGHT * one.score * win
        bad += SIMILAR_WEIGHT * one.score * loss
    shrink = min(1.0, MOST_SIMILAR_RUNS / (good + bad)) if good + bad else 1.0
    return good * shrink, bad * shrink


def _similar_words(outlook: RetryOutlook) -> str:
    found, is_retry = _comparable(outlook), outlook.action == RETRY
    if not found:
        what = "retry" if is_retry else "run"
        return f"No {what} of a similar incident on file"
    worked = sum(one.outcome == "recovered" for one in found)
    what = "Retries" if is_retry else "The plan"
    return f"{what} worked in {worked} of {_count(len(found), 'similar incident')}"


def _deductions(outlook: RetryOutlook) -> list[Part]:
    parts = []
    lasting = [one for one in outlook.hypotheses if one.cause not in RETRY_HELPS]
    if (excess := sum(one.share for one in lasting) - _expected_lasting(outlook)) > 0.1:
        first = max(lasting, key=lambda one: (one.share, one.cause))
        reason = f"A retry may not mend it: {first.title} ({first.share:.0%})"
        parts.append(Part("likely_cause", -0.4 * (excess - 0.1), reason))
    if (count := outlook.reopen_count) > 0:
        reason = f"It came back {_count(count, 'time')} after it was resolved"
        parts.append(Part("recurrence", -min(0.2, 0.05 * count), reason))
    history = outlook.history
    if not (history.runs or outlook.similar):
        parts.append(Part("novelty", -0.01, "Nothing like it on file"))
    if (count := outlook.failing_resources) > 20:
        value = -min(0.12, 0.03 * log10(count / 20))
        parts.append(Part("blast_radius", value, f"{count} records at once"))
    return parts


def _expected_lasting(outlook: RetryOutlook) -> float:
    """What the class alone lets expect; the usual success of a retry has that in it already."""
    return lasting_share(outlook.classification.category, outlook.classification.certainty)


def _total(parts: list[Part], below: float = 0.0, above: float = 0.0) -> Confidence:
    """Round so that the shown parts add up to the shown total; zero parts stay, they explain.

    `below` (not over 0), `above`: from the total to the ends of its interval.
    """
    rounded = [Part(part.name, round(part.value, 3) + 0.0, part.reason) for part in parts]
    total = round(sum(part.value for part in rounded), 3)
    value = min(max(total, 0.0), HIGHEST)
    if value != total:
        difference = round(value - total, 3)
        rounded.append(Part("limits", difference, f"Kept between 0 and {HIGHEST}"))
    low, high = max(0.0, value + below), min(HIGHEST, value + above)
    return Confidence(value, round(low, 3), round(high, 3), tuple(rounded))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
