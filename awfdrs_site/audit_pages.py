"""What the page of the audit log shows, and what leaves it as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.pages import page_of
from awfdrs_site.kernel.query_bar import SPAN_WORDS, Bar
from tenants.audit_log import (
    ORDER,
    AuditFilter,
    AuditSerializer,
    changes_of,
    entries_for,
    kind_words,
)
from tenants.models import Tenant

EXPORTED = 10_000
# What is asked after most; any other kind can stand in the URL.
KINDS = (
    "incidents.incident",
    "incidents.groupingpin",
    "actions.action",
    "actions.recovery",
    "actions.recoveryplan",
    "safety.killswitch",
    "safety.vendor",
    "safety.automationpolicy",
    "tenants.workflow",
    "tenants.membership",
    "tenants.apikey",
    "actions.channel",
    "actions.connector",
)
PAGES = {
    "incidents.incident": "incidents:detail",
    "actions.recovery": "recoveries:detail",
    "safety.killswitch": "safety:switch",
    "tenants.workflow": "workflows:detail",
}
BAR = Bar(
    AuditFilter,
    {"actor": "Who", "verb": "Did", "kind": "To a", "object": "Object", "since": "In"},
    "",
    (),
)


def narrowed(request: HttpRequest, tenant: Tenant, now: datetime) -> QuerySet[AuditEntry]:
    """The tenant's entries that the URL asks for; Problem 400 for a filter value that is none."""
    return BAR.narrowed(entries_for(tenant), BAR.read(request), now)


def audit_page(request: HttpRequest, tenant: Tenant, now: datetime) -> dict[str, Any]:
    """Everything `audit/page.html` asks for. Two queries."""
    values = BAR.read(request)
    page = page_of(narrowed(request, tenant, now), request, ORDER)
    return {
        "filters": BAR.chips(values, _options(tenant)),
        "clear_all_url": request.path if any(values.values()) else "",
        "rows": [row_of(entry) for entry in page.rows],
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "export_query": request.GET.urlencode(),
        "exported": EXPORTED,
    }


def _options(tenant: Tenant) -> dict[str, list[tuple[str, str]]]:
    people = User.objects.filter(memberships__tenant=tenant).order_by("username")
    names = [person.get_full_name() or person.get_username() for person in people]
    return {
        "actor": [(name, name) for name in (MACHINE.name, *names)],
        "verb": [],
        "kind": [(kind, kind_words(kind)) for kind in KINDS],
        "object": [],
        "since": SPAN_WORDS,
    }


def row_of(entry: AuditEntry) -> dict[str, Any]:
    """What `audit/_row.html` asks for."""
    return {
        "entry": entry,
        "kind": kind_words(entry.subject_type),
        "url": _page(entry),
        "changes": changes_of(entry),
    }


def _page(entry: AuditEntry) -> str:
    try:
        return reverse(PAGES[entry.subject_type], args=[entry.subject_id])
    except (KeyError, NoReverseMatch):
        return ""


def as_csv(entries: Iterable[AuditEntry]) -> str:
    """One line an entry; what a spreadsheet would take for a formula is led by an apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(AuditSerializer.Meta.fields)
    for entry in entries:
        writer.writerow(_cell(value) for value in _document(entry).values())
    return file.getvalue()


def as_lines(entries: Iterable[AuditEntry]) -> str:
    """One JSON document an entry and line."""
    return "".join(json.dumps(_document(entry), ensure_ascii=False) + "\n" for entry in entries)


def _document(entry: AuditEntry) -> Mapping[str, Any]:
    document: Mapping[str, Any] = AuditSerializer(entry).data
    return document


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


FORMATS = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "jsonl": (as_lines, "application/jsonl; charset=utf-8"),
}
