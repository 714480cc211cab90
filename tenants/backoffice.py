"""What every page of the Django admin keeps to: the walls of its tenants [T2].

A staff user who is no superuser is let in by membership alone: they see the rows of the tenants
they are admin of (and, read-only, the defaults that belong to no tenant), with no permission table
to fill in.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from tenants.acts import delete_selected
from tenants.administering import administered
from tenants.audited import Audited, actor_of, changes, shown
from tenants.models import Membership, Tenant

__all__ = [
    "Audited",
    "TenantAdmin",
    "TenantFilter",
    "TenantForm",
    "actor_of",
    "administered",
    "changes",
    "shown",
]

# A select box offers so many rows; of more, what is typed is looked up.
MOST_OFFERED = 50
LOOKED_UP = frozenset({"tenant", "workflow", "user", "retry_policy"})


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """Keeps what a row points to in the row's own tenant, or in the defaults."""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        tenant = values.get("tenant", getattr(self.instance, "tenant", None))
        tenant_id = tenant.pk if tenant else None
        for name, value in list(values.items()):
            if isinstance(value, Model) and getattr(value, "tenant_id", None) not in (
                None,
                tenant_id,
            ):
                self.add_error(name, "This belongs to another tenant.")
        return values

    def _get_validation_exclusions(self) -> set[str]:
        # The tenant is not in the form of an existing row, but its unique keys begin with it.
        return super()._get_validation_exclusions() - {"tenant"}  # type: ignore[misc]


def chosen_tenant(request: HttpRequest) -> UUID | None:
    """The tenant that a list's address narrows it to; its rows are walled all the same."""
    try:
        return UUID(request.GET.get("tenant", ""))
    except ValueError:
        return None


class TenantFilter(admin.SimpleListFilter):
    """Narrows a list to one tenant; offers only those the user administers."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """At most 100; the address takes any of them."""
        mine = administered(request)
        tenants = Tenant.objects.all() if mine is None else Tenant.objects.filter(pk__in=mine)
        return [(str(pk), name) for pk, name in tenants.values_list("pk", "name")[:100]]

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = chosen_tenant(request)
        return queryset if chosen is None else queryset.filter(tenant_id=chosen)


class TenantAdmin(Audited):
    """Rows of tenants. `holds_defaults`: those without a tenant are shown to all; superusers keep
    them."""

    form = TenantForm
    tenant_field = "tenant_id"
    holds_defaults = False
    deletable = False
    actions: tuple[str, ...] = ("delete_selected",)
    delete_selected = delete_selected

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        mine = administered(request)
        if mine is None:
            return rows
        inside = Q(**{f"{self.tenant_field}__in": mine})
        return rows.filter(
            inside | Q(**{self.tenant_field: None}) if self.holds_defaults else inside
        )

    def _may(self, request: HttpRequest, row: Any, *, view: bool = False) -> bool:
        mine = administered(request)
        if mine is None:
            return True
        if not mine or row is None:
            return bool(mine)
        tenant_id = self.tenant_id_of(row)
        return tenant_id in mine or (view and self.holds_defaults and tenant_id is None)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj, view=True)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.deletable and self._may(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = ("tenant",) if obj is not None and hasattr(obj, "tenant") else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        """Those that point into more rows than a select box should hold."""
        known: list[str] | None = getattr(request, "looked_up_fields", None)
        if known is None:
            mine = administered(request)
            known = [
                field.name
                for field in self.opts.concrete_fields
                if field.name in LOOKED_UP and _is_large(field.remote_field.model, mine)
            ]
            request.looked_up_fields = known  # type: ignore[attr-defined]
        return known

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offers only what lies in the user's tenants; theirs cannot be a default."""
        mine = administered(request)
        model = db_field.remote_field.model
        if mine is not None:
            kwargs["queryset"] = rows_within(model, mine)
            kwargs["required"] = not db_field.blank or model is Tenant
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def rows_within(model: type[Model], mine: frozenset[UUID]) -> QuerySet[Any]:
    """What of the table lies in these tenants, with the defaults."""
    rows = model._default_manager.all()
    if issubclass(model, Tenant):
        return rows.filter(pk__in=mine)
    if issubclass(model, AbstractBaseUser):
        # Who is in no tenant of theirs does not exist for them.
        people = Membership.objects.filter(tenant__in=mine)
        return rows.filter(pk__in=people.values("user_id"))
    return rows.filter(Q(tenant__in=mine) | Q(tenant=None))


def _is_large(model: type[Model], mine: frozenset[UUID] | None) -> bool:
    rows = model._default_manager.all() if mine is None else rows_within(model, mine)
    return len(rows.order_by().values_list("pk")[: MOST_OFFERED + 1]) > MOST_OFFERED
