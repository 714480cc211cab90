"""What recovering came to, of one tenant: from its incidents and from what breakers kept back.

Each figure is one bounded query; no event is read. What the words mean: docs/reports.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.db.models import (
    BooleanField,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.functions import Least

from actions.models import Action
from awfdrs_site.charts import difference
from awfdrs_site.kernel.sql import Percentile, WidthBucket
from awfdrs_site.recovery import Answered, Ended, Saved, Step, Totals, saved_of, steps_of
from awfdrs_site.spans import SPANS, Span, edges
from incidents.models import Incident, TimelineEntry, TimelineKind
from incidents.states import IncidentStatus
from safety.models import SavedCalls
from tenants.models import Tenant

QUARTER = timedelta(minutes=15)
EVERY = Q()


def alone() -> Q:
    """An incident that recovered without a person: nobody was called, asked, or closed it."""
    return Q(escalated_at=None) & (Q(handled_at=None) | Q(handled_at__lt=F("opened_at")))


def resolved_since(tenant: Tenant, since: datetime) -> QuerySet[Incident]:
    """Incidents that are over since then, with `took` and whether they recovered `alone`."""
    rows = Incident.objects.filter(
        tenant=tenant, status=IncidentStatus.RESOLVED, resolved_at__gte=since
    )
    took = ExpressionWrapper(F("resolved_at") - F("opened_at"), output_field=DurationField())
    return rows.annotate(took=took, alone=ExpressionWrapper(alone(), output_field=BooleanField()))


def opened_since(tenant: Tenant, since: datetime) -> QuerySet[Incident]:
    """Incidents whose present opening began since then, with the time to their first `answer`: the
    first thing that a person did about it or that automation sent; None while there is neither."""
    by_person = TimelineEntry.objects.filter(
        incident=OuterRef("pk"), at__gte=OuterRef("opened_at"), actor_kind="person"
    ).exclude(kind=TimelineKind.REOPENED)
    sent = Action.objects.filter(
        incident=OuterRef("pk"), acts=True, sent_at__gte=OuterRef("opened_at")
    )
    first = Least(
        "acknowledged_at",
        Subquery(by_person.order_by("at").values("at")[:1]),
        Subquery(sent.order_by("sent_at").values("sent_at")[:1]),
    )
    answer = ExpressionWrapper(first - F("opened_at"), output_field=DurationField())
    return Incident.objects.filter(tenant=tenant, opened_at__gte=since).annotate(answer=answer)


def totals(tenant: Tenant, span: Span, now: datetime) -> Totals:
    """The span and the one before. Two queries."""
    start = now - span.length
    rows = opened_since(tenant, start - span.length).aggregate(
        **_answered("now", Q(opened_at__gte=start)), **_answered("before", Q(opened_at__lt=start))
    )
    answered, before = _as_answered(rows, "now"), _as_answered(rows, "before")
    return Totals(*ended_in(tenant, span, now), answered, before)


def ended_in(tenant: Tenant, span: Span, now: datetime) -> tuple[Ended, Ended]:
    """Of the span and of the one before. One query."""
    start = now - span.length
    rows = resolved_since(tenant, start - span.length).aggregate(
        **_ended("now", Q(resolved_at__gte=start)), **_ended("before", Q(resolved_at__lt=start))
    )
    return _as_ended(rows, "now"), _as_ended(rows, "before")


def steps(tenant: Tenant, starts: Sequence[datetime]) -> list[Step]:
    """What came of each step of a span; `starts` as `spans.edges` gives them. Two queries."""
    rows = opened_since(tenant, starts[0]).annotate(step=WidthBucket("opened_at", starts))
    answered = rows.values("step").annotate(**_answered("now", EVERY))
    return steps_of(
        starts,
        ended_steps(tenant, starts),
        {row["step"]: _as_answered(row, "now") for row in answered},
    )


def ended_steps(tenant: Tenant, starts: Sequence[datetime]) -> dict[int, Ended]:
    """By number of the step, those in which something ended. One query."""
    rows = resolved_since(tenant, starts[0]).annotate(step=WidthBucket("resolved_at", starts))
    ended = rows.values("step").annotate(**_ended("now", EVERY))
    return {row["step"]: _as_ended(row, "now") for row in ended}


def _ended(name: str, which: Q) -> dict[str, Any]:
    return {
        f"total_{name}": Count("resolved_at", filter=which),
        f"alone_{name}": Count("resolved_at", filter=which & Q(alone=True)),
        f"median_{name}": Percentile("took", 0.5, filter=which),
        f"p90_{name}": Percentile("took", 0.9, filter=which),
    }


def _as_ended(row: Mapping[str, Any], name: str) -> Ended:
    return Ended(
        total=row[f"total_{name}"],
        alone=row[f"alone_{name}"],
        median=_seconds(row[f"median_{name}"]),
        p90=_seconds(row[f"p90_{name}"]),
    )


def _answered(name: str, which: Q) -> dict[str, Any]:
    return {
        f"opened_{name}": Count("pk", filter=which),
        f"answered_{name}": Count("pk", filter=which & Q(answer__isnull=False)),
        f"median_{name}": Percentile("answer", 0.5, filter=which),
    }


def _as_answered(row: Mapping[str, Any], name: str) -> Answered:
    return Answered(
        opened=row[f"opened_{name}"],
        answered=row[f"answered_{name}"],
        median=_seconds(row[f"median_{name}"]),
    )


def _seconds(took: timedelta | None) -> float | None:
    return None if took is None else took.total_seconds()


def recoveries(tenant: Tenant, now: datetime, zone: tzinfo) -> dict[str, Any]:
    """`auto` (share that recovered alone) and `recover` (time it took), last 24 h and the day
    before: the figures of the report. Two queries."""
    day = SPANS["24h"]
    ended, before = ended_in(tenant, day, now)
    by_step = ended_steps(tenant, edges(day, now, zone))
    trend = [by_step[number] for number in sorted(by_step)]
    return {
        "auto": {
            "share": ended.share,
            "recovered": ended.alone,
            "total": ended.total,
            "delta": difference(ended.share, before.share),
            "trend": [step.share for step in trend],
        },
        "recover": {
            "median_seconds": ended.median,
            "p90_seconds": ended.p90,
            "delta_seconds": difference(ended.median, before.median),
            "trend": [step.median for step in trend],
        },
    }


def saved_calls(tenant: Tenant, span: Span, starts: Sequence[datetime], now: datetime) -> Saved:
    """What open breakers kept back in each step of the span, and in the span before. One query.

    What is counted stands at the start of a quarter of an hour, so the span begins with one.
    """
    begin = starts[0]
    begin -= timedelta(seconds=begin.timestamp() % QUARTER.total_seconds())
    found = (
        SavedCalls.objects.filter(tenant=tenant, at__gte=begin - span.length)
        .annotate(step=WidthBucket("at", [begin, *starts[1:]]))
        .values("step", "vendor__name")
        .annotate(n=Sum("calls"))
        .values_list("step", "vendor__name", "n")
    )
    return saved_of(starts, now, found)
