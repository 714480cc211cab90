"""Lists of tables that only the system writes: as quick on a hundred million rows as on ten [U3].

What is counted, sorted, chosen or searched for is bounded, or served by an index.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from tenants.backoffice import TenantAdmin, TenantFilter, administered, chosen_tenant
from tenants.models import Tenant

# Among so many of the newest rows a choice is looked for that no index serves.
LOOKED_AT = 20_000


class NewestChoices(admin.ChoicesFieldListFilter):
    """A choice that no index serves: looked for among the newest 20,000 rows."""

    def __init__(
        self, field: Any, request: Any, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        self.model_admin: ReadOnlyAdmin = model_admin

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.used_parameters:
            return queryset
        near = queryset.filter(self.model_admin.newest(request))
        chosen: Any = super().queryset(request, near)
        return chosen


class ReadOnlyAdmin(TenantAdmin):
    """Rows that only the system writes: to look at. Newest first, never sorted otherwise.

    `in_tenant`: the order that an index serves within one tenant. `search_fields` are found by
    their exact value, each by an index that the tenant leads or the key itself.
    """

    list_filter: tuple[Any, ...] = (TenantFilter,)
    list_per_page = 50
    sortable_by = ()
    in_tenant: tuple[str, ...] = ("-id",)
    search_fields: tuple[str, ...] = ("id",)
    search_help_text = "An id, whole."

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        mine = administered(request)
        one = chosen_tenant(request) is not None or (mine is not None and len(mine) == 1)
        return self.in_tenant if one else ("-id",)

    def newest(self, request: HttpRequest) -> Q:
        """What narrows rows to the newest 20,000 of those the list may show."""
        known: Q | None = getattr(request, "newest_rows", None)
        if known is None:
            order, chosen = self.get_ordering(request), chosen_tenant(request)
            rows = self.get_queryset(request).order_by(*order)
            rows = rows if chosen is None else rows.filter(tenant_id=chosen)
            name = order[0].removeprefix("-")
            beyond = next(iter(rows.values_list(name, flat=True)[LOOKED_AT : LOOKED_AT + 1]), None)
            known = Q() if beyond is None else Q(**{f"{name}__gt": beyond})
            request.newest_rows = known  # type: ignore[attr-defined]
        return known

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows with the exact value; the tenants are named, for they lead the indexes."""
        term, wanted = search_term.strip(), Q()
        if not term:
            return queryset, False
        for name in self.search_fields:
            try:
                wanted |= Q(**{name: self.opts.get_field(name).to_python(term)})
            except ValidationError:
                continue
        if not wanted:
            return queryset.none(), False
        return queryset.filter(wanted, self.leading(request)), False

    def leading(self, request: HttpRequest) -> Q:
        """What leads the indexes of `search_fields`, spelled out: all the tenants."""
        if administered(request) is not None:
            return Q()
        return Q(tenant_id__in=list(Tenant.objects.order_by().values_list("pk", flat=True)))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
