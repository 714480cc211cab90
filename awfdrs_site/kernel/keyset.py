"""Cursor pages in any order: the next page starts after the last row's sort values.

DRF's own cursor compares one column and steps over equal values by an offset that ends at 1,000;
a batch of events gives more equal times than that. Here the primary key is the last sort value, so
a place in the list is exact, and a page costs the same at any depth.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Model, Q
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from awfdrs_site.kernel.problem import FieldError, invalid

DEFAULT_SIZE = 50
MAX_SIZE = 200
MAX_CURSOR_CHARS = 1_000


@dataclass(frozen=True)
class Place:
    """Between two rows of the list: the sort values of the row it stands behind (or before)."""

    backward: bool
    values: tuple[Any, ...]


class KeysetPages(BasePagination):
    """`page_size` ≤ 200; the view's `get_order(request)` gives the sort fields, the last unique.

    A field starts with `-` for descending; none may be null. Without `get_order`: newest first.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        get_order = getattr(view, "get_order", None)
        self._order: Sequence[str] = get_order(request) if get_order else ("-id",)
        self._url = request.build_absolute_uri()
        size = _page_size(request)
        place = _place(request, len(self._order))
        backward = place is not None and place.backward
        order = [_opposite(key) for key in self._order] if backward else self._order
        try:
            if place is not None:
                queryset = queryset.filter(_after(order, place.values))
            rows = list(queryset.order_by(*order)[: size + 1])
        except (ValidationError, ValueError, TypeError, DataError):
            if place is None:
                raise
            raise _bad_cursor() from None
        more, rows = len(rows) > size, rows[:size]
        if backward:
            rows.reverse()
        self._has_next = bool(rows) if backward else more
        self._has_previous = more if backward else bool(rows) and place is not None
        self._rows = rows
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        following = self._link(False, self._rows[-1]) if self._has_next else None
        previous = self._link(True, self._rows[0]) if self._has_previous else None
        return Response({"next": following, "previous": previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE}
        return [
            _parameter("cursor", "From `next` or `previous` of another page.", {"type": "string"}),
            _parameter("page_size", "Rows a page.", size),
        ]

    def _link(self, backward: bool, row: Model) -> str:
        values = [_value(row, key.lstrip("-")) for key in self._order]
        text = json.dumps([int(backward), *values], separators=(",", ":"))
        cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        parts = urlsplit(self._url)
        query = parse_qs(parts.query, keep_blank_values=True) | {"cursor": [cursor]}
        return urlunsplit(parts._replace(query=urlencode(query, doseq=True)))


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _opposite(key: str) -> str:
    return key[1:] if key.startswith("-") else f"-{key}"


def _value(row: Model, field: str) -> Any:
    value = getattr(row, field)
    return value if isinstance(value, int | float | str) else str(value)


def _after(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows that come after `values` in `order`: later in the first key, or equal and so on."""
    condition = Q()
    for depth, key in enumerate(order):
        field, comparison = key.lstrip("-"), "lt" if key.startswith("-") else "gt"
        equal = {name.lstrip("-"): values[i] for i, name in enumerate(order[:depth])}
        condition |= Q(**equal, **{f"{field}__{comparison}": values[depth]})
    return condition


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size", str(DEFAULT_SIZE))
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_SIZE:
        return int(text)
    detail = f"A whole number from 1 to {MAX_SIZE}."
    raise invalid([FieldError("page_size", "out_of_range", detail)])


def _place(request: Request, keys: int) -> Place | None:
    cursor = request.query_params.get("cursor", "")
    if not cursor:
        return None
    if len(cursor) > MAX_CURSOR_CHARS:
        raise _bad_cursor()
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        backward, *values = json.loads(text)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise _bad_cursor() from None
    if backward not in (0, 1) or len(values) != keys:
        raise _bad_cursor()
    return Place(bool(backward), tuple(values))


def _bad_cursor() -> Exception:
    return invalid([FieldError("cursor", "invalid", "Take it from `next` or `previous`.")])
