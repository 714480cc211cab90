"""Functions of PostgreSQL that Django's ORM has no name for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, DateTimeField, Func, Value


class DateBin(Func):
    """The start of the step that a time falls in; steps are counted from `origin`."""

    function = "date_bin"
    output_field = DateTimeField()

    def __init__(self, step: timedelta, source: Any, origin: datetime) -> None:
        super().__init__(Value(step), source, Value(origin))


class Percentile(Aggregate):
    """The value that `fraction` (0 to 1) of the rows do not exceed, interpolated."""

    name = "percentile"
    template = "percentile_cont(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: Any, fraction: float, **extra: Any) -> None:
        super().__init__(expression, fraction=fraction, **extra)
