"""What the page Reports shows, invented."""

from __future__ import annotations

import math
from datetime import UTC
from typing import Any

from awfdrs_site.recovery import (
    Answered,
    Ended,
    Totals,
    recovery_finding,
    saved_of,
    steps_of,
)
from awfdrs_site.report_views import recovery_chart, saved_chart
from awfdrs_site.spans import SPANS, edges
from tests.ui import cast


def reports(empty: bool = False) -> dict[str, Any]:
    """A week with a bad Tuesday and a day on which nothing ended, or nothing at all."""
    span = SPANS["30d"]
    starts = edges(span, cast.NOW, UTC)
    numbers = [] if empty else [n for n in range(1, len(starts) + 1) if n not in (9, 12, 14)]
    ended = {n: Ended(20 + n, 12 + n // 2, 300 + 200 * math.sin(n), 1900.0) for n in numbers}
    answered = {n: Answered(24 + n, 20 + n, 30 + 20 * math.cos(n)) for n in numbers}
    totals = (
        Totals(Ended(), Ended(), Answered(), Answered())
        if empty
        else Totals(
            Ended(181, 142, 372.0, 1865.0),
            Ended(150, 113, 420.0, 1900.0),
            Answered(190, 184, 42.0),
            Answered(160, 150, 61.0),
        )
    )
    vendors = ("stripe", "netsuite", "sendgrid", "adyen", "shippo", "avalara", cast.HOSTILE)
    rows = [(n, v, 3 + i * n) for i, v in enumerate(vendors) for n in numbers if n % 4 == i % 3]
    saved = saved_of(starts, cast.NOW, [*rows, (0, "stripe", 0 if empty else 900)])
    return {
        "span": span,
        "spans": SPANS.values(),
        "totals": totals,
        "saved": saved,
        "recovery_chart": recovery_chart(
            span, recovery_finding(span, totals), steps_of(starts, ended, answered)
        ),
        "saved_chart": saved_chart(span, saved),
    }
