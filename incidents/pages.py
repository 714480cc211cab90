"""What the incident list shows: filters in the URL, saved views, one page of rows.

The status filter is `open` until the URL says otherwise, and leaves out what is snoozed; an empty
value means "any".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django_filters.utils import translate_validation

from awfdrs_site.kernel.pages import page_of
from awfdrs_site.kernel.problem import FieldError, invalid, problem_of
from incidents.filters import UNASSIGNED, IncidentFilter, with_severity_rank
from incidents.models import Incident
from incidents.selectors import incidents_for, members_of
from incidents.snoozing import snoozed
from incidents.states import IncidentStatus, Recovery
from incidents.trends import recent_trends
from safety.models import Severity, Vendor
from tenants.access import Identity
from tenants.models import Tenant

OPEN = tuple(
    s for s in IncidentStatus if s not in (IncidentStatus.RESOLVED, IncidentStatus.IGNORED)
)
ORDER = ("severity_rank", "-last_seen_at", "-id")
DEFAULTS = {"status": "open"}
ME = "me"
# In the session: what a bulk action could not be done to, and stays selected.
LEFT = "incidents_left"
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
SPAN_WORDS = [("1h", "last hour"), ("24h", "last 24 hours"), ("7d", "last 7 days")]


@dataclass(frozen=True)
class Query:
    """The list's URL, read: `values` of the filters by name, and the words searched for."""

    values: Mapping[str, str]
    words: str

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Query:
        values = {name: parameters.get(name, DEFAULTS.get(name, "")) for name in LABELS}
        return cls(
            {name: text.strip() for name, text in values.items()}, parameters.get("q", "").strip()
        )

    def url(self, values: Mapping[str, str]) -> str:
        """The list with these values and the same words."""
        set_now = {k: v for k, v in values.items() if v != DEFAULTS.get(k, "")}
        return "?" + urlencode(set_now | ({"q": self.words} if self.words else {}))

    def is_default(self) -> bool:
        return self.url(self.values) == "?"


LABELS = {
    "status": "Status",
    "severity": "Severity",
    "recovery": "Recovery",
    "workflow": "Workflow",
    "vendor": "Vendor",
    "assignee": "Owner",
    "since": "Seen in",
    "resolved": "Resolved in",
}


def list_page(request: HttpRequest, identity: Identity, now: datetime) -> dict[str, Any]:
    """Everything `incidents/list.html` asks for; Problem 400 for a filter value that is none."""
    query = Query.read(request.GET.dict())
    rows = narrowed(identity, query, now)
    people = members_of(identity.tenant)
    page = page_of(with_severity_rank(rows), request, ORDER)
    left = request.session.pop(LEFT, [])
    trends = recent_trends([incident.pk for incident in page.rows], now)
    for incident in page.rows:
        incident.selected = str(incident.pk) in left  # type: ignore[attr-defined]
        incident.trend = trends.get(incident.pk)  # type: ignore[attr-defined]
    return {
        "views": saved_views(identity, query, now),
        "filters": filters(identity.tenant, people, query),
        "query": query.words,
        "clear_all_url": "" if query.is_default() else request.path,
        "incidents": page.rows,
        "people": people,
        "total": rows.count(),
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        **({} if page.rows else nothing_found(identity.tenant, query)),
    }


def narrowed(identity: Identity, query: Query, now: datetime) -> QuerySet[Incident]:
    """The tenant's incidents that the query asks for."""
    data = dict(query.values) | {"q": query.words}
    wanted = data["status"]
    data["status"] = ",".join(OPEN) if wanted in ("open", "snoozed") else wanted
    if data["assignee"] == ME and identity.user is not None:
        data["assignee"] = identity.user.get_username()
    if span := SPANS.get(data["since"]):
        data["since"] = (now - span).isoformat()
    filterset = IncidentFilter(data, queryset=incidents_for(identity.tenant))
    if not filterset.is_valid():
        raise problem_of(translate_validation(filterset.errors))
    rows: QuerySet[Incident] = filterset.qs
    if wanted in ("open", "snoozed"):
        rows = rows.filter(snoozed(now) if wanted == "snoozed" else ~snoozed(now))
    if recovery := data["recovery"]:
        rows = rows.filter(recovery=_one_of("recovery", recovery, Recovery.values))
    if resolved := data["resolved"]:
        span = SPANS[_one_of("resolved", resolved, SPANS)]
        rows = rows.filter(resolved_at__gte=now - span)
    return rows


def _one_of(name: str, value: str, offered: Iterable[str]) -> str:
    if value not in offered:
        raise invalid(
            [FieldError(name, "invalid_choice", f"One of {', '.join(filter(None, offered))}.")]
        )
    return value


def saved_views(identity: Identity, query: Query, now: datetime) -> list[dict[str, Any]]:
    """The views above the list with their counts, by one query."""
    owner = identity.user
    asleep = Q(status__in=OPEN) & snoozed(now)
    is_open, severe = (
        Q(status__in=OPEN) & ~snoozed(now),
        Q(severity__in=[Severity.CRITICAL, Severity.HIGH]),
    )
    day = Q(status=IncidentStatus.RESOLVED, resolved_at__gte=now - SPANS["24h"])
    views: list[tuple[str, dict[str, str], Q]] = [
        ("Open", {}, is_open),
        ("Triage", {"assignee": UNASSIGNED}, is_open & Q(assignee=None)),
        ("Mine", {"assignee": ME}, is_open & Q(assignee=owner) if owner else Q(pk=None)),
        ("Critical and high", {"severity": "critical,high"}, is_open & severe),
        (
            "Needs approval",
            {"recovery": Recovery.WAITING.value},
            is_open & Q(recovery=Recovery.WAITING),
        ),
        ("Snoozed", {"status": "snoozed"}, asleep),
        ("Resolved in 24 h", {"status": IncidentStatus.RESOLVED.value, "resolved": "24h"}, day),
    ]
    counted = Incident.objects.filter(Q(status__in=OPEN) | day, tenant=identity.tenant)
    counts = counted.aggregate(
        **{f"n{i}": Count("pk", filter=q) for i, (_, _, q) in enumerate(views)}
    )
    here = query.url(query.values)
    empty = Query({name: DEFAULTS.get(name, "") for name in LABELS}, "")
    hrefs = [empty.url(dict(empty.values) | values) for _, values, _ in views]
    return [
        {"label": label, "href": href, "count": counts[f"n{i}"], "current": href == here}
        for i, ((label, _, _), href) in enumerate(zip(views, hrefs, strict=True))
    ]


def filters(tenant: Tenant, people: Sequence[User], query: Query) -> list[dict[str, Any]]:
    """The chips of the query bar; a value that is not on offer is added, so that it shows."""
    status, resolved = query.values["status"], query.values["resolved"]
    options = _options(tenant, people)
    shown = [name for name in LABELS if name != "resolved" or resolved or status == "resolved"]
    chips = []
    for name in shown:
        value = query.values[name]
        known = [(key, words) for key, words in options[name] if key]
        if value and value not in [key for key, _ in known]:
            known.append((value, value.replace(",", " or ")))
        chips.append(
            {
                "name": name,
                "label": LABELS[name],
                "value": value,
                "clear_url": query.url({**query.values, name: ""}),
                "options": known,
            }
        )
    return chips


def _options(tenant: Tenant, members: Sequence[User]) -> dict[str, list[tuple[str, str]]]:
    people = [(user.username, user.get_full_name() or user.username) for user in members]
    workflows = tenant.workflows.values_list("name", flat=True)
    vendors = Vendor.objects.filter(tenant=tenant).values_list("name", flat=True)
    return {
        "status": [("open", "Open"), ("snoozed", "Snoozed"), *IncidentStatus.choices],
        "severity": [*Severity.choices, ("critical,high", "Critical or high")],
        "recovery": list(Recovery.choices),
        "workflow": [(name, name) for name in workflows],
        "vendor": [(name, name) for name in vendors],
        "assignee": [(ME, "Me"), (UNASSIGNED, "Nobody"), *people],
        "since": SPAN_WORDS,
        "resolved": SPAN_WORDS,
    }


def nothing_found(tenant: Tenant, query: Query) -> dict[str, Any]:
    """Why the list is empty, and what happened lately."""
    last = (
        incidents_for(tenant)
        .filter(status=IncidentStatus.RESOLVED)
        .order_by("-resolved_at")
        .first()
    )
    empty = "all_clear" if query.is_default() else "no_match"
    if last is None and not incidents_for(tenant).exists():
        empty = "none_yet"
    return {"empty": empty, "last_resolved": last}
