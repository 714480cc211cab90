"""The chips of the query bar: one a filter, whose values are links to the changed query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User

from incidents.listing.facets import SPANS, Facet
from incidents.listing.query import KEYS, ME, NONE, Key, Query, Term
from incidents.states import IncidentStatus, Recovery
from safety.models import Severity

# Of names that are not known beforehand, so many of the most frequent are offered.
OFFERED = 12
WORDS: Mapping[str, Mapping[str, str]] = {
    "status": dict(IncidentStatus.choices) | {"open": "Open", "snoozed": "Snoozed"},
    "severity": dict(Severity.choices),
    "recovery": {value or NONE: words for value, words in Recovery.choices},
    "owner": {ME: "Me", NONE: "Nobody"},
    "vendor": {NONE: "No vendor"},
}
_UNITS = {"m": "min", "h": "h", "d": "days", "w": "weeks"}
Link = Callable[[Query], str]


def chips_of(
    query: Query, facets: Mapping[str, Facet], people: Sequence[User], link: Link
) -> list[dict[str, Any]]:
    """The chips of those filters that were counted, in their order."""
    names = {user.username: user.get_full_name() or user.username for user in people}
    return [
        {
            "name": key,
            "label": KEYS[key].label,
            "value": "; ".join(_told(term, names) for term in query.terms if term.key == key),
            "clear_url": link(query.without_key(key)),
            "options": _options(KEYS[key], query, facet, names, link),
        }
        for key, facet in facets.items()
    ]


def _told(term: Term, names: Mapping[str, str]) -> str:
    words = " or ".join(words_of(term.key, value, names) for value in term.values)
    return f"not {words}" if term.negated else words


def words_of(key: str, value: str, names: Mapping[str, str]) -> str:
    """A value as people read it."""
    if KEYS[key].span:
        return f"last {value[:-1]} {_UNITS[value[-1]]}"
    known = WORDS.get(key, {}).get(value)
    return known or (names.get(value, value) if key == "owner" else value)


def _options(
    key: Key, query: Query, facet: Facet, names: Mapping[str, str], link: Link
) -> list[dict[str, Any]]:
    chosen = query.values(key.name)
    return [
        {
            "value": value,
            "words": words_of(key.name, value, names),
            "href": link(query.toggled(key.name, value)),
            "count": facet.counts.get(value, 0),
            "at_least": facet.capped,
            "current": value in chosen,
        }
        for value in _offered(key, facet, chosen)
    ]


def _offered(key: Key, facet: Facet, chosen: tuple[str, ...]) -> list[str]:
    if key.values:
        return list(key.values)
    if key.span:
        return list(dict.fromkeys((*SPANS, *chosen)))
    # Who may be meant without a name stands first.
    first = [value for value in (ME, NONE) if value in facet.counts and key.name == "owner"]
    others = sorted(facet.counts.keys() - {*first, *chosen}, key=lambda v: (-facet.counts[v], v))
    return list(dict.fromkeys((*first, *chosen, *others[:OFFERED])))
