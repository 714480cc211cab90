"""How fast incidents fail: failure counts over time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, QuerySet

from awfdrs_site.kernel.sql import DateBin
from incidents.models import Incident, IncidentEvent
from incidents.states import IncidentStatus

ROW_STEP = timedelta(minutes=5)
ROW_STEPS = 12
CURVE_STEPS = 40
CURVE_SPAN = timedelta(hours=24)


def first_id_at(at: datetime) -> UUID:
    """The lowest id a row made at `at` or later can have: ids are UUIDs of version 7.

    A bound on the primary key lets an index of "newest rows of …" stop early.
    """
    return UUID(int=(int(at.timestamp() * 1000) & (1 << 48) - 1) << 80)


def recent_trends(incident_ids: Iterable[UUID], now: datetime) -> dict[UUID, list[int]]:
    """Events of each incident in the last hour, in steps of 5 minutes, oldest first. One query."""
    start = now - ROW_STEP * ROW_STEPS
    members = _since(IncidentEvent.objects.filter(incident__in=list(incident_ids)), start)
    steps = members.annotate(at=DateBin(ROW_STEP, "event__received_at", start))
    counts: dict[UUID, list[int]] = {}
    for incident_id, at, count in (
        steps.values("incident_id", "at")
        .annotate(n=Count("pk"))
        .values_list("incident_id", "at", "n")
    ):
        trend = counts.setdefault(incident_id, [0] * ROW_STEPS)
        trend[min((at - start) // ROW_STEP, ROW_STEPS - 1)] += count
    return counts


@dataclass(frozen=True)
class Curve:
    """Failures a step between two moments, oldest first."""

    values: list[int]
    start: datetime
    end: datetime
    step: timedelta

    def peak_per_minute(self) -> float:
        """The most failures in any minute, or in any step where steps are longer."""
        width = max(1, math.ceil(timedelta(minutes=1) / self.step))
        most = max(sum(self.values[i : i + width]) for i in range(len(self.values)))
        return most / max(1.0, self.step / timedelta(minutes=1))


def failure_curve(incident: Incident, now: datetime) -> Curve | None:
    """The incident's events in its last day of activity; None while it spans under a second."""
    over = incident.status == IncidentStatus.RESOLVED
    end = max(incident.last_seen_at, incident.resolved_at or now) if over else now
    start = max(incident.first_seen_at, end - CURVE_SPAN)
    if end - start < timedelta(seconds=1):
        return None
    step = (end - start) / CURVE_STEPS
    members = _since(IncidentEvent.objects.filter(incident=incident), start)
    values = [0] * CURVE_STEPS
    for at, count in (
        members.annotate(at=DateBin(step, "event__received_at", start))
        .values("at")
        .annotate(n=Count("pk"))
        .values_list("at", "n")
    ):
        values[min((at - start) // step, CURVE_STEPS - 1)] += count
    return Curve(values, start, end, step)


def _since(members: QuerySet[IncidentEvent], start: datetime) -> QuerySet[IncidentEvent]:
    # An id is made just before the event's receipt is stamped.
    newest = first_id_at(start - timedelta(minutes=1))
    return members.filter(event_id__gte=newest, event__received_at__gte=start)
