"""The order of severities in the database: an index has the same expression as the list's order."""

from __future__ import annotations

from django.db.models import Case, IntegerField, Value, When

from safety.models import Severity

SEVERITY_RANK = {value: rank for rank, value in enumerate(Severity.values)}


def severity_rank() -> Case:
    """0 for critical to 3 for low."""
    steps = [When(severity=value, then=Value(rank)) for value, rank in SEVERITY_RANK.items()]
    return Case(*steps, default=Value(len(SEVERITY_RANK)), output_field=IntegerField())
