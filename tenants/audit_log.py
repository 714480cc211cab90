"""Reading the audit log of a tenant: which entries, narrowed how, and what each changed [T6]."""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers

from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.rest import InstantFilter
from tenants.models import Tenant

ORDER = ("-at", "-id")


class AuditFilter(filters.FilterSet):
    """All conditions hold together."""

    actor = filters.CharFilter("actor", label="Who, by exact name.")
    verb = filters.CharFilter("verb", label="What was done, such as `approved`.")
    kind = filters.CharFilter("subject_type", label="To what, such as `incidents.incident`.")
    object = filters.CharFilter("subject_id", label="The object's id.")
    since = InstantFilter("at", "gte", label="At this time or later.")
    until = InstantFilter("at", "lt", label="Before this time.")

    class Meta:
        model = AuditEntry
        fields: list[str] = []


class AuditSerializer(serializers.ModelSerializer[AuditEntry]):
    """One change: `before` and `after` hold what changed, secrets masked."""

    kind = serializers.CharField(source="subject_type", read_only=True)
    object = serializers.CharField(source="subject_id", read_only=True)
    before = serializers.JSONField(read_only=True, allow_null=True)
    after = serializers.JSONField(read_only=True, allow_null=True)

    class Meta:
        model = AuditEntry
        fields = (
            "id",
            "at",
            "actor",
            "verb",
            "kind",
            "object",
            "before",
            "after",
            "comment",
            "correlation_id",
        )
        read_only_fields = fields


def entries_for(tenant: Tenant) -> QuerySet[AuditEntry]:
    """The tenant's own entries, in no order yet; what concerns every tenant is not among them."""
    return AuditEntry.objects.filter(tenant_id=tenant.pk)


def kind_words(label: str) -> str:
    """`safety.killswitch` as `kill switch`; a model that is no more keeps its label."""
    try:
        return str(apps.get_model(label)._meta.verbose_name)
    except (LookupError, ValueError):
        return label


def changes_of(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """What the entry changed: (name, was, became); the name is empty where a status moved."""
    was, became = _named(entry.before), _named(entry.after)
    return [
        (name, _text(was.get(name)), _text(became.get(name)))
        for name in {**was, **became}
        if was.get(name) != became.get(name)
    ]


def _named(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"": value}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
