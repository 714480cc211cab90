"""The schedule of a retry policy as a picture: when each attempt may start [S2]."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from awfdrs_site.kernel.ui.wording import duration
from safety.backoff import schedule
from safety.rule_types import RetryPolicy

WIDTH, LABEL, END = 480, 72, 96
ROW = 22


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds after the first failure between which an attempt starts, if those before it fail
    at once."""

    attempt: int
    earliest_seconds: float
    latest_seconds: float


def starts(policy: RetryPolicy) -> tuple[Start, ...]:
    """When each attempt of the policy starts; the bands of the delays add up."""
    earliest = latest = 0.0
    found = []
    for band in schedule(policy):
        earliest += band.earliest_seconds
        latest += band.latest_seconds
        found.append(Start(band.attempt, earliest, latest))
    return tuple(found)


def words(policy: RetryPolicy) -> str:
    """The picture in one sentence."""
    found = starts(policy)
    if not found:
        return f"{policy.name} retries nothing."
    count = "1 attempt" if len(found) == 1 else f"{len(found)} attempts"
    low, high = duration(found[-1].earliest_seconds), duration(found[-1].latest_seconds)
    span = low if low == high else f"between {low} and {high}"
    return f"{policy.name}: {count}, the last {span} after the failure."


def picture(policy: RetryPolicy) -> SafeString:
    """An SVG with a row an attempt: a band from its earliest to its latest start."""
    found = starts(policy)
    longest = max((start.latest_seconds for start in found), default=0.0) or 1.0
    scale = (WIDTH - LABEL - END) / longest
    rows = format_html_join(
        "",
        '<text x="0" y="{}" fill="currentColor" font-size="11">Attempt {}</text>'
        '<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="currentColor" stroke-opacity="0.15"/>'
        '<rect x="{}" y="{}" width="{}" height="10" rx="2" fill="currentColor"'
        ' fill-opacity="0.55"/>'
        '<text x="{}" y="{}" fill="currentColor" font-size="11" text-anchor="end">{}</text>',
        (
            (
                y + 15, start.attempt, LABEL, WIDTH - END, y + 11, y + 11,
                round(LABEL + start.earliest_seconds * scale, 1), y + 6,
                round(max(2.0, (start.latest_seconds - start.earliest_seconds) * scale), 1),
                WIDTH, y + 15, _between(start),
            )
            for y, start in ((ROW * index, start) for index, start in enumerate(found))
        ),
    )  # fmt: skip
    return format_html(
        '<svg viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">{}</svg>',
        WIDTH, max(ROW, ROW * len(found)), WIDTH, words(policy), rows,
    )  # fmt: skip


def _between(start: Start) -> str:
    low, high = duration(start.earliest_seconds), duration(start.latest_seconds)
    return low if low == high else f"{low} – {high}"
