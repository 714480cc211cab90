"""What every page of the Django admin keeps to: each change is in the audit log, and told [T6].

Rows and entries are written in one transaction; an object's history is read from the same log.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Field, Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin

from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from tenants.models import Tenant
from tenants.object_history import history_of

# Columns whose values are never repeated, not even to the audit log.
SECRET_FIELDS = frozenset({"password", "retry_secret", "standby_retry_secret", "hash", "sealed"})
COUNTED_ROWS = 10_000


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person of an admin page."""
    user = request.user
    name = user.get_full_name() or user.get_username()  # type: ignore[union-attr]
    return Actor("person", name, user.pk)


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


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable at run time
    """Counts up to 10,000 rows and no further, so that a list of millions opens as fast.

    The order stays in the count: it is the order that an index serves.
    """

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return rows[:COUNTED_ROWS].count()


class Audited(ModelAdmin):
    """Writes an audit entry for each row added, changed or deleted, with what it was and is.

    `services_audit = True` where the page's service writes the entry already.
    """

    services_audit = False
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    paginator = BoundedPaginator

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

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Who did what to the object, when and why: its entries of the audit log."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return super().history_view(request, object_id, extra_context)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {row}",
            "opts": self.opts,
            "object": row,
            "entries": history_of(row),
        }
        return TemplateResponse(request, "admin/tenants/history.html", context)

    def _audit(self, request: HttpRequest, row: Any, verb: str, before: Any, after: Any) -> None:
        if not self.services_audit:
            self.note(request, row, verb, before=before, after=after)

    def note(self, request: HttpRequest, row: Any, verb: str, **said: Any) -> None:
        """An entry of the audit log about the row; `said`: before, after, comment."""
        audit.record(
            tenant_id=self.tenant_id_of(row),
            actor=actor_of(request),
            verb=verb,
            subject=row,
            now=timezone.now(),
            **said,
        )
