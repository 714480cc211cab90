"""The page Reports: how recovering went over a day, a week or a month, and what breakers saved."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from awfdrs_site.recovery import Saved, Step, recovery_finding, saved_finding
from awfdrs_site.recovery_figures import saved_calls, steps, totals
from awfdrs_site.shell import Shell, shell_of
from awfdrs_site.spans import DEFAULT_SPAN, SPANS, Span, edges
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope


@require_safe
def page(request: PageRequest) -> HttpResponse:
    """Figures and charts of `?span=` (24h, 7d, 30d), each against the span before."""
    identity = require(request.identity, Scope.READ)
    span = SPANS.get(request.GET.get("span", ""), DEFAULT_SPAN)
    return render(request, "reports/page.html", report(shell_of(request, identity), span))


def report(shell: Shell, span: Span) -> dict[str, Any]:
    """Everything `reports/page.html` asks for. Five queries."""
    tenant, now = shell.tenant, shell.now
    starts = edges(span, now, timezone.get_current_timezone())
    of, saved = totals(tenant, span, now), saved_calls(tenant, span, starts, now)
    return {
        "span": span,
        "spans": SPANS.values(),
        "totals": of,
        "saved": saved,
        "recovery_chart": recovery_chart(span, recovery_finding(span, of), steps(tenant, starts)),
        "saved_chart": saved_chart(span, saved),
    }


def recovery_chart(span: Span, finding: str, points: list[Step]) -> dict[str, Any]:
    """The JSON of chart-recovery.js; without points where there is nothing to draw."""
    some = any(point["ended"] or point["answered"] for point in points)
    return {"finding": finding, "step": span.step, "points": points if some else []}


def saved_chart(span: Span, saved: Saved) -> dict[str, Any]:
    """The JSON of chart-saved.js; without points where there is nothing to draw."""
    points = saved.steps if saved.total else []
    finding = saved_finding(span, saved)
    return {"finding": finding, "step": span.step, "series": saved.series, "points": points}
