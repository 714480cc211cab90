"""What the page of an incident shows of its timeline and events: by tab, a page at a time."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest

from awfdrs_site.kernel.pages import page_of
from awfdrs_site.kernel.problem import FieldError, invalid
from incidents.models import Incident, TimelineEntry, TimelineKind
from incidents.selectors import events_of, timeline_of

# Tab, its label, and the kinds of entries it shows; none: all.
TABS: tuple[tuple[str, str, frozenset[TimelineKind]], ...] = (
    ("", "Timeline", frozenset()),
    (
        "decisions",
        "Decisions",
        frozenset({TimelineKind.DECIDED, TimelineKind.GATE, TimelineKind.APPROVAL}),
    ),
    ("comments", "Comments", frozenset({TimelineKind.COMMENT})),
)
PARAMETER = "story"
# Of an incident: how many entries each tab has; None where it has no entry at all.
TAB_COUNTS = Subquery(
    TimelineEntry.objects.filter(incident=OuterRef("pk"))
    .order_by()
    .values("incident")
    .values(
        n=JSONObject(
            **{
                f"n{i}": Count("pk", filter=Q(kind__in=shown) if shown else None)
                for i, (_, _, shown) in enumerate(TABS)
            }
        )
    )
)


def story_of(incident: Incident, request: HttpRequest) -> dict[str, Any]:
    """The tab and page of the timeline that the URL asks for, of an incident that has its
    TAB_COUNTS as `tab_counts`. One query.

    `following`: new entries belong on top of what is shown; not so on other tabs and older pages.
    """
    tab = request.GET.get(PARAMETER, "")
    kinds = {name: kinds for name, _, kinds in TABS}
    if tab not in kinds:
        detail = f"One of {', '.join(filter(None, kinds))}, or nothing."
        raise invalid([FieldError(PARAMETER, "invalid_choice", detail)])
    rows = timeline_of(incident)
    counts: dict[str, int] = incident.tab_counts or {}  # type: ignore[attr-defined]
    page = page_of(rows.filter(kind__in=kinds[tab]) if tab else rows, request, ("-id",))
    return {
        "timeline": page.rows,
        "tabs": [
            {
                "label": label,
                "count": counts.get(f"n{i}", 0),
                "href": f"?{PARAMETER}={name}" if name else request.path,
                "current": name == tab,
            }
            for i, (name, label, _) in enumerate(TABS)
        ],
        "following": not tab and not page.newer_url,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
    }


def events_page(incident: Incident, request: HttpRequest) -> dict[str, Any]:
    """Everything `incidents/events.html` asks for."""
    page = page_of(events_of(incident), request, ("-id",))
    return {
        "incident": incident,
        "events": page.rows,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
    }
