"""Which past incidents are like this one: TF-IDF vectors and their cosine. [D1 D5]

Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988: weight =
sqrt(frequency) x (ln((1 + n) / (1 + documents with the term)) + 1), vectors of length 1. A term is
a word, the parts of a compound word (`RateLimitError` gives rate, limit, error) and the compound
as a whole. The parameters were chosen by leave-one-out search on public sets of duplicate bugs and
fault-injection runs.

Plain Python: 500 past incidents take some milliseconds, and the order of the past never matters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Literal

from safety.codes import normalise_code

Outcome = Literal["recovered", "failed", "by_hand", "rejected", "unknown"]
Bag = Mapping[str, float]

MAX_TEXT_CHARS = 20_000
# Below this two incidents share little more than their workflow.
LEAST_SCORE = 0.3

_COMPOUND = re.compile(r"\w(?:[\w.$:-]{0,198}\w)?")
_PART = re.compile(r"[^\W\d_]{2,}|\d+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STOP_WORDS = frozenset(
    (
        *("an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "could", "do", "does"),
        *("for", "from", "had", "has", "have", "if", "in", "into", "is", "it", "its", "may", "no"),
        *("not", "of", "on", "or", "our", "should", "so", "some", "such", "than", "that", "the"),
        *("their", "them", "then", "there", "these", "they", "this", "to", "was", "we", "were"),
        *("when", "where", "which", "while", "will", "with", "would", "you", "your"),
    )
)
# How much a field says about the cause, against 1 for a word of the message.
_FIELD_WEIGHTS = {"code": 3.0, "vendor": 1.0, "category": 1.0, "workflow": 0.5}


@dataclass(frozen=True, slots=True)
class IncidentText:
    """What two incidents are compared by. `message`: the template rather than one message."""

    signature: str
    message: str
    error_code: str = ""
    vendor: str = ""
    workflow: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class PastIncident:
    """A closed incident, what was done and what came of it."""

    incident_id: str
    number: int
    text: IncidentText
    outcome: Outcome
    action_kind: str = ""
    seconds_to_recover: float | None = None


@dataclass(frozen=True, slots=True)
class Similar:
    """A past incident with its likeness, 0 to 1."""

    incident_id: str
    number: int
    score: float
    outcome: Outcome
    action_kind: str
    seconds_to_recover: float | None
    same_signature: bool


class TfIdf:
    """Vectors of some bags of terms, searchable by one more bag."""

    def __init__(self, bags: Sequence[Bag]) -> None:
        self._size = len(bags)
        counts = Counter(term for bag in bags for term in bag)
        self._rarity = {term: self._rarity_of(count) for term, count in counts.items()}
        self._postings: dict[str, list[tuple[int, float]]] = {term: [] for term in counts}
        for index, bag in enumerate(bags):
            for term, weight in self._vector(bag).items():
                self._postings[term].append((index, weight))

    def scores(self, bag: Bag) -> dict[int, float]:
        """The cosine of every bag that shares a term, by its index."""
        found: dict[int, float] = {}
        for term, weight in self._vector(bag).items():
            for index, other in self._postings.get(term, ()):
                found[index] = found.get(index, 0.0) + weight * other
        return found

    def _vector(self, bag: Bag) -> dict[str, float]:
        """Weights in the terms' order, so that sums never depend on how the bag was filled."""
        unseen = self._rarity_of(0)
        raw = {term: sqrt(bag[term]) * self._rarity.get(term, unseen) for term in sorted(bag)}
        length = sqrt(sum(weight * weight for weight in raw.values()))
        return {term: weight / length for term, weight in raw.items()} if length else {}

    def _rarity_of(self, count: int) -> float:
        return log((1 + self._size) / (1 + count)) + 1.0


class TextIndex:
    """Search over plain texts: fill once by `fit`, then `query`."""

    def fit(self, docs: Sequence[str]) -> None:
        self._index = TfIdf([Counter(terms_of(doc)) for doc in docs])

    def query(self, doc: str, k: int) -> list[tuple[int, float]]:
        """The `k` texts most like `doc`, best first: (index, cosine)."""
        scores = self._index.scores(Counter(terms_of(doc)))
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k]


def rank_similar(
    query: IncidentText, past: Iterable[PastIncident], limit: int = 5
) -> tuple[Similar, ...]:
    """The `limit` past incidents most like `query`, those of the same signature first.

    Scores have three decimals; under 0.3 nothing is similar. The order of `past` does not matter.
    """
    known = sorted(past, key=lambda incident: (-incident.number, incident.incident_id))
    index = TfIdf([_bag(incident.text) for incident in known])
    scores = index.scores(_bag(query))
    found = [
        _similar(one, min(1.0, round(scores.get(at, 0.0), 3)), query.signature)
        for at, one in enumerate(known)
    ]
    found = [one for one in found if one.same_signature or one.score >= LEAST_SCORE]
    return tuple(sorted(found, key=lambda one: (not one.same_signature, -one.score))[:limit])


def terms_of(text: str) -> list[str]:
    """The terms of a text, repeated as often as they stand in it."""
    terms: list[str] = []
    for compound in _COMPOUND.findall(text[:MAX_TEXT_CHARS]):
        parts = [part.casefold() for part in _PART.findall(_HUMP.sub(" ", compound))]
        if len(parts) > 1:
            terms.append(compound.casefold())
        terms += [part for part in parts if part not in _STOP_WORDS]
    return terms


def _similar(past: PastIncident, score: float, signature: str) -> Similar:
    return Similar(
        incident_id=past.incident_id,
        number=past.number,
        score=score,
        outcome=past.outcome,
        action_kind=past.action_kind,
        seconds_to_recover=past.seconds_to_recover,
        same_signature=bool(signature) and past.text.signature == signature,
    )


def _bag(text: IncidentText) -> dict[str, float]:
    """Message terms, and the fields as terms of their own that no word can be mistaken for."""
    bag: dict[str, float] = dict(Counter(terms_of(text.message)))
    values = {
        "code": normalise_code(text.error_code),
        "vendor": text.vendor,
        "category": text.category,
        "workflow": text.workflow,
    }
    for field, value in values.items():
        if value:
            bag[f"{field}={value.casefold()}"] = _FIELD_WEIGHTS[field]
    return bag
