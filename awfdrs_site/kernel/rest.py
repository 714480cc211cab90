"""What the REST views share: strict bodies, strict queries, and lists in pages.

A misspelt field or query parameter is refused by name: ignored, it would read as "done" or "all".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from awfdrs_site.kernel.instants import parse_instant
from awfdrs_site.kernel.keyset import KeysetPages
from awfdrs_site.kernel.problem import FieldError, echo, field_name, invalid


class Text(serializers.CharField):
    """A string; numbers and booleans are not taken for one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.UUID)
class Uuid(serializers.UUIDField):
    """A UUID as a string; a number is not taken for one."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid", value=echo(data))
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.DATETIME)
class Instant(serializers.Field[datetime, Any, str, Any]):
    """An RFC 3339 time with an offset."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            return parse_instant(data if isinstance(data, str) else "")
        except ValueError as error:
            raise serializers.ValidationError(str(error), code="invalid_instant") from None

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class Body(serializers.Serializer[Any]):
    """A request body; fields it does not know are refused."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                detail = "There is no such field."
                raise invalid([FieldError(field_name(n), "unknown_field", detail) for n in unknown])
        return super().to_internal_value(data)


class NothingBody(Body):
    """No fields; the body may be left out."""


class _InstantFormField(forms.CharField):
    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        try:
            return parse_instant(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(str(error), code="invalid_instant") from None


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantFilter(filters.Filter):
    field_class = _InstantFormField


class OneOf(filters.BaseInFilter, filters.ChoiceFilter):
    """One or several of the choices, separated by commas."""


class StrictView(GenericAPIView[Any]):
    """Base of the REST views: unknown query parameters answer 400 `validation_error`.

    `query_parameters` names what the view reads from the query of a GET.
    """

    # Views fetch through selectors whose first argument is the tenant; this one is for the schema.
    queryset: QuerySet[Any] | None = None
    pagination_class: type[KeysetPages] | None = None
    filter_backends = []
    query_parameters: ClassVar[frozenset[str]] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        known = self.known_parameters() if request.method in ("GET", "HEAD") else frozenset()
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            detail = f"No such parameter here. Known: {', '.join(sorted(known)) or 'none'}."
            raise invalid([FieldError(field_name(n), "unknown_parameter", detail) for n in unknown])

    def known_parameters(self) -> frozenset[str]:
        return self.query_parameters

    def body(self, kind: type[Body], request: Request) -> dict[str, Any]:
        """The request's body through `kind`, or the 400 that says which field is wrong."""
        serializer = kind(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class StrictList(ListModelMixin, StrictView):
    """A list in pages: narrowed by `filterset_class`, ordered by `get_order(request)` if there."""

    pagination_class = KeysetPages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class: ClassVar[type[filters.FilterSet] | None] = None

    def known_parameters(self) -> frozenset[str]:
        filterset = self.filterset_class.base_filters if self.filterset_class else ()
        return self.query_parameters.union(filterset, ("cursor", "page_size"))

    def listing(self, queryset: QuerySet[Any]) -> Response:
        """One page of `queryset`, filtered by the query, through the view's serializer."""
        rows = self.paginate_queryset(self.filter_queryset(queryset))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
