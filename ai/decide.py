"""What should be done? One pure function from a case to a decision. [D2 D4]

`decide` sees nothing but its case: no clock, no database, no chance. The case is stored with the
decision, and deciding it again gives the decision again.

    nothing   it recovered by itself, or the other side's "no" is final and no rule wants a person
    escalate  no retry can mend it, the attempts are used up, recoveries do not last, or it is
              unknown and looks lasting
    plan      the rule of the failure names a recovery plan
    retry     everything else; with little confidence where the class is a guess, so that the gate
              asks a person

Expired credentials, bad data, refusals, wrong settings and program defects are never retried,
whatever policy a rule names for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec

from ai.causes import RETRY_HELPS
from ai.classify import Classification
from ai.confidence import (
    Confidence,
    Part,
    RetryOutlook,
    category_words,
    class_words,
    confidence_in_class,
    confidence_in_plan,
    confidence_in_retry,
)
from ai.record import NO_HISTORY, Outcomes
from ai.root_cause import CauseFacts, Hypothesis, rank_causes
from ai.similarity import Similar
from safety.backoff import schedule
from safety.rule_types import CAREFUL_RETRY, SEVERITIES, Category, RetryPolicy, Severity

MODEL = "local-2"

NEVER_RETRY: frozenset[Category] = frozenset(
    (
        *("credential_expired", "bad_data", "business_decline"),
        *("configuration", "code_defect"),
    )
)
# From here on an incident is one step more severe than its error alone.
WIDE_RESOURCES = 100
WIDE_WORKFLOWS = 2

MAX_SENTENCE_CHARS = 300
# A cause with less of the belief is not worth naming in a sentence.
TELLING_SHARE = 0.2

DecisionType = Literal["retry", "plan", "escalate", "none"]
ReportedSeverity = Literal[Severity, ""]


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision is made from.

    `history`: runs of the same action for this signature before this incident. `failed_attempts`:
    of this incident, those that failed. `max_attempts`: the automation policy's; the retry policy
    may allow fewer. `ineffective`: recoveries of the last 24 hours, since a person decided
    something, after which the same thing failed again too soon. `reported_severity`: the sender's,
    "" if none. The order of `similar` and of `facts.changes` does not matter.
    """

    incident: str
    classification: Classification
    facts: CauseFacts
    history: Outcomes = NO_HISTORY
    similar: tuple[Similar, ...] = ()
    failed_attempts: int = 0
    max_attempts: int = 5
    ineffective: int = 0
    max_ineffective: int = 3
    reported_severity: ReportedSeverity = ""

    def to_json(self) -> dict[str, Any]:
        return cast(dict[str, Any], msgspec.to_builtins(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Case:
        """Raises msgspec.ValidationError if `data` is no case."""
        return msgspec.convert(data, cls)


@dataclass(frozen=True, slots=True)
class DecisionDraft:
    """A decision before it is stored. `parameters` depend on `type`, see `_parameters`."""

    type: DecisionType
    category: Category
    severity: Severity
    confidence: float
    confidence_low: float
    confidence_high: float
    confidence_parts: tuple[Part, ...]
    hypotheses: tuple[Hypothesis, ...]
    similar: tuple[Similar, ...]
    reasoning: str
    recommended_action: str
    parameters: dict[str, Any]
    model: str = MODEL

    def to_json(self) -> dict[str, Any]:
        return cast(dict[str, Any], msgspec.to_builtins(self))


def decide(case: Case) -> DecisionDraft:
    """The decision on a case. Pure and deterministic."""
    hypotheses = rank_causes(case.facts)
    kind, because = _choose(case, hypotheses)
    confidence = _confidence(case, kind, because, hypotheses)
    severity, raised = _severity(case)
    return DecisionDraft(
        type=kind,
        category=case.classification.category,
        severity=severity,
        confidence=confidence.value,
        confidence_low=confidence.low,
        confidence_high=confidence.high,
        confidence_parts=confidence.parts,
        hypotheses=hypotheses,
        similar=tuple(sorted(case.similar, key=_likeness)),
        reasoning=_reasoning(case, hypotheses, because, raised),
        recommended_action=_recommended_action(case, kind),
        parameters=_parameters(case, kind, because),
    )


def _choose(case: Case, hypotheses: tuple[Hypothesis, ...]) -> tuple[DecisionType, str]:
    """The type and, as the end of a sentence, why."""
    found, facts = case.classification, case.facts
    if facts.recovered_resources > 0 and facts.failing_resources == 0:
        return "none", "everything that failed has succeeded since"
    if found.category == "business_decline" and not found.escalate:
        return "none", "the other side's answer is final, a retry would only repeat the question"
    if found.source == "none":
        return _choose_unknown(case, hypotheses)
    if _keeps_coming_back(case):
        return "escalate", _came_back(case)
    if found.plan:
        if case.failed_attempts:
            return "escalate", f"the plan {found.plan} did not help"
        return "plan", f"its rule names the recovery plan {found.plan}"
    if found.category in NEVER_RETRY or not found.retryable:
        return "escalate", f"no retry mends {_with_article(found.category)}"
    if case.failed_attempts >= _attempts(case):
        return "escalate", _used_up(case)
    attempt = f"attempt {case.failed_attempts + 1} of {_attempts(case)}"
    return "retry", f"the policy {found.policy.name} allows a retry, {attempt}"


def _choose_unknown(case: Case, hypotheses: tuple[Hypothesis, ...]) -> tuple[DecisionType, str]:
    passing = sum(one.share for one in hypotheses if one.cause in RETRY_HELPS)
    if passing <= sum(one.share for one in hypotheses) / 2:
        return "escalate", "nothing shows that it would pass by itself"
    if _keeps_coming_back(case):
        return "escalate", _came_back(case)
    if case.failed_attempts >= _attempts(case):
        return "escalate", _used_up(case)
    return "retry", "it looks passing, but a person should agree"


def _keeps_coming_back(case: Case) -> bool:
    return case.ineffective >= case.max_ineffective


def _came_back(case: Case) -> str:
    times = _count(case.ineffective, "time")
    return f"a recovery worked {times} in 24 hours and it came back, so a person must decide"


def _used_up(case: Case) -> str:
    if case.failed_attempts == 0:
        return "automation may not try it"
    return f"{_count(case.failed_attempts, 'attempt')} did not help and no more are allowed"


def _confidence(
    case: Case, kind: DecisionType, because: str, hypotheses: tuple[Hypothesis, ...]
) -> Confidence:
    if kind not in ("retry", "plan"):
        return confidence_in_class(case.classification, because)
    outlook = RetryOutlook(
        classification=case.classification,
        history=case.history,
        similar=case.similar,
        hypotheses=hypotheses,
        failed_attempts=case.failed_attempts,
        reopen_count=case.facts.reopen_count,
        failing_resources=case.facts.failing_resources,
    )
    return confidence_in_plan(outlook) if kind == "plan" else confidence_in_retry(outlook)


def _policy(case: Case) -> RetryPolicy:
    """The policy of a retry; the careful one where nothing is known."""
    found = case.classification
    return found.policy if found.retryable else CAREFUL_RETRY


def _attempts(case: Case) -> int:
    return min(case.max_attempts, _policy(case).max_retries)


def _severity(case: Case) -> tuple[Severity, str]:
    """The rule's or the sender's severity, the higher; one step up if much is affected."""
    level = SEVERITIES.index(case.classification.severity)
    if case.reported_severity:
        level = min(level, SEVERITIES.index(case.reported_severity))
    count, others = case.facts.failing_resources, case.facts.other_workflows_failing
    why = ""
    if count >= WIDE_RESOURCES:
        why = f"{count} records fail"
    elif others >= WIDE_WORKFLOWS:
        why = f"{others} other workflows fail as well"
    if not why or level == 0:
        return SEVERITIES[level], ""
    return SEVERITIES[level - 1], f"Severity is {SEVERITIES[level - 1]} because {why}."


def _reasoning(case: Case, hypotheses: tuple[Hypothesis, ...], because: str, raised: str) -> str:
    """Two to four plain sentences: the class, the cause, the choice, the extent."""
    sentences = [f"{class_words(case.classification)}."]
    if not hypotheses or hypotheses[0].share < TELLING_SHARE:
        sentences.append("No cause stands out.")
    else:
        first = hypotheses[0]
        reason = next((one.text for one in first.evidence if one.decibans > 0), "")
        shown = f": {reason[0].lower()}{reason[1:]}" if reason else ""
        sentences.append(f"Most likely cause ({first.share:.0%}): {first.title}{shown}.")
    sentences.append(f"{because[0].upper()}{because[1:]}.")
    if raised:
        sentences.append(raised)
    return " ".join(sentences)


def _recommended_action(case: Case, kind: DecisionType) -> str:
    """One imperative sentence: the rule's own where it fits what was decided."""
    workflow, count = case.facts.workflow, case.facts.failing_resources
    told = case.classification.recommended_action.strip()
    used_up = kind == "escalate" and case.failed_attempts >= _attempts(case) > 0
    if kind == "none" and case.facts.recovered_resources and not count:
        sentence = f"Do nothing: {workflow} has recovered."
    elif used_up and case.classification.retryable:
        sentence = f"Look at {workflow}: {_count(case.failed_attempts, 'retry')} did not help."
    elif kind == "escalate" and _keeps_coming_back(case):
        sentence = f"Find out why {workflow} keeps failing: recoveries help for a short time only."
    elif told:
        sentence = told if told.endswith((".", "!", "?")) else f"{told}."
    elif kind == "retry":
        what = f"the {count} failed records of" if count > 1 else "what failed in"
        sentence = f"Retry {what} {workflow}."
    elif kind == "plan":
        sentence = f"Run the recovery plan {case.classification.plan}."
    elif kind == "escalate":
        sentence = f"Find out why {workflow} fails and mend it, then retry what failed."
    else:
        sentence = "Do nothing."
    return sentence[:MAX_SENTENCE_CHARS]


def _parameters(case: Case, kind: DecisionType, because: str) -> dict[str, Any]:
    """What the action needs. retry: the policy, the attempt and when; escalate: why, how urgent.

    `notify`: a rule wants a person told even though it is retried.
    """
    if kind == "none":
        return {}
    severity = _severity(case)[0]
    if kind == "plan":
        return {"plan": case.classification.plan, "notify": case.classification.escalate}
    if kind == "escalate":
        return {"reason": because, "severity": severity, "category": case.classification.category}
    policy, attempt = _policy(case), case.failed_attempts + 1
    band = schedule(policy)[attempt - 1]
    return {
        "policy": policy.name,
        "kind": policy.kind,
        "max_retries": policy.max_retries,
        "max_attempts": _attempts(case),
        "attempt": attempt,
        "initial_delay_seconds": policy.initial_delay_seconds,
        "max_delay_seconds": policy.max_delay_seconds,
        "multiplier": policy.multiplier,
        "jitter_ratio": policy.jitter_ratio,
        "earliest_seconds": round(band.earliest_seconds, 3),
        "latest_seconds": round(band.latest_seconds, 3),
        "resources": case.facts.failing_resources,
        "notify": case.classification.escalate,
    }


def _likeness(similar: Similar) -> tuple[bool, float, int, str]:
    return (not similar.same_signature, -similar.score, -similar.number, similar.incident_id)


def _with_article(category: Category) -> str:
    return {
        "bad_data": "bad data",
        "code_defect": "a defect in the program",
        "configuration": "a wrong setting",
        "credential_expired": "an expired credential",
        "resource_exhausted": "an exhausted resource",
        "business_decline": "a refusal",
    }.get(category, category_words(category))


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun}" if number == 1 else f"{number} {plural}"
