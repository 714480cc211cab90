"""What an incident's own failures differ in: the parts that a person could split off [I6]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from incidents.detecting.pins import TRAITS, shown, value_of
from incidents.models import Incident, IncidentEvent

# So many of an incident's newest failures are looked at and moved, for a message has to be read to
# know its shape, and who counts failures waits meanwhile.
MOST = 5_000
# So many values of a trait are shown, and so much of an example.
SHOWN = 12
_CHARS = 300
# Each trait's field of an event.
FIELDS: Mapping[str, str] = {
    "message": "event__payload__error_message",
    "error_code": "event__error_code",
    "vendor": "event__vendor",
    "resource_type": "event__resource_type",
    "event_type": "event__event_type",
}


@dataclass(frozen=True)
class Variant:
    """`value` is what is compared, `text` the same for people; `example`: the newest message."""

    trait: str
    value: str
    text: str
    events: int
    example: str
    last_seen_at: datetime


@dataclass(frozen=True)
class Difference:
    """A trait in which the failures differ: its commonest values, and how many `more` it has."""

    trait: str
    name: str
    variants: Sequence[Variant]
    more: int


@dataclass(frozen=True)
class Variants:
    """Of the newest `looked` of `events` failures that the incident's own signature brought."""

    differences: Sequence[Difference]
    looked: int
    events: int


def own_members(incident: Incident) -> QuerySet[IncidentEvent]:
    """The failures that its own signature brought; what was merged into it has its own."""
    return IncidentEvent.objects.filter(incident=incident, origin=None)


def variants_of(incident: Incident) -> Variants:
    """By two queries; what has one value only is left out."""
    counts: dict[str, Counter[str]] = {trait: Counter() for trait in TRAITS}
    newest: dict[tuple[str, str], tuple[str, str, datetime]] = {}
    looked, compared = 0, cache(value_of)
    for row in _rows(incident, "event__received_at", *FIELDS.values()):
        looked += 1
        at, raws = row[0], [text_of(raw) for raw in row[1:]]
        for trait, raw in zip(FIELDS, raws, strict=True):
            value = compared(trait, raw)
            counts[trait][value] += 1
            newest.setdefault((trait, value), (raw, raws[0], at))
    differences = [
        _difference(trait, seen, newest) for trait, seen in counts.items() if len(seen) > 1
    ]
    return Variants(differences, looked, own_members(incident).count())


def _difference(
    trait: str, seen: Counter[str], newest: Mapping[tuple[str, str], tuple[str, str, datetime]]
) -> Difference:
    variants = []
    for value, events in seen.most_common(SHOWN):
        raw, message, at = newest[trait, value]
        text = shown(trait, raw)
        variants.append(Variant(trait, value, text, events, message[:_CHARS], at))
    return Difference(trait, TRAITS[trait], variants, len(seen) - len(variants))


def events_with(incident: Incident, trait: str, value: str) -> tuple[list[UUID], str]:
    """Those of the newest MOST whose trait has this value, newest first, and how it is shown."""
    rows, compared = _rows(incident, "event_id", FIELDS[trait]), cache(value_of)
    found = [(pk, text_of(raw)) for pk, raw in rows if compared(trait, text_of(raw)) == value]
    return [pk for pk, _ in found], shown(trait, found[0][1]) if found else ""


def _rows(incident: Incident, *fields: str) -> Iterator[Any]:
    rows = own_members(incident).order_by("-event_id").values_list(*fields)[:MOST]
    return rows.iterator(chunk_size=1_000)


def text_of(raw: Any) -> str:
    """As Event.error_message: a sender's message may be anything."""
    return raw if isinstance(raw, str) else ""
