"""What the overview counts: recoveries, rates and markers of one tenant, each by one query."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    BooleanField,
    Count,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
)
from django.utils import timezone

from actions.models import Action
from awfdrs_site import charts
from awfdrs_site.charts import Range
from awfdrs_site.kernel.sql import DateBin, Percentile
from awfdrs_site.kernel.ui import tones
from incidents.models import Incident, TimelineEntry, TimelineKind
from incidents.states import IncidentStatus
from ingestion.models import Event
from safety.models import EventKind, Severity
from tenants.models import Tenant, Workflow

DAY = timedelta(days=1)
TREND_STEP = timedelta(hours=2)
MINUTE = timedelta(minutes=1)
RATE_MINUTES, RECENT_MINUTES = 60, 5
MARKERS = 6


def alone() -> Q:
    """An incident that recovered without a person: nobody was called, asked, or closed it."""
    by_person = TimelineEntry.objects.filter(
        incident=OuterRef("pk"),
        at__gte=OuterRef("opened_at"),
        actor_kind="person",
        kind__in=[TimelineKind.RESOLVED, TimelineKind.APPROVAL],
    )
    decided = Action.objects.filter(
        incident=OuterRef("pk"),
        created_at__gte=OuterRef("opened_at"),
        acts=True,
        decided_at__isnull=False,
    )
    return Q(escalated_at=None) & ~Q(Exists(by_person)) & ~Q(Exists(decided))


def resolved_since(tenant: Tenant, since: datetime) -> QuerySet[Incident]:
    """Incidents that are over since then, with `took` and whether they recovered `alone`."""
    rows = Incident.objects.filter(
        tenant=tenant, status=IncidentStatus.RESOLVED, resolved_at__gte=since
    )
    took = ExpressionWrapper(F("resolved_at") - F("opened_at"), output_field=DurationField())
    return rows.annotate(took=took, alone=ExpressionWrapper(alone(), output_field=BooleanField()))


def recoveries(tenant: Tenant, now: datetime) -> dict[str, Any]:
    """`auto` (share that recovered alone) and `recover` (time it took), last 24 h and the day
    before. Two queries."""
    today, before = Q(resolved_at__gte=now - DAY), Q(resolved_at__lt=now - DAY)
    figures = resolved_since(tenant, now - 2 * DAY).aggregate(
        total=Count("pk", filter=today),
        total_before=Count("pk", filter=before),
        alone_now=Count("pk", filter=today & Q(alone=True)),
        alone_before=Count("pk", filter=before & Q(alone=True)),
        median=Percentile("took", 0.5, filter=today),
        median_before=Percentile("took", 0.5, filter=before),
        p90=Percentile("took", 0.9, filter=today),
    )
    shares = _share(figures["alone_now"], figures["total"])
    median = _seconds(figures["median"])
    share_trend, median_trend = _recovery_trends(tenant, now)
    return {
        "auto": {
            "share": shares,
            "recovered": figures["alone_now"],
            "total": figures["total"],
            "delta": charts.difference(
                shares, _share(figures["alone_before"], figures["total_before"])
            ),
            "trend": share_trend,
        },
        "recover": {
            "median_seconds": median,
            "p90_seconds": _seconds(figures["p90"]),
            "delta_seconds": charts.difference(median, _seconds(figures["median_before"])),
            "trend": median_trend,
        },
    }


def _recovery_trends(tenant: Tenant, now: datetime) -> tuple[list[float], list[float]]:
    """Share recovered alone and median seconds for each two hours that had any, oldest first."""
    start = now - DAY
    steps = (
        resolved_since(tenant, start)
        .annotate(at=DateBin(TREND_STEP, "resolved_at", start))
        .values("at")
        .annotate(
            n=Count("pk"), good=Count("pk", filter=Q(alone=True)), median=Percentile("took", 0.5)
        )
        .order_by("at")
        .values_list("n", "good", "median")
    )
    rows = list(steps)
    return (
        [charts.share(good, count) for count, good, _ in rows],
        [median.total_seconds() for _, _, median in rows],
    )


def _share(part: int, whole: int) -> float | None:
    return charts.share(part, whole) if whole else None


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def rates(tenant: Tenant, now: datetime) -> dict[str, object]:
    """Events a minute, the share that fails, and how late they come, from the last hour."""
    start = now - RATE_MINUTES * MINUTE
    lag = ExpressionWrapper(F("received_at") - F("occurred_at"), output_field=DurationField())
    rows = (
        Event.objects.filter(tenant=tenant, received_at__gte=start)
        .annotate(at=DateBin(MINUTE, "received_at", start), lag=lag)
        .values("at")
        .annotate(
            n=Count("pk"),
            failed=Count("pk", filter=Q(kind=EventKind.FAILURE)),
            late=Percentile("lag", 0.5, filter=Q(clock_skew=False)),
        )
        .values_list("at", "n", "failed", "late")
    )
    minutes = {
        min((at - start) // MINUTE, RATE_MINUTES - 1): (count, failed, late)
        for at, count, failed, late in rows
    }
    return charts.rate_figures(minutes, RATE_MINUTES, RECENT_MINUTES)


def rate_chart(
    tenant: Tenant, rng: Range, now: datetime, workflow: Workflow | None = None
) -> dict[str, Any]:
    """Everything `overview/_chart.html` asks for, of one workflow if it is named. Four queries."""
    start = rng.start(now)
    of: dict[str, Any] = {"tenant": tenant} | ({"workflow": workflow} if workflow else {})
    events = (
        Event.objects.filter(**of, received_at__gte=start)
        .annotate(at=DateBin(rng.step, "received_at", start))
        .values("at")
        .annotate(n=Count("pk"), failed=Count("pk", filter=Q(kind=EventKind.FAILURE)))
        .values_list("at", "n", "failed")
    )
    recovered = (
        resolved_since(tenant, start)
        .filter(alone(), **of)
        .annotate(at=DateBin(rng.step, "resolved_at", start))
        .values("at")
        .annotate(n=Count("pk"))
        .values_list("at", "n")
    )
    points = charts.points_of(rng, now, events, recovered)
    return {
        "range": rng.key,
        "step_words": rng.step_words,
        "step_seconds": round(rng.step.total_seconds()),
        "finding": charts.finding(rng, points, timezone.get_current_timezone()),
        "points": points,
        "markers": markers(of, start),
    }


def markers(of: dict[str, Any], since: datetime) -> list[dict[str, Any]]:
    """The latest changes and severe incidents since then, oldest first; `of` says whose."""
    changes = Event.objects.filter(**of, kind=EventKind.CHANGE, received_at__gte=since)
    severe = Incident.objects.filter(
        **of, severity__in=[Severity.CRITICAL, Severity.HIGH], opened_at__gte=since
    )
    found = [
        {"at": event.received_at, "label": event.event_type, "tone": "slate"}
        for event in changes.only("received_at", "event_type").order_by("-received_at")[:MARKERS]
    ]
    for incident in severe.order_by("-opened_at")[:MARKERS]:
        look = tones.severity(incident.severity)
        found.append(
            {"at": incident.opened_at, "label": f"{look.word} {incident.label}", "tone": look.tone}
        )
    return sorted(found, key=lambda marker: marker["at"])
