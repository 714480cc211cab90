"""Why did it happen? Ranked causes, each with what speaks for and against it. [D1]

Weighing evidence after I. J. Good ("Weight of evidence: a brief survey", Bayesian Statistics 2,
1985): every cause starts with a prior given the class of the error, each observation multiplies it
by a likelihood ratio (how much more often it is seen under this cause than otherwise; its weight of
evidence in decibans is 10 log10 of that), and the products are scaled to shares. A fixed part of
the prior stays with "something else", so the shares never add up to 1. The ratios are judgements,
written down in `evidence.py` where they can be argued with.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from ai.causes import Cause, prior, title_of
from ai.evidence import CauseFacts, Change, Evidence, Observation, observe

__all__ = ["Cause", "CauseFacts", "Change", "Evidence", "Hypothesis", "rank_causes"]

MOST_HYPOTHESES = 4
LEAST_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One possible cause. `share`: 0 to 1, how much of the belief it has."""

    cause: Cause
    title: str
    share: float
    evidence: tuple[Evidence, ...]


def rank_causes(facts: CauseFacts) -> tuple[Hypothesis, ...]:
    """At most four hypotheses, the likeliest first; their shares (3 decimals) sum to at most 1."""
    observations = observe(facts)
    beliefs = prior(facts.category, facts.certainty)
    rest = max(0.0, 1.0 - sum(beliefs.values()))
    scores = {cause: _score(cause, belief, observations) for cause, belief in beliefs.items()}
    total = sum(scores[cause] for cause in sorted(scores)) + rest
    ranked = sorted(scores, key=lambda cause: (-scores[cause], cause))
    found = [
        Hypothesis(
            cause=cause,
            title=title_of(cause, facts.vendor, facts.workflow),
            share=floor(1000 * scores[cause] / total) / 1000,
            evidence=_evidence(cause, beliefs[cause], facts, observations),
        )
        for cause in ranked[:MOST_HYPOTHESES]
        if total
    ]
    return tuple(one for one in found if one.share >= LEAST_SHARE)


def _score(cause: Cause, belief: float, observations: tuple[Observation, ...]) -> float:
    for observation in observations:
        belief *= observation.ratios.get(cause, 1.0)
    return belief


def _evidence(
    cause: Cause, belief: float, facts: CauseFacts, observations: tuple[Observation, ...]
) -> tuple[Evidence, ...]:
    """What moves this cause, the weightiest first, then what was expected before looking."""
    moved = [seen.as_evidence(cause) for seen in observations if seen.ratios.get(cause, 1.0) != 1.0]
    moved.sort(key=lambda one: (-abs(one.decibans), one.text))
    kind = facts.category.replace("_", " ")
    text = f"Expected in {belief:.0%} of failures of class {kind}"
    expected = Evidence(text, True, 0.0, {"expected": round(belief, 3)})
    return (*moved, expected)
