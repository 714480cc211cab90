"""Small drawings as SVG: geometry in attributes, paint from CSS classes, no inline style.

A meter has no `viewBox`, so it takes percent geometry and its text stays crisp at any width.
Every function returns escaped, safe markup.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_RING = 2 * math.pi * 9

_CONTACTS = {
    "closed": ("M1 8h7M22 8h7M8 8h14", "", 8),
    "half_open": ("M1 10h7M22 10h7", "m8 10 12.5-4", 10),
    "open": ("M1 11h7M22 11h7M8 11 20 2.5", "", 11),
    "forced_open": ("M1 11h7M22 11h7M8 11 20 2.5", "", 11),
    "disabled": ("M1 8h7M22 8h7M8 8h14", "", 8),
}


def percent(part: float, whole: float = 1.0) -> float:
    """`part` of `whole` as 0 to 100, clamped; 0 when there is no whole."""
    if not whole:
        return 0.0
    return round(min(100.0, max(0.0, 100 * part / whole)), 1)


def meter(share: float, tone: str, label: str = "", height: int = 6) -> SafeString:
    """A bar filled to `share` percent; with `label` it is an image with that name."""
    name = (
        format_html(' role="img" aria-label="{}"', label)
        if label
        else mark_safe(' aria-hidden="true"')
    )
    return format_html(
        '<svg class="meter" data-tone="{}" height="{}"{}><rect class="track" width="100%" '
        'height="{}" rx="2"/><rect class="fill" width="{}%" height="{}" rx="2"/></svg>',
        tone,
        height,
        name,
        height,
        percent(share, 100),
        height,
    )


def confidence(
    value: float, line: float, low: float | None, high: float | None, label: str = "Confidence"
) -> SafeString:
    """A share from 0 to 1 as a bar, its range, and the line above which it runs by itself."""
    rng: SafeString | str = ""
    if low is not None and high is not None and high > low:
        rng = format_html(
            '<rect class="range" x="{}%" y="8" width="{}%" height="8" rx="2"/>',
            percent(low),
            percent(high - low),
        )
    at = percent(line)
    anchor = "end" if at > 80 else "start" if at < 20 else "middle"
    return format_html(
        '<svg class="meter" data-tone="violet" height="34" role="img" '
        'aria-label="{} {} of 100, auto line {}">'
        '<rect class="track" y="8" width="100%" height="8" rx="2"/>'
        '<rect class="fill" y="8" width="{}%" height="8" rx="2"/>{}'
        '<line class="tick" x1="{}%" x2="{}%" y1="3" y2="21"/>'
        '<text x="{}%" y="32" text-anchor="{}">auto line {}</text></svg>',
        label,
        round(100 * value),
        round(100 * line),
        percent(value),
        rng,
        at,
        at,
        at,
        anchor,
        f"{line:.2f}",
    )


def stacked(parts: Sequence[tuple[str, int]], height: int = 6) -> SafeString:
    """(tone, count) pairs as one bar with a small gap between the shares."""
    total = sum(count for _, count in parts)
    rects, x = [], 0.0
    for tone, count in parts:
        width = percent(count, total)
        if width:
            rects.append((tone, round(x, 1), max(0.5, round(width - 0.7, 1)), height))
        x += width
    body = format_html_join(
        "", '<rect class="fill" data-tone="{}" x="{}%" width="{}%" height="{}" rx="2"/>', rects
    )
    track = format_html('<rect class="track" width="100%" height="{}" rx="2"/>', height)
    return format_html(
        '<svg class="meter" height="{}" aria-hidden="true">{}</svg>', height, body or track
    )


def _points(
    values: Sequence[float], width: int, height: int, pad: float
) -> list[tuple[float, float]]:
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = width / max(1, len(values) - 1)
    flat = high == low
    return [
        (
            round(index * step, 1),
            round(height / 2 if flat else pad + (height - 2 * pad) * (high - value) / span, 1),
        )
        for index, value in enumerate(values)
    ]


def sparkline(values: Sequence[float], tone: str, width: int = 200, height: int = 26) -> SafeString:
    """A line with a faint area under it, stretched to the width of its place."""
    if len(values) < 2:
        return mark_safe("")
    line = " ".join(f"{x} {y}" for x, y in _points(values, width, height, 2))
    return format_html(
        '<svg class="spark spark--fluid" data-tone="{}" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none" aria-hidden="true"><path class="area" d="M{} L{} {} L0 {}Z"/>'
        '<path d="M{}"/></svg>',
        tone,
        width,
        height,
        line,
        width,
        height,
        height,
        line,
    )


def area_steps(
    values: Sequence[float], tone: str, width: int = 200, height: int = 100
) -> SafeString:
    """Counts a step as a stepped line from zero with a faint area, stretched over its place."""
    top, step = max(values, default=0) * 1.05 or 1.0, width / max(1, len(values))
    line = " ".join(
        f"V{round(height - height * value / top, 1)} H{round(step * (index + 1), 1)}"
        for index, value in enumerate(values)
    )
    return format_html(
        '<svg class="spark" data-tone="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" '
        'aria-hidden="true"><path class="area" d="M0 {} {} V{}Z"/><path d="M0 {} {}"/></svg>',
        *(tone, width, height, height, line, height, height, line),
    )


def bars(values: Sequence[float], tone: str, width: int = 56, height: int = 18) -> SafeString:
    """Counts as upright bars, oldest left."""
    if not values or max(values) <= 0:
        return mark_safe("")
    step, top = width / len(values), max(values)
    rows = (
        (
            round(index * step, 1),
            round(height - max(0.8, height * value / top), 1),
            round(max(1.0, step * 0.65), 1),
            round(max(0.8, height * value / top), 1),
        )
        for index, value in enumerate(values)
        if value > 0
    )
    body = format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}" rx=".5"/>', rows)
    return format_html(
        '<svg class="spark" data-tone="{}" viewBox="0 0 {} {}" width="{}" height="{}" '
        'aria-hidden="true">{}</svg>',
        tone,
        width,
        height,
        width,
        height,
        body,
    )


def ring(share: float) -> SafeString:
    """What is left of a deadline, 0 to 1, as an arc that countdown.js goes on shortening."""
    return format_html(
        '<svg class="ring" width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">'
        '<circle class="arc" cx="11" cy="11" r="9"/><circle class="left" data-ring cx="11" cy="11" '
        'r="9" stroke-dasharray="{} {}" transform="rotate(-90 11 11)"/></svg>',
        f"{_RING * min(1.0, max(0.0, share)):.1f}",
        f"{_RING:.1f}",
    )


def breaker(state: str) -> SafeString:
    """A breaker as an electrical contact: closed, lifted, or dashed while it is tried."""
    solid, dashed, y = _CONTACTS.get(state, _CONTACTS["closed"])
    gap = format_html('<path d="{}" stroke-dasharray="2.5 2.5"/>', dashed) if dashed else ""
    return format_html(
        '<svg class="contact" viewBox="0 0 30 16" aria-hidden="true"><path d="{}"/>{}'
        '<circle class="solid" cx="8" cy="{}" r="2.2"/><circle class="solid" cx="22" cy="{}" '
        'r="2.2"/></svg>',
        solid,
        gap,
        y,
        y,
    )


def lever(running: bool) -> SafeString:
    """A kill switch's lever: up runs, down is stopped."""
    return format_html(
        '<svg class="lever" data-tone="{}" viewBox="0 0 40 50" aria-hidden="true">'
        '<rect class="plate" x=".75" y=".75" width="38.5" height="48.5" rx="6"/>'
        '<rect class="slot" x="15" y="9" width="10" height="32" rx="5"/>'
        '<rect class="knob" x="8" y="{}" width="24" height="10" rx="3"/>'
        '<circle class="lamp" cx="33" cy="{}" r="2"/></svg>',
        "green" if running else "yellow",
        6 if running else 32,
        6 if running else 44,
    )


def gauge(used: int, limit: int, tone: str, label: str) -> SafeString:
    """How much of a limit is used, as an arc of half a circle with both figures in it."""
    arc = "M14 62a46 46 0 0 1 92 0"
    return format_html(
        '<svg class="gauge" data-tone="{}" viewBox="0 0 120 72" role="img" '
        'aria-label="{}: {} of {}"><path class="arc" d="{}"/>{}'
        '<text class="value" x="60" y="54" text-anchor="middle">{}</text>'
        '<text class="limit" x="60" y="68" text-anchor="middle">of {}</text></svg>',
        tone, label, used, limit, arc,
        format_html(
            '<path class="fill" d="{}" stroke-dasharray="{} 400"/>',
            arc,
            f"{math.pi * 46 * percent(used, limit) / 100:.1f}",
        ) if used else "",
        f"{used:,}", f"{limit:,}",
    )  # fmt: skip


def history(outcomes: Iterable[bool]) -> SafeString:
    """One square for each past run, oldest left: filled worked, outlined with a cross failed."""
    runs = list(outcomes)
    squares = []
    for index, worked in enumerate(runs):
        x = index * 13
        if worked:
            squares.append(
                format_html('<rect class="worked" x="{}" y="1" width="10" height="14" rx="2"/>', x)
            )
        else:
            squares.append(
                format_html(
                    '<g class="failed"><rect x="{}" y="1.75" width="8.5" height="12.5" rx="2"/>'
                    '<path d="m{} 5.8 4.4 4.4m0-4.4-4.4 4.4"/></g>',
                    x + 0.75,
                    f"{x + 2.8:.1f}",
                )
            )
    width = max(1, len(runs) * 13 - 3)
    return format_html(
        '<svg class="runs" width="{}" height="16" viewBox="0 0 {} 16" aria-hidden="true">{}</svg>',
        width,
        width,
        format_html_join("", "{}", ((square,) for square in squares)),
    )
