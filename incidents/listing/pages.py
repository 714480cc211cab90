"""What the incident list shows: the query in its URL, views, one page of rows in an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import HttpRequest

from awfdrs_site.kernel.pages import page_of
from awfdrs_site.kernel.problem import FieldError, invalid
from incidents.detail.trends import recent_trends
from incidents.listing.chips import chips_of
from incidents.listing.empties import nothing_found
from incidents.listing.facets import SPANS, counts_of, facets_of
from incidents.listing.filters import narrowed, with_severity_rank
from incidents.listing.query import DEFAULT, KEYS, Mistake, Query, of_parameters, parse
from incidents.listing.saved_views import may_change, views_for
from incidents.models import Incident, SavedView
from incidents.selectors import members_of
from tenants.access import Identity

# In the session: what a bulk action could not be done to, and stays selected.
LEFT = "incidents_left"
# In the session: the view that was deleted last, to be offered back.
GONE = "incidents_view_gone"
# Each shows first what is worst, newest or most; with - before its name it is turned round.
SORTS = {
    "severity": ("severity_rank", "-last_seen_at", "-id"),
    "last_seen": ("-last_seen_at", "-id"),
    "first_seen": ("-first_seen_at", "-id"),
    "events": ("-event_count", "-id"),
    "number": ("-number", "-id"),
}
SORT_WORDS = {
    "severity": "Severity",
    "last_seen": "Last seen",
    "first_seen": "First seen",
    "events": "Events",
    "number": "Number",
}
DEFAULT_SORT = "severity"
MOST_TABS = 30
VIEWS = (
    ("Open", "status:open"),
    ("Triage", "status:open owner:none"),
    ("Mine", "status:open owner:me"),
    ("Critical and high", "status:open severity:critical,high"),
    ("Needs approval", "status:open recovery:waiting"),
    ("Snoozed", "status:snoozed"),
    ("Resolved in 24 h", "status:resolved resolved:24h"),
)
_OF_OLD = ("status", "severity", "recovery", "workflow", "vendor", "assignee", "since", "resolved")
_KEPT = ("cursor", "page_size")


@dataclass(frozen=True)
class Asked:
    """The list's URL, read. `typed` is what stands in the bar; where it has mistakes, `query` is
    the last one that had none."""

    query: Query
    sort: str
    typed: str = ""
    mistakes: tuple[Mistake, ...] = ()

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Asked:
        """Problem 400 for an order that there is not."""
        typed = parameters.get("q", DEFAULT.text)
        if any(name in parameters for name in _OF_OLD):
            typed = of_parameters(parameters)
        sort = parameters.get("sort", DEFAULT_SORT)
        if sort.removeprefix("-") not in SORTS:
            detail = f"One of {', '.join(SORTS)}, with - before it to turn it round."
            raise invalid([FieldError("sort", "invalid_choice", detail)])
        reading = parse(typed)
        if not reading.mistakes:
            return cls(reading.query, sort, reading.query.text)
        last = parse(parameters.get("last", DEFAULT.text))
        return cls(DEFAULT if last.mistakes else last.query, sort, typed, reading.mistakes)

    @property
    def order(self) -> tuple[str, ...]:
        """The sort fields; the last, `id`, is unique."""
        first, *others = SORTS[self.sort.removeprefix("-")]
        if not self.sort.startswith("-"):
            return (first, *others)
        turned = first.removeprefix("-") if first.startswith("-") else f"-{first}"
        return (turned, *others)

    def parameters(self) -> dict[str, str]:
        """Of the one URL of this query in this order; what is the default is left out."""
        asked = {} if self.query == DEFAULT else {"q": self.query.text}
        return asked | ({} if self.sort == DEFAULT_SORT else {"sort": self.sort})

    @property
    def url(self) -> str:
        """As a link on the list."""
        return "?" + urlencode(self.parameters())

    def link(self, query: Query) -> str:
        """Another query in the same order."""
        return replace(self, query=query).url


def moved(request: HttpRequest) -> str:
    """Where the list stands under its one URL, if the request's is another; else nothing."""
    parameters = request.GET.dict()
    asked = Asked.read(parameters)
    kept = {name: parameters[name] for name in _KEPT if name in parameters}
    canonical = asked.parameters() | kept
    if asked.mistakes or dict(request.GET.lists()) == {k: [v] for k, v in canonical.items()}:
        return ""
    return f"{request.path}?{urlencode(canonical)}".removesuffix("?")


def list_page(request: HttpRequest, identity: Identity, now: datetime) -> dict[str, Any]:
    """Everything `incidents/list.html` asks for; Problem 400 for a place or an order that is none,
    never for what is typed."""
    asked, tenant, user = Asked.read(request.GET.dict()), identity.tenant, identity.user
    people = members_of(tenant)
    found = narrowed(identity, asked.query, now)
    page = page_of(with_severity_rank(found), request, asked.order)
    _dress(page.rows, request, now)
    facets = facets_of(tenant, asked.query, _shown(asked.query), user, now)
    tabs = tabs_of(identity)
    lists = [found, *(narrowed(identity, tab.asked.query, now) for tab in tabs)]
    total, *counts = counts_of(tenant, lists)
    return {
        "views": shown_tabs(tabs, counts, asked, user),
        "saved": next((t.saved for t in tabs if _is_mine(t, asked, identity)), None),
        "gone": request.session.pop(GONE, None),
        "asked": asked,
        "mistakes": mistakes_of(asked),
        "chips": chips_of(asked.query, facets, people, asked.link),
        "keys": KEYS.values(),
        "spans": SPANS,
        "sorts": sorts_of(asked),
        "sort_words": sort_words(asked.sort),
        "clear_all_url": "" if asked.query == DEFAULT else request.path,
        "incidents": page.rows,
        "people": people,
        "total": total,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        **({} if page.rows else nothing_found(identity, asked.query, facets, asked.link, now)),
    }


def _dress(rows: Sequence[Incident], request: HttpRequest, now: datetime) -> None:
    left = request.session.pop(LEFT, [])
    trends = recent_trends([incident.pk for incident in rows], now)
    for incident in rows:
        incident.selected = str(incident.pk) in left  # type: ignore[attr-defined]
        incident.trend = trends.get(incident.pk)  # type: ignore[attr-defined]


def _shown(query: Query) -> list[str]:
    """The keys that have a chip: when it was resolved is asked of what is."""
    over = "resolved" in query.values("status") or "resolved" in {t.key for t in query.terms}
    return [key for key in KEYS if key != "resolved" or over]


@dataclass(frozen=True)
class Tab:
    """A view above the list: one of VIEWS, or one that somebody saved."""

    label: str
    text: str
    sort: str = DEFAULT_SORT
    saved: SavedView | None = None

    @property
    def asked(self) -> Asked:
        return Asked(parse(self.text).query, self.sort)


def tabs_of(identity: Identity) -> list[Tab]:
    """VIEWS, then what the person saved and others share. One query."""
    saved = views_for(identity.tenant, identity.user)[:MOST_TABS]
    built_in = [Tab(label, text) for label, text in VIEWS]
    return [*built_in, *(Tab(view.name, view.text, view.sort, view) for view in saved)]


def shown_tabs(
    tabs: Sequence[Tab], counts: Sequence[int], asked: Asked, user: User | None
) -> list[dict[str, Any]]:
    """What `partials/_list_head.html` asks for; `note`: whose it is."""
    return [
        {
            "label": tab.label,
            "href": tab.asked.url,
            "count": count,
            "current": tab.asked.url == asked.url,
            "note": _note(tab.saved, user) if tab.saved else "",
        }
        for tab, count in zip(tabs, counts, strict=True)
    ]


def _note(view: SavedView, user: User | None) -> str:
    if view.owner == user:
        return "Your view, shared" if view.shared else "Your view"
    return f"Shared by {view.owner.get_full_name() or view.owner.username}"


def _is_mine(tab: Tab, asked: Asked, identity: Identity) -> bool:
    """Whether it is what is shown, and the reader's to change."""
    view = tab.saved
    return view is not None and tab.asked.url == asked.url and may_change(identity, view)


def mistakes_of(asked: Asked) -> list[dict[str, Any]]:
    """What was typed, in parts around each mistake, and where it leads when it is mended."""
    return [
        {
            "before": asked.typed[: wrong.at],
            "wrong": asked.typed[wrong.at : wrong.at + wrong.length],
            "after": asked.typed[wrong.at + wrong.length :],
            "place": wrong.at + 1,
            "detail": wrong.detail,
            "meant": wrong.meant,
            "href": "?" + urlencode({**asked.parameters(), "q": wrong.instead}),
        }
        for wrong in asked.mistakes
    ]


def sorts_of(asked: Asked) -> dict[str, dict[str, str]]:
    """The heads of the columns by name: where each leads, and how the list is sorted by it."""
    found = {}
    for name, words in SORT_WORDS.items():
        shown = {name: "descending", f"-{name}": "ascending"}.get(asked.sort, "")
        to = f"-{name}" if asked.sort == name else name
        found[name] = {"label": words, "href": replace(asked, sort=to).url, "aria": shown}
    return found


def sort_words(sort: str) -> str:
    """`severity, then last seen`, for the caption."""
    words = SORT_WORDS[sort.removeprefix("-")].lower()
    turned = ", turned round" if sort.startswith("-") else ""
    return words + (", then last seen" if sort == DEFAULT_SORT else turned)
