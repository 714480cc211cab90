"""How fast incidents fail: failure counts over time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Sum

from awfdrs_site.kernel.sql import DateBin
from incidents.models import Incident, IncidentEvent, MemberCount
from incidents.states import IncidentStatus

ROW_STEP = timedelta(minutes=5)
ROW_STEPS = 12
MINUTE = timedelta(minutes=1)
CURVE_STEPS = 40
# Up to so many events an incident's curve is drawn from their own times.
FEW = 500
CURVE_SPAN = timedelta(hours=24)


def first_id_at(at: datetime) -> UUID:
    """The lowest id a row made at `at` or later can have: ids are UUIDs of version 7.

    A bound on the primary key lets an index of "newest rows of …" stop early.
    """
    return UUID(int=(int(at.timestamp() * 1000) & (1 << 48) - 1) << 80)


def recent_trends(incident_ids: Iterable[UUID], now: datetime) -> dict[UUID, list[int]]:
    """Events of each incident in the last hour, in steps of 5 minutes, oldest first. One query.

    Minutes are whole ones, the running one is the last.
    """
    start = _minute(now) - ROW_STEP * ROW_STEPS + MINUTE
    steps = (
        MemberCount.objects.filter(incident_id__in=list(incident_ids), at__gte=start)
        .annotate(step=DateBin(ROW_STEP, "at", start))
        .values("incident_id", "step")
        .annotate(n=Sum("events"))
        .values_list("incident_id", "step", "n")
    )
    counts: dict[UUID, list[int]] = {}
    for incident_id, at, count in steps:
        trend = counts.setdefault(incident_id, [0] * ROW_STEPS)
        trend[min((at - start) // ROW_STEP, ROW_STEPS - 1)] += count
    return counts


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


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
    """The incident's events in its last day of activity; None while it spans under a second.

    Of a few events the times are read, of many the counts of whole minutes. One query.
    """
    over = incident.status == IncidentStatus.RESOLVED
    end = max(incident.last_seen_at, incident.resolved_at or now) if over else now
    start = max(incident.first_seen_at, end - CURVE_SPAN)
    if end - start < timedelta(seconds=1):
        return None
    if incident.event_count > FEW:
        return _curve_of_minutes(incident, _minute(start), end)
    step = (end - start) / CURVE_STEPS
    members = IncidentEvent.objects.filter(incident=incident, event__received_at__gte=start)
    steps = members.annotate(step=DateBin(step, "event__received_at", start))
    counts = steps.values("step").annotate(n=Count("pk")).values_list("step", "n")
    return _curve(counts, CURVE_STEPS, start, end, step)


def _curve_of_minutes(incident: Incident, start: datetime, end: datetime) -> Curve:
    step = MINUTE * math.ceil((end - start) / MINUTE / CURVE_STEPS)
    rows = MemberCount.objects.filter(incident_id=incident.pk, at__gte=start)
    steps = rows.annotate(step=DateBin(step, "at", start))
    counts = steps.values("step").annotate(n=Sum("events")).values_list("step", "n")
    return _curve(counts, math.ceil((end - start) / step), start, end, step)


def _curve(
    counts: Iterable[tuple[datetime, int]],
    steps: int,
    start: datetime,
    end: datetime,
    step: timedelta,
) -> Curve:
    values = [0] * steps
    for at, count in counts:
        values[min((at - start) // step, steps - 1)] += count
    return Curve(values, start, end, step)


def recount() -> int:
    """Count the members of all incidents anew; return how many minutes are kept.

    Locks: the members against writers, so `detect` waits meanwhile; senders do not.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("LOCK TABLE incidents_incidentevent IN SHARE MODE")
        cursor.execute("DELETE FROM incidents_membercount")
        cursor.execute(
            "INSERT INTO incidents_membercount (incident_id, at, events)"
            " SELECT incident_id, date_bin('1 minute', received_at, 'epoch'), count(*)"
            " FROM incidents_incidentevent JOIN ingestion_event e ON e.id = event_id GROUP BY 1, 2"
        )
        return int(cursor.rowcount)
