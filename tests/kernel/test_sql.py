"""Functions of PostgreSQL: what they make the planner read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.sql import Among

pytestmark = pytest.mark.django_db


def test_a_few_of_a_table_are_looked_up_by_their_keys() -> None:
    """The newest are those and no others, and nothing else is read. Seen red with `pk__in` of
    the slice, which reads all of the table beside it. A tenth: of a half the planner may rightly
    read and sort the whole."""
    tenant, now = uuid4(), timezone.now()
    rows = [
        AuditEntry(tenant_id=tenant, at=now - timedelta(minutes=n), actor="anna", verb="paged",
                   subject_type="x", subject_id=str(n))
        for n in range(2_000)
    ]  # fmt: skip
    AuditEntry.objects.bulk_create(rows)
    newest = AuditEntry.objects.filter(tenant_id=tenant).order_by("-at", "-id")
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {AuditEntry._meta.db_table}")
    few = AuditEntry.objects.filter(Among(newest[:200]))
    assert {entry.subject_id for entry in few} == {str(n) for n in range(200)}
    plan = few.order_by().explain(format="json", analyze=True)
    seen = [
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in _nodes(json.loads(plan)[0]["Plan"])
        if "Relation Name" in node
    ]
    # The sort may look one further.
    assert sum(seen) <= 401


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
