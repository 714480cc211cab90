"""What every page of the Django admin keeps to: its tenants' walls, and the audit log [T2 T6].

A staff user who is no superuser is let in by membership alone: they see the rows of the tenants
they are admin of (and, read-only, the defaults that belong to no tenant), with no permission table
to fill in. Each change is audited in the transaction that makes it.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.auth.models import AbstractBaseUser
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from tenants.models import Membership, Role, Tenant

# Columns whose values are never repeated, not even to the audit log.
SECRET_FIELDS = frozenset({"password", "retry_secret", "standby_retry_secret", "hash", "sealed"})
COUNTED_ROWS = 10_000


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person of an admin page."""
    user = request.user
    name = user.get_full_name() or user.get_username()  # type: ignore[union-attr]
    return Actor("person", name, user.pk)


def administered(request: HttpRequest) -> frozenset[UUID] | None:
    """Ids of the tenants whose rows this staff user may change; None for all (a superuser)."""
    user: Any = request.user
    if user.is_active and user.is_superuser:
        return None
    known: frozenset[UUID] | None = getattr(request, "administered_tenants", None)
    if known is None:
        mine = Membership.objects.filter(user_id=user.pk, role=Role.ADMIN, tenant__is_active=True)
        allowed = user.is_active and user.is_staff
        known = frozenset(mine.values_list("tenant_id", flat=True)) if allowed else frozenset()
        request.administered_tenants = known  # type: ignore[attr-defined]
    return known


def shown(row: Model, names: Any = None) -> dict[str, Any]:
    """The row's columns (or those named) as the audit log keeps them, secrets masked."""
    fields = row._meta.concrete_fields
    return {
        field.name: _plain(field, row)
        for field in fields
        if not field.primary_key and (names is None or field.name in names)
    }


def changes(old: Model, new: Model) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the columns that differ were and are; of a secret, only that it is another one."""
    fields = old._meta.concrete_fields
    names = {f.name for f in fields if f.value_from_object(old) != f.value_from_object(new)}
    after = shown(new, names)
    return shown(old, names), after | {n: "[set anew]" for n in names & SECRET_FIELDS if after[n]}


def _plain(field: Field[Any, Any], row: Model) -> Any:
    value = field.value_from_object(row)
    if field.name in SECRET_FIELDS:
        return "[set]" if value else ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, bool | int | float | str | list | dict | None) else str(value)


class Audited(ModelAdmin):
    """Writes an audit entry for each row added, changed or deleted, with what it was and is.

    `services_audit = True` where the page's service writes the entry already.
    """

    services_audit = False
    show_facets = ShowFacets.NEVER
    show_full_result_count = False

    def tenant_id_of(self, row: Any) -> UUID | None:
        return row.pk if isinstance(row, Tenant) else getattr(row, "tenant_id", None)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            stored = type(obj)._default_manager.get(pk=obj.pk)
            request.audited_values = changes(stored, obj)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        verb = getattr(request, "audited_verb", "created")
        self._audit(request, obj, verb, None, shown(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        before, after = getattr(request, "audited_values", ({}, {"password": "[set anew]"}))
        if before != after:
            verb = getattr(request, "audited_verb", "changed")
            self._audit(request, obj, verb, before, after)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            self._audit(request, row, "deleted", shown(row), None)
        return super().log_deletions(request, queryset)

    def response_action(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows and their audit entries in one commit, also for actions on many rows."""
        with transaction.atomic():
            return super().response_action(request, queryset)

    def _audit(self, request: HttpRequest, row: Any, verb: str, before: Any, after: Any) -> None:
        if not self.services_audit:
            audit.record(
                tenant_id=self.tenant_id_of(row),
                actor=actor_of(request),
                verb=verb,
                subject=row,
                now=timezone.now(),
                before=before,
                after=after,
            )


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


class TenantFilter(admin.SimpleListFilter):
    """Narrows a list to one tenant; offers only those the user administers."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        mine = administered(request)
        tenants = Tenant.objects.all() if mine is None else Tenant.objects.filter(pk__in=mine)
        return [(str(pk), name) for pk, name in tenants.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen not in {key for key, _ in self.lookup_choices}:
            return queryset
        return queryset.filter(tenant_id=chosen)


class TenantAdmin(Audited):
    """Rows of tenants. `holds_defaults`: those without a tenant are shown to all; superusers keep
    them."""

    form = TenantForm
    tenant_field = "tenant_id"
    holds_defaults = False
    deletable = False

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

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offers only what lies in the user's tenants; theirs cannot be a default."""
        mine = administered(request)
        model = db_field.remote_field.model
        if mine is not None:
            kwargs["queryset"] = _rows_within(model, mine)
            kwargs["required"] = not db_field.blank or model is Tenant
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _rows_within(model: type[Model], mine: frozenset[UUID]) -> QuerySet[Any]:
    rows = model._default_manager.all()
    if issubclass(model, Tenant):
        return rows.filter(pk__in=mine)
    if issubclass(model, AbstractBaseUser):
        # Who is in no tenant of theirs does not exist for them.
        return rows.filter(memberships__tenant__in=mine).distinct()
    return rows.filter(Q(tenant__in=mine) | Q(tenant=None))


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable at run time
    """Counts up to 10,000 rows and no further, so that a list of millions opens as fast."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return rows.order_by()[:COUNTED_ROWS].count()


class ReadOnlyAdmin(TenantAdmin):
    """Rows that only the system writes: to look at. Newest first, never sorted otherwise."""

    paginator = BoundedPaginator
    list_filter: tuple[Any, ...] = (TenantFilter,)
    list_per_page = 50
    sortable_by = ()
    ordering = ("-id",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
