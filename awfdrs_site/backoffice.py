"""The admin's first page: what needs care, in the tenants that the person administers [U3]."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from actions.models import Channel
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.ui.wording import ago, duration
from safety.models import KillSwitch
from safety.rule_models import RULE_MODELS
from tenants.administering import administered
from tenants.audit_log import kind_words
from tenants.models import ApiKey, Membership, Role, Tenant, Workflow
from tenants.object_history import verb_words

ROWS = 6
KEYS_WITHIN = timedelta(days=14)
RULES_SINCE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Care:
    """One kind of thing. `rows`: (what, why, address), at most 6; `more`: where the others are."""

    title: str
    rows: tuple[tuple[str, str, str], ...]
    more: str


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """`cares`: what there is, `quiet`: titles of what there is nothing of. Six queries at most."""
    now = timezone.now()
    cares = [
        _switches(request, now),
        _channels(request, now),
        _keys(request, now),
        _workflows(request),
        _rules(request, now),
    ]
    if administered(request) is None:
        cares.append(_tenants())
    return context | {
        "cares": [care for care in cares if care.rows],
        "quiet": [care.title for care in cares if not care.rows],
    }


def _within(request: HttpRequest, rows: QuerySet[Any], *, defaults: bool = False) -> QuerySet[Any]:
    mine = administered(request)
    if mine is None:
        return rows
    inside = Q(tenant_id__in=mine)
    return rows.filter(inside | Q(tenant_id=None) if defaults else inside)


def _care(title: str, model: str, rows: Iterable[tuple[Any, str]], query: str = "") -> Care:
    """`rows`: (a row of `model`, why it needs care)."""
    shown = tuple(
        (str(row), why, reverse(f"admin:{model}_change", args=[row.pk])) for row, why in rows
    )
    return Care(title, shown, reverse(f"admin:{model}_changelist") + query)


def _switches(request: HttpRequest, now: datetime) -> Care:
    rows = KillSwitch.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), released_at=None)
    rows = _within(request, rows, defaults=True).select_related("tenant", "workflow")
    said = ((row, f"by {row.engaged_by}, {ago(row.engaged_at, now)}") for row in rows[:ROWS])
    return _care("Stopped by hand", "safety_killswitch", said)


def _channels(request: HttpRequest, now: datetime) -> Care:
    rows = _within(request, Channel.objects.filter(enabled=True, failing_since__isnull=False))
    rows = rows.order_by("failing_since").defer("sealed")
    said = ((row, f"fails since {ago(row.failing_since, now)}: {row.last_error[:120]}")
            for row in rows[:ROWS])  # fmt: skip
    return _care("Channels that fail", "actions_channel", said)


def _keys(request: HttpRequest, now: datetime) -> Care:
    rows = ApiKey.objects.filter(
        revoked_at=None, expires_at__gt=now, expires_at__lt=now + KEYS_WITHIN
    )
    rows = _within(request, rows).order_by("expires_at")
    ends = ((row, row.expires_at or now) for row in rows[:ROWS])
    said = ((row, f"expires in {duration(end - now)}") for row, end in ends)
    return _care("Keys that expire", "tenants_apikey", said)


def _workflows(request: HttpRequest) -> Care:
    rows = _within(request, Workflow.objects.filter(is_active=True, retry_url=""))
    said = ((row, "has no engine to ask: each failure calls a person") for row in rows[:ROWS])
    return _care(
        "Workflows that cannot be retried", "tenants_workflow", said, "?is_active__exact=1"
    )


def _rules(request: HttpRequest, now: datetime) -> Care:
    kinds = [model._meta.label_lower for model in RULE_MODELS]
    rows = AuditEntry.objects.filter(subject_type__in=kinds, at__gte=now - RULES_SINCE)
    entries = _within(request, rows, defaults=True).order_by("-at")[:ROWS]
    shown = tuple(
        (
            f"{kind_words(one.subject_type).capitalize()} {_named(one)}".strip(),
            f"{verb_words(one.verb).lower()} by {one.actor}, {ago(one.at, now)}",
            _history(one),
        )
        for one in entries
    )
    return Care("Rules changed lately", shown, reverse("admin:kernel_auditentry_changelist"))


def _named(entry: AuditEntry) -> str:
    said = {**(entry.before or {}), **(entry.after or {})}
    return str(said.get("name") or said.get("code") or said.get("pattern") or entry.subject_id)


def _history(entry: AuditEntry) -> str:
    name = entry.subject_type.replace(".", "_")
    if entry.verb == "deleted":
        return reverse(f"admin:{name}_deleted")
    return reverse(f"admin:{name}_history", args=[entry.subject_id])


def _tenants() -> Care:
    admins = Membership.objects.filter(tenant=OuterRef("pk"), role=Role.ADMIN, user__is_active=True)
    rows = Tenant.objects.filter(~Exists(admins), is_active=True)
    said = ((row, "nobody can add people or keys") for row in rows[:ROWS])
    return _care("Tenants without an admin", "tenants_tenant", said)
