"""Times and numbers in words, as the pages say them. Pure: `now` is always given.

Durations read `2 m 46 s`, moments of today are clock times, older ones `14 Nov`. Who calls
gives both times in the zone to be shown: the person's, or UTC, which static/js/local-time.js turns
to the browser's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def duration(seconds: float | timedelta | None) -> str:
    """`8 s`, `2 m 46 s`, `3 h 5 m`, `2 d 4 h`; a dash when unknown; never negative."""
    if seconds is None:
        return "–"
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    whole = max(0, round(seconds))
    if 0 < seconds < 0.1:
        return "under 0.1 s"
    if 0 < seconds < 1:
        return f"{seconds:.1f} s"
    for size, unit, small, small_unit in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "m"),
        (_MINUTE, "m", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // small
            return (
                f"{whole // size} {unit} {rest} {small_unit}" if rest else f"{whole // size} {unit}"
            )
    return f"{whole} s"


def ago(at: datetime, now: datetime) -> str:
    """`just now`, `4 min ago`, `3 h ago`, `2 d ago`, or the date after a week."""
    age = (now - at).total_seconds()
    if age < 45:
        return "just now"
    if age < 90 * _MINUTE:
        return f"{max(1, round(age / _MINUTE))} min ago"
    if age < 36 * _HOUR:
        return f"{round(age / _HOUR)} h ago"
    if age < 7 * _DAY:
        return f"{round(age / _DAY)} d ago"
    return day(at, now)


def clock(at: datetime, now: datetime) -> str:
    """`20:03:41` for today, `14 Nov` before, `14 Nov 2025` for another year."""
    return at.strftime("%H:%M:%S") if at.date() == now.date() else day(at, now)


def minute(at: datetime, now: datetime) -> str:
    """`20:03` for today, the date before."""
    return at.strftime("%H:%M") if at.date() == now.date() else day(at, now)


def moment(at: datetime, now: datetime) -> str:
    """`14 Nov 20:03:41`, also for today."""
    return f"{day(at, now)} {at:%H:%M:%S}"


def day(at: datetime, now: datetime) -> str:
    """`14 Nov`, with the year when it is not this one."""
    year = f" {at.year}" if at.year != now.year else ""
    return f"{at.day} {at:%b}{year}"


def remaining(until: datetime, now: datetime) -> str:
    """A countdown's text: `3:41`, `1:02:09`, or `0:00` once it is over."""
    left = max(0, int((until - now).total_seconds()))
    hours, rest = divmod(left, _HOUR)
    minutes, seconds = divmod(rest, _MINUTE)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def initials(name: str) -> str:
    """Two letters for a person's mark: `Mara Kovac` gives `MK`, `alice` gives `AL`."""
    parts = [part for part in name.replace(".", " ").replace("_", " ").split() if part]
    if not parts:
        return "?"
    letters = parts[0][0] + parts[-1][0] if len(parts) > 1 else parts[0][:2]
    return letters.upper()


def shortfall(confidence: float, line: float) -> str:
    """How far a confidence is from the line above which a plan runs by itself."""
    gap = round(confidence, 2) - round(line, 2)
    if gap >= 0:
        return f"{gap:.2f} over" if gap else "on the line"
    return f"{-gap:.2f} short"
