"""How many incidents each value of a filter would show, the other conditions held.

What is counted is bounded: of each filter the MOST incidents seen last are looked at, and where
there are more its counts are told as "at least".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Case, Count, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce, Concat

from awfdrs_site.kernel.sql import Among, CountOf
from incidents.listing.filters import conditions
from incidents.listing.query import KEYS, ME, NONE, Query, span_of
from incidents.models import Incident
from incidents.states import OPEN
from incidents.triage.snoozing import snoozed
from tenants.models import Tenant

MOST = 1_000
SPANS = ("1h", "24h", "7d")
_ASLEEP = "snoozed "
_FIELDS = {"workflow": "workflow__name", "owner": "assignee__username"}
_TIMES = {"seen": "last_seen_at", "resolved": "resolved_at"}


def counts_of(tenant: Tenant, lists: Sequence[QuerySet[Incident]]) -> list[int]:
    """How many rows each has; over MOST is MOST + 1. One query."""
    counts = [CountOf(rows.order_by().values("pk")[: MOST + 1]) for rows in lists]
    return list(Tenant.objects.filter(pk=tenant.pk).values_list(*counts).get())


@dataclass(frozen=True)
class Facet:
    """The counts of one filter's values; `capped`: there are at least so many."""

    counts: Mapping[str, int]
    capped: bool


def facets_of(
    tenant: Tenant, query: Query, keys: Iterable[str], user: User | None, now: datetime
) -> dict[str, Facet]:
    """By key. One query."""
    arms = [_counted(tenant, query, key, user, now) for key in keys]
    found: dict[str, Counter[str]] = {key: Counter() for key in keys}
    for row in arms[0].union(*arms[1:], all=True):
        found[row["facet"]][row["value"]] = row["n"]
    return {
        key: Facet(_folded(key, counts, user), counts.total() >= MOST)
        for key, counts in found.items()
    }


def _counted(
    tenant: Tenant, query: Query, key: str, user: User | None, now: datetime
) -> QuerySet[Any, Any]:
    """(facet, value, n) of one key, where the conditions of all others hold."""
    others = [asked for of, asked in conditions(query, user, now) if of != key]
    newest = Incident.objects.filter(*others, tenant=tenant).order_by("-last_seen_at")
    return (
        Incident.objects.filter(Among(newest[:MOST]))
        .order_by()
        .annotate(facet=Value(key, TextField()), value=_value_of(key, now))
        .values("facet", "value")
        .annotate(n=Count("pk"))
    )


def _value_of(key: str, now: datetime) -> Any:
    if key == "status":
        asleep = Q(status__in=OPEN) & snoozed(now)
        told = Concat(Value(_ASLEEP), Cast("status", TextField()), output_field=TextField())
        return Case(
            When(asleep, told), default=Cast("status", TextField()), output_field=TextField()
        )
    if key in _TIMES:
        at = f"{_TIMES[key]}__gte"
        steps = [When(**{at: now - span_of(span)}, then=Value(span)) for span in SPANS]
        return Case(*steps, default=Value(""), output_field=TextField())
    return Coalesce(Cast(_FIELDS.get(key, key), TextField()), Value("", TextField()))


def _folded(key: str, counts: Counter[str], user: User | None) -> Mapping[str, int]:
    """What was grouped as counts of the values that a query can have."""
    if key == "status":
        return _statuses(counts)
    if key in _TIMES:
        return {
            span: sum(counts[s] for s in SPANS[: place + 1]) for place, span in enumerate(SPANS)
        }
    named = {value or NONE: n for value, n in counts.items()}
    if key == "owner":
        return {ME: counts[user.get_username()] if user else 0, NONE: 0, **named}
    return {**dict.fromkeys(KEYS[key].values, 0), **named}


def _statuses(counts: Counter[str]) -> Mapping[str, int]:
    asleep = sum(n for value, n in counts.items() if value.startswith(_ASLEEP))
    awake = sum(counts[status] for status in OPEN)
    each = {
        status: counts[status] + counts[_ASLEEP + status] for status in KEYS["status"].values[2:]
    }
    return {"open": awake, "snoozed": asleep, **each}
