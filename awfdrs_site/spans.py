"""Stretches of time that reports look back over, cut into steps of a zone's clock. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """So long up to now. `step`: what its steps are, "2 h" or "day"."""

    key: str
    words: str
    length: timedelta
    step: str


SPANS = {
    span.key: span
    for span in (
        Span("24h", "24 hours", DAY, "2 h"),
        Span("7d", "7 days", 7 * DAY, "day"),
        Span("30d", "30 days", 30 * DAY, "day"),
    )
}
DEFAULT_SPAN = SPANS["24h"]


def edges(span: Span, now: datetime, zone: tzinfo) -> list[datetime]:
    """Where each step begins, oldest first, in UTC: the span's start, then every even hour or every
    midnight of the zone's clock up to now.

    So the first step is a part of one and the last is not over, but all of them together are the
    span, and what ended yesterday stays where it is when it is looked at again. Where the clocks
    change, a step is an hour longer or shorter.
    """
    start = (now - span.length).astimezone(UTC)
    local = start.astimezone(zone)
    wanted = _midnights(local.date()) if span.step == "day" else _even_hours(local)
    found = [start]
    for wall in wanted:
        at = wall.replace(tzinfo=zone).astimezone(UTC)
        if at > now:
            return found
        if at > found[-1]:
            found.append(at)
    return found


def _midnights(day: date) -> list[datetime]:
    return [datetime.combine(day, time()) + DAY * i for i in range(33)]


def _even_hours(local: datetime) -> list[datetime]:
    first = local.replace(
        tzinfo=None, hour=local.hour // 2 * 2, minute=0, second=0, microsecond=0, fold=0
    )
    return [first + timedelta(hours=2) * i for i in range(15)]


def ends(starts: Sequence[datetime], now: datetime) -> list[datetime]:
    """Where each of the steps ends."""
    return [*starts[1:], now]
