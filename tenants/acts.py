"""Actions of the admin's lists that ask for a reason first and call a service for each row [U3].

Nothing happens at the first click: a page says what would, to which rows. Its form works without a
script; the reason goes into the audit log beside each change.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from awfdrs_site.kernel.problem import Problem
from tenants.audited import shown

MOST_ROWS = 200
REASON_CHARS = 300

# Does it to one row for a reason: (admin page, request, row, reason) → whether that changed it.
Does = Callable[[Any, HttpRequest, Any, str], bool]


def act(label: str, comes_of_it: str, *, permission: str = "change") -> Callable[[Does], Any]:
    """Make a list's action of `does`: asked about, for a reason, all rows in one transaction.

    `label`: what the button says; `comes_of_it`: what will be then. A Problem of the service is
    told, and nothing is done to any row. Each row needs the permission by itself: 403.
    """

    def decorate(does: Does) -> Any:
        @admin.action(description=label, permissions=[permission])
        @wraps(does)
        def action(page: Any, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
            rows = list(chosen[: MOST_ROWS + 1])
            if len(rows) > MOST_ROWS:
                messages.error(request, f"At most {MOST_ROWS} at once; nothing was done.")
                return None
            may = getattr(page, f"has_{permission}_permission")
            if not all(may(request, row) for row in rows):
                raise PermissionDenied
            reason = request.POST.get("reason", "").strip()
            if "confirmed" in request.POST and reason and len(reason) <= REASON_CHARS:
                _do(page, request, rows, reason, does)
                return None
            return _asked(page, request, rows, label, comes_of_it, does.__name__)

        return action

    return decorate


def _do(page: Any, request: HttpRequest, rows: list[Model], reason: str, does: Does) -> None:
    try:
        with transaction.atomic():
            in_order = sorted(rows, key=lambda row: row.pk)
            done = sum(does(page, request, row, reason) for row in in_order)
    except Problem as problem:
        said = " ".join(error.detail for error in problem.errors) or problem.detail
        messages.error(request, f"Nothing was done: {said}")
        return
    same = len(rows) - done
    messages.success(request, f"{done} done." + (f" {same} were so already." if same else ""))


def _asked(
    page: Any, request: HttpRequest, rows: list[Model], label: str, comes_of_it: str, name: str
) -> HttpResponse:
    confirmed = "confirmed" in request.POST
    context = {
        **page.admin_site.each_context(request),
        "title": label,
        "opts": page.opts,
        "rows": rows,
        "comes_of_it": comes_of_it,
        "action": name,
        "checkbox": ACTION_CHECKBOX_NAME,
        "reason": request.POST.get("reason", ""),
        "longest": REASON_CHARS,
        "refused": f"Say why, in at most {REASON_CHARS} characters." if confirmed else "",
    }
    return TemplateResponse(request, "admin/tenants/confirm.html", context)


def switch(field: str, to: bool, label: str, comes_of_it: str, name: str) -> Any:
    """The action that sets a yes-or-no column of the rows, each locked and audited."""

    def does(page: Any, request: HttpRequest, row: Any, reason: str) -> bool:
        model = type(row)
        stored = model._default_manager.select_for_update(of=("self",), no_key=True).get(pk=row.pk)
        if field in page.get_readonly_fields(request, row):
            raise PermissionDenied
        if getattr(stored, field) is to:
            return False
        setattr(stored, field, to)
        stored.save(update_fields=[field])
        page.note(request, stored, "changed", before={field: not to}, after={field: to},
                  comment=reason)  # fmt: skip
        return True

    does.__name__ = name
    return act(label, comes_of_it)(does)


@act(
    "Delete the selected rows",
    "What was decided with them stays as it was. The audit log keeps what they were, and why "
    "they went.",
    permission="delete",
)
def delete_selected(page: Any, request: HttpRequest, row: Any, reason: str) -> bool:
    """In place of Django's own: with a reason, and through the page's `delete_model`."""
    page.note(request, row, "deleted", before=shown(row), comment=reason)
    page.delete_model(request, row)
    return True
