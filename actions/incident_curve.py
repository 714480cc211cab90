"""An incident's failures over time with what was done about it: the chart of its page.

All but `marking` is pure: counts and rows in, points and a sentence out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any

from actions.models import Action
from actions.states import ActionStatus
from awfdrs_site.kernel.ui.wording import day, duration
from incidents.detail.trends import Curve
from incidents.models import Incident, TimelineEntry, TimelineKind
from incidents.selectors import timeline_of

MARKS = 20
# Which entries of the timeline are flags, in a word or two, and their hue.
_FLAGS: dict[str, tuple[str, str]] = {
    TimelineKind.OPENED: ("Opened", "red"),
    TimelineKind.REOPENED: ("Opened again", "red"),
    TimelineKind.DECIDED: ("Decided", "violet"),
    TimelineKind.ACKNOWLEDGED: ("Acknowledged", "blue"),
    TimelineKind.ESCALATED: ("Escalated", "orange"),
    TimelineKind.RESOLVED: ("Resolved", "green"),
    TimelineKind.CHANGE: ("Change", "slate"),
}
_WENT = {
    ActionStatus.SUCCEEDED: ("worked", "green"),
    ActionStatus.FAILED: ("failed", "red"),
    ActionStatus.UNKNOWN: ("in doubt", "orange"),
    ActionStatus.CANCELLED: ("called off", "slate"),
}


def marking(incident: Incident) -> list[TimelineEntry]:
    """The newest entries of the timeline that are flags. One query."""
    return list(timeline_of(incident).filter(kind__in=_FLAGS)[:MARKS])


def markers(entries: Iterable[TimelineEntry], plan: Iterable[Action]) -> list[dict[str, Any]]:
    """Flags {at, label, tone}, oldest first: of the timeline, and of each attempt sent."""
    found = [
        {"at": entry.at, "label": _FLAGS[entry.kind][0], "tone": _FLAGS[entry.kind][1]}
        for entry in entries
    ]
    for action in plan:
        if action.acts and action.sent_at is not None:
            went, tone = _WENT.get(ActionStatus(action.status), ("", "violet"))
            name = action.step or f"Attempt {action.attempt}"
            label = f"{name} {went}".rstrip()
            found.append({"at": action.sent_at, "label": label, "tone": tone})
    return sorted(found, key=lambda mark: mark["at"])


def curve_chart(
    incident: Incident, curve: Curve | None, marks: Sequence[dict[str, Any]], zone: tzinfo
) -> dict[str, Any]:
    """Everything `incidents/_curve.html` asks for, and the JSON of chart-curve.js."""
    if curve is None:
        return {
            "finding": _at_once(incident, zone),
            "step_words": "",
            "points": [],
            "until": incident.last_seen_at,
            "markers": list(marks),
        }
    points = [
        {"at": curve.start + curve.step * index, "failed": failed}
        for index, failed in enumerate(curve.values)
    ]
    return {
        "finding": finding(curve, zone),
        "step_words": duration(curve.step),
        "points": points,
        "until": curve.end,
        "markers": [mark for mark in marks if curve.start <= mark["at"] <= curve.end],
    }


def finding(curve: Curve, zone: tzinfo) -> str:
    """The curve in one sentence, for who cannot see it."""
    total, most = sum(curve.values), max(curve.values)
    within = f"from {_clock(curve.start, curve.end, zone)} to {_clock(curve.end, curve.end, zone)}"
    if not total:
        return f"No failure {within}."
    failures = f"{total:,} failure{'' if total == 1 else 's'} {within}"
    peak = curve.start + curve.step * curve.values.index(most)
    said = f"{failures}; most, {most:,} in {duration(curve.step)}"
    return f"{said}, from {_clock(peak, curve.end, zone)}."


def _at_once(incident: Incident, zone: tzinfo) -> str:
    count = incident.event_count
    failures = f"{count:,} failure{'' if count == 1 else 's within a second'}"
    return f"{failures}, at {_clock(incident.last_seen_at, incident.last_seen_at, zone)}."


def _clock(at: datetime, end: datetime, zone: tzinfo) -> str:
    """The time of day with its zone, and the day where it is not the one of the end."""
    here, last = at.astimezone(zone), end.astimezone(zone)
    before = "" if here.date() == last.date() else f"{day(here, last)} "
    return f"{before}{here:%H:%M:%S} {here:%Z}"
