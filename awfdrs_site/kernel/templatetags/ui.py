"""Template tags of the pages: icons, badges, meters, times. `{% load ui %}`.

Only words and geometry are made here; colour and size come from the style sheets. No tag reads the
request except `theme_name` and `is_current`, so a pushed row renders like a page's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from awfdrs_site.kernel.ui import figures, filters, glyphs, icons, plotly, svg, tones, wording
from awfdrs_site.kernel.ui.icons import badge, icon
from awfdrs_site.kernel.ui.tones import Look

register = template.Library()

THEMES = ("dark", "light", "auto")
DEFAULT_THEME = "dark"

for _filter in filters.ALL:
    register.filter(_filter.__name__, _filter)
for _tag in (icons.icon, figures.delta, figures.duration_figure, figures.legend):
    register.simple_tag(_tag)


@register.simple_tag
def sprite() -> SafeString:
    """Every symbol, once a page, at the end of the body."""
    return format_html(
        '<svg class="sprite" width="0" height="0" aria-hidden="true">{}</svg>',
        mark_safe(glyphs.symbols()),  # noqa: S308  (our own constants and the lucide package)
    )


@register.simple_tag
def severity_badge(value: str, plain: bool = False) -> SafeString:
    """A severity as glyph and word."""
    return badge(tones.severity(value), plain=plain)


@register.simple_tag
def state_badge(value: str, plain: bool = False) -> SafeString:
    """An incident's computed state as glyph and word."""
    return badge(tones.state(value), plain=plain, spin=value == "recovering")


@register.simple_tag
def action_badge(action: Any) -> SafeString:
    """An action's status as glyph and word."""
    return badge(tones.action(action.status, action.kind), spin=action.status in tones.RUNNING)


@register.simple_tag
def run_badge(state: str) -> SafeString:
    """A recovery's state as glyph and word."""
    return badge(tones.run(state), spin=state in ("executing", "verifying"))


@register.simple_tag
def run_look(state: str) -> Look:
    """(icon, tone, word) of a recovery's state."""
    return tones.run(state)


@register.simple_tag
def step_badge(state: str) -> SafeString:
    """The state of a plan's step as glyph and word."""
    return badge(tones.step(state), spin=state in tones.RUNNING)


@register.simple_tag
def step_look(state: str) -> Look:
    """(icon, tone, word) of the state of a plan's step."""
    return tones.step(state)


@register.simple_tag
def step_icon(state: str) -> SafeString:
    """The glyph of a step's state, turning while it runs."""
    return icon(tones.step(state).icon, 14, "spin" if state in tones.RUNNING else "")


@register.simple_tag
def life_badge(incident: Any) -> SafeString:
    """The person's side of an incident's state, plain, for a table."""
    if snoozed(incident):
        return badge(tones.STATE["snoozed"], plain=True)
    return badge(tones.life(incident.state, bool(incident.acknowledged_at)), plain=True)


@register.filter
def snoozed(incident: Any) -> bool:
    """Whether nobody wants to hear of the incident now."""
    return bool(incident.is_snoozed(timezone.now()))


@register.simple_tag
def recovery_badge(incident: Any) -> SafeString:
    """What becomes of an incident's recovery."""
    look = tones.recovery(incident.recovery, incident.status)
    return badge(look, spin=incident.recovery in ("running", "verifying"))


@register.simple_tag
def action_look(action: Any) -> Look:
    """(icon, tone, word) of an action's status."""
    return tones.action(action.status, action.kind)


@register.simple_tag
def verdict_look(value: str) -> Look:
    """(icon, tone, word) of one check of the gate."""
    return tones.verdict(value)


@register.simple_tag
def breaker_look(value: str) -> Look:
    """(name of the contact, tone, word) of a breaker's state."""
    return tones.breaker(value)


@register.simple_tag
def entry_look(entry: Any) -> dict[str, str]:
    """`icon` and `tone` of a timeline or feed line."""
    data = getattr(entry, "data", None)
    status = str(data.get("status", "")) if isinstance(data, Mapping) else ""
    name, tone = tones.entry(entry.kind, entry.actor_kind, status)
    return {"icon": name, "tone": tone}


@register.simple_tag
def contact(state: str) -> SafeString:
    """A breaker's contact."""
    return svg.breaker(state)


@register.simple_tag
def lever(running: bool) -> SafeString:
    """A kill switch's lever, up when automation runs."""
    return svg.lever(running)


@register.simple_tag
def gauge(limit: Any) -> SafeString:
    """A limit in use (`used`, `limit`, `level`, `label`) as an arc."""
    return svg.gauge(limit.used, limit.limit, tones.LIMIT[limit.level][0], limit.label)


@register.filter
def nearness(limit: Any) -> str:
    """`, near the line` where a limit in use is; empty while it is far from it."""
    return tones.LIMIT[limit.level][1]


@register.simple_tag
def meter(share: float, tone: str = "slate", label: str = "", height: int = 6) -> SafeString:
    """A bar filled to `share` percent."""
    return svg.meter(float(share or 0), tone, label, height)


@register.simple_tag
def severity_bar(counts: Mapping[str, int]) -> SafeString:
    """Open incidents by severity as one bar."""
    return svg.stacked(
        [(look.tone, int(counts.get(key) or 0)) for key, look in tones.SEVERITY.items()]
    )


@register.simple_tag
def confidence_meter(decision: Any, line: float) -> SafeString:
    """A decision's confidence with the auto line, and its range where the decision has one."""
    parts = decision.confidence_parts
    low, high = (
        (parts.get("low"), parts.get("high")) if isinstance(parts, Mapping) else (None, None)
    )
    return svg.confidence(float(decision.confidence), float(line), low, high)


@register.simple_tag
def share_meter(share: float, line: float, bounds: tuple[float, float]) -> SafeString:
    """Which share worked, between its bounds, with the auto line."""
    return svg.confidence(share, line, *bounds, label="Worked")


@register.simple_tag
def sparkline(values: Sequence[float] | None, tone: str = "slate") -> SafeString:
    """A trend without axes; the number stands next to it."""
    return svg.sparkline(list(values or ()), tone)


@register.simple_tag
def area_steps(values: Sequence[float], tone: str) -> SafeString:
    """Counts a step as a stepped area from zero, as wide and high as its place."""
    return svg.area_steps(list(values), tone)


@register.simple_tag
def bars(values: Sequence[float] | None, tone: str = "slate") -> SafeString:
    """Counts over time as small bars."""
    return svg.bars(list(values or ()), tone)


@register.simple_tag
def severity_tone(value: str) -> str:
    """The hue of a severity."""
    return tones.severity(value).tone


@register.simple_tag
def past_runs(outcomes: Sequence[bool]) -> SafeString:
    """Past runs as squares, newest right."""
    return svg.history(outcomes)


@register.simple_tag
def time_ago(at: datetime | None) -> SafeString:
    """`4 min ago`, kept current by local-time.js."""
    return _time(at, "ago", wording.ago)


@register.simple_tag
def time_clock(at: datetime | None) -> SafeString:
    """`20:03:41` today, `14 Nov` before; local-time.js puts in a browser's zone."""
    return _time(at, "clock", wording.clock)


@register.simple_tag
def time_minute(at: datetime | None) -> SafeString:
    """`20:03` today, `14 Nov` before, for dense rows."""
    return _time(at, "minute", wording.minute)


@register.simple_tag
def time_moment(at: datetime | None) -> SafeString:
    """`14 Nov 20:03:41`, for what is read long after."""
    return _time(at, "moment", wording.moment)


def _time(
    at: datetime | None, style: str, words: Callable[[datetime, datetime], str]
) -> SafeString:
    if at is None:
        return mark_safe('<span class="muted">–</span>')
    return format_html(
        '<time datetime="{}" data-time="{}">{}</time>',
        at.isoformat(),
        style,
        words(timezone.localtime(at), timezone.localtime()),
    )


@register.simple_tag
def countdown(until: datetime) -> SafeString:
    """The time left, ticking."""
    return format_html(
        '<b class="countdown" data-countdown="{}">{}</b>',
        until.isoformat(),
        wording.remaining(until, timezone.now()),
    )


@register.inclusion_tag("partials/_expiry.html")
def expiry(until: datetime, since: datetime | None = None) -> dict[str, Any]:
    """A deadline as a ring and `Expires in 3:41`; the last five minutes turn yellow."""
    left = (until - timezone.now()).total_seconds()
    whole = (until - since).total_seconds() if since else 900.0
    return {
        "until": until,
        "whole_seconds": round(whole),
        "tone": "yellow" if left < 300 else "slate",
        "ring": svg.ring(left / whole if whole > 0 else 0),
    }


@register.simple_tag
def plotly_attributes() -> SafeString:
    """Where chart.js finds Plotly, and which style ids it makes before Plotly wants to."""
    return format_html(
        'data-plotly="{}" data-plotly-css="{}" data-plotly-styles="{}"',
        static("plotly/plotly.min.js"),
        static("css/plotly.css"),
        " ".join(plotly.style_ids()),
    )


@register.simple_tag(takes_context=True)
def theme_name(context: template.Context) -> str:
    """The theme the person keeps, else that of the browser's cookie; dark without one."""
    request = context.get("request")
    kept = getattr(getattr(request, "preferences", None), "theme", "")
    chosen = kept or (request.COOKIES.get("theme", "") if request is not None else "")
    return chosen if chosen in THEMES else DEFAULT_THEME


@register.simple_tag(takes_context=True)
def is_current(context: template.Context, *names: str) -> bool:
    """Whether the page shown is one of these URL names, or in one of these namespaces (`x:`)."""
    match = getattr(context.get("request"), "resolver_match", None)
    if match is None:
        return False
    return match.view_name in names or (bool(match.namespace) and f"{match.namespace}:" in names)


@register.simple_tag
def severity_icon(value: str) -> SafeString:
    """The glyph of a severity, without its word."""
    return icon(tones.severity(value).icon)


@register.simple_tag
def live_topic(incident: Any) -> str:
    """The live topic of one incident."""
    return f"incident:{incident.pk}"


@register.simple_tag
def action_icon(action: Any) -> SafeString:
    """An action's glyph, turning while it runs."""
    look = tones.action(action.status, action.kind)
    return icon(look.icon, 14, "spin" if action.status in tones.RUNNING else "")


@register.simple_tag
def rung_badge(rung: str) -> SafeString:
    """How far an action may go, as a badge."""
    return badge(tones.RUNG.get(rung, tones.UNKNOWN))


@register.simple_tag
def gate_badge(outcome: str) -> SafeString:
    """The gate's whole answer as a badge."""
    return badge(tones.gate(outcome))
