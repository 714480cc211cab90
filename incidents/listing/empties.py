"""Why a list of incidents is empty, what happened lately, and what nearly matched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from incidents.listing.facets import Facet, counts_of
from incidents.listing.filters import narrowed
from incidents.listing.query import DEFAULT, KEYS, WORDS, Query
from incidents.selectors import incidents_for
from incidents.states import IncidentStatus
from ingestion.models import Event
from tenants.access import Identity
from tenants.models import Tenant

DAY = timedelta(hours=24)
TOLD = 3
Link = Callable[[Query], str]


def nothing_found(
    identity: Identity, query: Query, facets: Mapping[str, Facet], link: Link, now: datetime
) -> dict[str, Any]:
    """`empty`: `none_yet`, `all_clear` or `no_match`, and what each of them tells."""
    tenant = identity.tenant
    if not incidents_for(tenant).exists():
        last = Event.objects.filter(tenant=tenant).order_by("-received_at").first()
        return {"empty": "none_yet", "last_event": last}
    if query != DEFAULT:
        hints = [*_meant(query, facets, link), *_nearly(identity, query, link, now)]
        return {"empty": "no_match", "hints": hints[:TOLD]}
    return {"empty": "all_clear", **_lately(tenant, now)}


def _lately(tenant: Tenant, now: datetime) -> dict[str, Any]:
    over = incidents_for(tenant).filter(status=IncidentStatus.RESOLVED)
    return {
        "last_resolved": over.order_by("-resolved_at").first(),
        "resolved_today": over.filter(resolved_at__gte=now - DAY).count(),
    }


def _meant(query: Query, facets: Mapping[str, Facet], link: Link) -> list[dict[str, Any]]:
    """A name that is there in place of one that is not, where one is near."""
    hints = []
    for term in query.terms:
        if term.negated or term.key not in facets or KEYS[term.key].values:
            continue
        there = {value: n for value, n in facets[term.key].counts.items() if n}
        for value in (value for value in term.values if value not in there):
            for near in get_close_matches(value, there, n=1, cutoff=0.6):
                left = [other for other in term.values if other != value]
                meant = query.having(term.key, *left, near)
                words = f"{term.key}:{near}"
                hints.append({"words": words, "href": link(meant), "count": there[near]})
    return hints


def _nearly(identity: Identity, query: Query, link: Link, now: datetime) -> list[dict[str, Any]]:
    """What there would be without one of the conditions, the fewest first. One query."""
    queries = [(term, query.without(term)) for term in query.terms]
    if not queries:
        return []
    counts = counts_of(
        identity.tenant, [narrowed(identity, without, now) for _, without in queries]
    )
    hints = [
        {"words": f"without {term.text}", "href": link(without), "count": count}
        for (term, without), count in zip(queries, counts, strict=True)
        if count and (term.key != WORDS or without.terms)
    ]
    return sorted(hints, key=lambda hint: int(str(hint["count"])))
