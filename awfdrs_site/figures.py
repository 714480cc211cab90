"""What the overview counts: rates and markers of one tenant, each by one query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import (
    CharField,
    Count,
    Value,
)
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from awfdrs_site import charts
from awfdrs_site.charts import Range
from awfdrs_site.kernel.sql import DateBin
from awfdrs_site.kernel.ui import tones
from awfdrs_site.recovery_figures import alone, resolved_since
from incidents.models import Incident
from ingestion.counts import Step, Window
from ingestion.models import Event
from safety.models import EventKind, Severity
from tenants.models import Tenant, Workflow

MINUTE = timedelta(minutes=1)
HOUR = charts.RANGES["1h"]
RECENT_MINUTES = 5
# How many of the newest events tell how late they come.
SAMPLE = 20
MARKERS = 6


def window_of(rng: Range, now: datetime) -> Window:
    """The events that a chart of the range shows."""
    return Window(rng.start(now), rng.step)


def newest_events(tenant: Tenant) -> list[Event]:
    """The last few, the latest first; none before the first event. One query."""
    rows = Event.objects.filter(tenant=tenant).order_by("-received_at")
    return list(rows.only("received_at", "occurred_at", "clock_skew")[:SAMPLE])


def rates(steps: Iterable[Step], newest: Sequence[Event], now: datetime) -> dict[str, object]:
    """Events a minute, the share that fails, and how late they come.

    `steps`: the minutes of the range `1h`; `newest`: of these tell the last that are no more than
    a minute apart how late they are.
    """
    points = charts.points_of(HOUR, now, _numbers(steps), [])
    elapsed = now - points[-1]["at"]
    known = [e for e in newest if not e.clock_skew and e.received_at >= points[0]["at"]]
    lags = [
        (event.received_at - event.occurred_at).total_seconds()
        for event in known
        if known[0].received_at - event.received_at < MINUTE
    ]
    lag = timedelta(seconds=median(lags)) if lags else None
    return charts.rate_figures(points, RECENT_MINUTES, elapsed, lag)


def _numbers(steps: Iterable[Step]) -> list[tuple[datetime, int, int]]:
    return [(step.at, step.events, step.failures) for step in steps]


def rate_chart(
    tenant: Tenant,
    rng: Range,
    now: datetime,
    steps: Iterable[Step],
    workflow: Workflow | None = None,
) -> dict[str, Any]:
    """Everything `overview/_chart.html` asks for, of one workflow if it is named. Two queries.

    `steps`: what came in, by `window_of`.
    """
    start = rng.start(now)
    of: dict[str, Any] = {"tenant": tenant} | ({"workflow": workflow} if workflow else {})
    recovered = (
        resolved_since(tenant, start)
        .filter(alone(), **of)
        .annotate(at=DateBin(rng.step, "resolved_at", start))
        .values("at")
        .annotate(n=Count("resolved_at"))
        .values_list("at", "n")
    )
    points = charts.points_of(rng, now, _numbers(steps), recovered)
    return {
        "range": rng.key,
        "step_words": rng.step_words,
        "step_seconds": round(rng.step.total_seconds()),
        "finding": charts.finding(rng, points, timezone.get_current_timezone()),
        "points": points,
        "markers": markers(of, start),
    }


def markers(of: dict[str, Any], since: datetime) -> list[dict[str, Any]]:
    """The latest changes and severe incidents since then, oldest first; `of` says whose.

    One query: each half is the newest of an index.
    """
    changes = Event.objects.filter(**of, kind=EventKind.CHANGE, received_at__gte=since)
    severe = Incident.objects.filter(
        **of, severity__in=[Severity.CRITICAL, Severity.HIGH], opened_at__gte=since
    )
    label = Concat(Value("INC-"), Cast("number", CharField()))
    rows = (
        changes.order_by("-received_at")
        .values_list("received_at", "event_type", Value(""))[:MARKERS]
        .union(
            severe.order_by("-opened_at").values_list("opened_at", label, "severity")[:MARKERS],
            all=True,
        )
    )
    found = [_marker(*row) for row in rows]
    return sorted(found, key=lambda marker: marker["at"])


def _marker(at: datetime, label: str, severity: str) -> dict[str, Any]:
    if not severity:
        return {"at": at, "label": label, "tone": "slate"}
    look = tones.severity(severity)
    return {"at": at, "label": f"{look.word} {label}", "tone": look.tone}
