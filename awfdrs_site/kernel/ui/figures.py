"""Figures with their unit, their change, and the legend of a chart."""

from __future__ import annotations

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from awfdrs_site.kernel.ui import wording
from awfdrs_site.kernel.ui.icons import icon


def delta(change: float | None, unit: str, more_is_good: bool) -> SafeString:
    """A change against the time before: the arrow is its direction, the hue good or bad."""
    if change is None or round(change, 1) == 0:
        return mark_safe("")
    tone = "green" if (change > 0) == more_is_good else "red"
    size = wording.duration(abs(change)) if unit == "s" else f"{abs(change):.1f} {unit}"
    return format_html(
        '<span class="delta" data-tone="{}">{}<span class="vh">{} </span>{}</span>',
        tone,
        icon("arrow-up" if change > 0 else "arrow-down"),
        "up" if change > 0 else "down",
        size,
    )


def duration_figure(seconds: float | None) -> SafeString:
    """A duration in large figures with small units."""
    parts = wording.duration(seconds).split(" ")
    body = format_html_join(
        " ",
        '{}<span class="fig__unit">{}</span>',
        zip(parts[::2], parts[1::2], strict=False),
    )
    return format_html('<span class="fig">{}</span>', body if len(parts) > 1 else parts[0])


def legend(tone: str, words: str, dashes: str) -> SafeString:
    """A line sample and its name, for a chart's head."""
    return format_html(
        '<span><svg viewBox="0 0 16 8" data-tone="{}" aria-hidden="true"><line x1="0" y1="4" '
        'x2="16" y2="4" stroke-dasharray="{}"/></svg>{}</span>',
        tone,
        dashes or "none",
        words,
    )
