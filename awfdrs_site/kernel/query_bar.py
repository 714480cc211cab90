"""The query bar above a list: views and chips, each a link, so that the URL says what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest
from django_filters import rest_framework as filters
from django_filters.utils import translate_validation

from awfdrs_site.kernel.instants import parse_instant
from awfdrs_site.kernel.problem import problem_of

SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7)}
SPAN_WORDS = [("24h", "last 24 h"), ("7d", "last week")]
Row = TypeVar("Row", bound=Model)
Values = Mapping[str, str]
Options = Mapping[str, Sequence[tuple[Any, Any]]]


@dataclass(frozen=True)
class Bar:
    """What the URL of a list may say: filters by their labels, and views with their values.

    `views`: (label, values, whether its rows are counted). Only what is not over is counted, for
    the rest only grows; a counted view names values of `state`, the filter of the status, alone.
    """

    filterset: type[filters.FilterSet]
    labels: Mapping[str, str]
    state: str
    views: Sequence[tuple[str, Values, bool]]

    def read(self, request: HttpRequest) -> dict[str, str]:
        """The filters' values; empty: any."""
        return {name: request.GET.get(name, "").strip() for name in self.labels}

    def narrowed(self, rows: QuerySet[Row], values: Values, now: datetime) -> QuerySet[Row]:
        """The rows that the values ask for; Problem 400 for a value that is none."""
        data = dict(values)
        if span := SPANS.get(data["since"]):
            data["since"] = (now - span).isoformat()
        filterset = self.filterset(data, queryset=rows)
        if not filterset.is_valid():
            raise problem_of(translate_validation(filterset.errors))
        found: QuerySet[Row] = filterset.qs
        return found

    def tabs(self, rows: QuerySet[Row], values: Values) -> list[dict[str, Any]]:
        """The views, counted by one query over `rows`."""
        counted = [
            wanted[self.state].split(",") if count else [] for _, wanted, count in self.views
        ]
        counts = rows.filter(status__in={s for of in counted for s in of}).aggregate(
            **{f"n{i}": Count("pk", filter=Q(status__in=of)) for i, of in enumerate(counted)}
        )
        return [
            {
                "label": label,
                "href": _url(wanted),
                "count": counts[f"n{i}"] if count else None,
                "current": _url(wanted) == _url(values),
            }
            for i, (label, wanted, count) in enumerate(self.views)
        ]

    def chips(self, values: Values, options: Options) -> list[dict[str, Any]]:
        """The chips; a value that is not on offer is added, so that it shows."""
        return [
            {
                "name": name,
                "label": label,
                "value": values[name],
                "clear_url": _url({**values, name: ""}),
                "options": _offered(values[name], options[name]),
            }
            for name, label in self.labels.items()
        ]


def _url(values: Values) -> str:
    return "?" + urlencode({name: value for name, value in values.items() if value})


def _offered(value: str, options: Sequence[tuple[Any, Any]]) -> list[tuple[str, str]]:
    offered = [(str(key), words) for key, words in options]
    if value and value not in dict(offered):
        offered.append((value, _words(value)))
    return offered


def _words(value: str) -> str:
    try:
        return f"since {parse_instant(value):%-d %b %H:%M} UTC"
    except ValueError:
        return value.replace(",", " or ").replace("_", " ")
