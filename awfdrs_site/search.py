"""Finding things of a tenant by what people call them: number, title, name, id.

Words are looked for among the newest incidents alone, newest first, so that what a search costs is
bounded however many there are (decision 0031); what is older is a click away in the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.urls import reverse

from actions.plans.selectors import recoveries_for
from actions.selectors import actions_for
from awfdrs_site.places import COMMANDS, PAGES, Hit, matching
from incidents.listing.pages import DEFAULT_SORT, Asked, tabs_of
from incidents.listing.query import DEFAULT
from incidents.models import Incident
from incidents.selectors import incidents_for
from safety.models import Vendor
from tenants.access import Identity
from tenants.models import Tenant
from tenants.selectors import members_for

SHOWN = 6
RECENT = 2_000
MOST_CHARS, MOST_WORDS = 100, 5
Row = TypeVar("Row", bound=Model)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"(?:inc-?)?(\d{1,9})", re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """Hits of one kind, under that heading."""

    title: str
    hits: list[Hit]

    @property
    def slug(self) -> str:
        return self.title.lower().replace(" ", "-")


def search(identity: Identity, text: str) -> list[Group]:
    """What the person may see that fits every word, the likeliest kind first. At most 7 queries.

    Of an empty text: the pages and commands, without a query.
    """
    text = text.replace("\x00", " ")[:MOST_CHARS].strip()
    words, tenant = text.split()[:MOST_WORDS], identity.tenant
    pages = matching(PAGES, words, identity.scopes)
    commands = matching(COMMANDS, words, identity.scopes)
    if not words:
        groups = [("Pages", pages), ("Commands", commands)]
    elif _ID.fullmatch(text) and not _NUMBER.fullmatch(text):
        groups = [("Incidents and what was done", _by_id(tenant, text))]
    else:
        groups = [
            ("Incidents", _incidents(tenant, text, words)),
            ("Pages", pages),
            ("Commands", commands),
            ("Views of incidents", _views(identity, words)),
            ("Workflows", _workflows(tenant, words)),
            ("Vendors", _vendors(tenant, words)),
            ("People", _people(tenant, words)),
        ]
    return [Group(title, hits) for title, hits in groups if hits]


def _having(words: Iterable[str], *fields: str) -> Q:
    """Every word in one of the fields."""
    found = Q()
    for word in words:
        one = Q()
        for field in fields:
            one |= Q(**{f"{field}__icontains": word})
        found &= one
    return found


def _incidents(tenant: Tenant, text: str, words: list[str]) -> list[Hit]:
    """That of the number first, then the newest with the words."""
    rows = incidents_for(tenant)
    numbered = _NUMBER.fullmatch(text)
    first = list(rows.filter(number=int(numbered[1]))) if numbered else []
    by_time = Incident.objects.filter(tenant=tenant).order_by("-last_seen_at")
    oldest = by_time.values("last_seen_at")[RECENT : RECENT + 1]
    recent = rows.filter(last_seen_at__gt=Coalesce(oldest, Value(_EVER)))
    fits = _having(words, "title", "signature_text", "vendor", "workflow__name")
    found = recent.filter(fits).order_by("-last_seen_at")[: SHOWN + 1]
    return [_incident(row) for row in [*first, *(r for r in found if r not in first)][:SHOWN]]


def _incident(row: Incident) -> Hit:
    href = reverse("incidents:detail", args=[row.pk])
    return Hit(
        f"sev-{row.severity}", f"{row.label} {row.title}", href, f"{row.state}, {row.workflow}"
    )


def _by_id(tenant: Tenant, text: str) -> list[Hit]:
    """What has that id, or one that begins so; an action has no page but its incident's."""
    digits = text.replace("-", "").lower()[:32]
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))

    def between(rows: QuerySet[Row]) -> list[Row]:
        return list(rows.filter(pk__range=(low, high)).order_by("-pk")[:SHOWN])

    hits = [_incident(row) for row in between(incidents_for(tenant))]
    for run in between(recoveries_for(tenant)):
        href = reverse("recoveries:detail", args=[run.pk])
        hits.append(Hit("retry", f"{run.title}: {run.incident}", href, f"recovery {run.pk}"))
    for action in between(actions_for(tenant)):
        href = reverse("incidents:detail", args=[action.incident_id])
        label = f"{action.get_kind_display()}: {action.incident}"
        hits.append(Hit("actions", label, href, f"action {action.pk}"))
    return hits[:SHOWN]


def _views(identity: Identity, words: list[str]) -> list[Hit]:
    """Views whose name has the words, also those that the person keeps or others share."""
    page = reverse("incidents:list")
    return [
        Hit("filter", tab.label, page + tab.asked.url)
        for tab in tabs_of(identity)
        if all(word.lower() in tab.label.lower() for word in words)
    ]


def _workflows(tenant: Tenant, words: list[str]) -> list[Hit]:
    rows = tenant.workflows.filter(_having(words, "name")).order_by("name")[:SHOWN]
    return [Hit("workflow", w.name, reverse("workflows:detail", args=[w.pk])) for w in rows]


def _vendors(tenant: Tenant, words: list[str]) -> list[Hit]:
    page = reverse("safety:page")
    rows = Vendor.objects.filter(_having(words, "name"), tenant=tenant).order_by("name")[:SHOWN]
    return [Hit("plug", row.name, f"{page}#breaker-{row.pk}", "breaker and limits") for row in rows]


def _people(tenant: Tenant, words: list[str]) -> list[Hit]:
    """Members, to the incidents they own."""
    fits = _having(words, "user__username", "user__first_name", "user__last_name")
    page, hits = reverse("incidents:list"), []
    for row in members_for(tenant).filter(fits, user__is_active=True)[:SHOWN]:
        name, login = row.user.get_full_name(), row.user.get_username()
        theirs = Asked(DEFAULT.having("owner", login), DEFAULT_SORT)
        hits.append(Hit("user", name or login, page + theirs.url, f"{login}, incidents they own"))
    return hits
