"""Functions of PostgreSQL that Django's ORM has no name for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    Aggregate,
    BooleanField,
    DateTimeField,
    Func,
    IntegerField,
    QuerySet,
    Subquery,
    Value,
)


class DateBin(Func):
    """The start of the step that a time falls in; steps are counted from `origin`."""

    function = "date_bin"
    output_field = DateTimeField()

    def __init__(self, step: timedelta, source: Any, origin: datetime) -> None:
        super().__init__(Value(step), source, Value(origin))


class WidthBucket(Func):
    """In which of the steps that begin at `starts` a time falls: 1 for the first, 0 before it."""

    function = "width_bucket"
    output_field = IntegerField()

    def __init__(self, source: Any, starts: Sequence[datetime]) -> None:
        edges = Value(list(starts), output_field=ArrayField(DateTimeField()))
        super().__init__(source, edges)


class Percentile(Aggregate):
    """The value that `fraction` (0 to 1) of the rows do not exceed, interpolated."""

    name = "percentile"
    template = "percentile_cont(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: Any, fraction: float, **extra: Any) -> None:
        super().__init__(expression, fraction=fraction, **extra)


class CountOf(Subquery):
    """How many rows a queryset has, beside other such counts in one query; slice it to bound it."""

    template = "(SELECT count(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()
    empty_result_set_value = 0


class Among(Func):
    """Whether a row is one of a few, for `filter`: `rows` is sliced, in an order of an index.

    `pk__in` of a slice lets the planner read all of the table beside it; this looks up the keys.
    """

    template = "(%(expressions)s))"
    arg_joiner = " = ANY ("
    output_field = BooleanField()

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__("pk", ArraySubquery(rows.values("pk")))
