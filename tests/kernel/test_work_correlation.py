"""The correlation id of one piece of work is not that of the next [E6]."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import pytest
import structlog
from django.utils import timezone

from awfdrs_site.kernel import correlation, work
from awfdrs_site.kernel.models import Work

pytestmark = pytest.mark.django_db


def add(correlation_id: str, tenant_id: UUID) -> None:
    Work.objects.create(
        stage="look",
        tenant_id=tenant_id,
        subject_id=uuid.uuid4(),
        due_at=timezone.now(),
        correlation_id=correlation_id,
    )


def run(batch: int) -> list[tuple[str, str]]:
    """Do what is due; the correlation and tenant ids under which each batch was handled."""
    seen: list[tuple[str, str]] = []

    def look(subjects: Sequence[UUID], now: datetime) -> Mapping[UUID, datetime]:
        ids = structlog.contextvars.get_contextvars()
        seen.append((correlation.current(), ids.get("tenant_id", "")))
        return {}

    work.run_due("look", look, batch=batch)
    return seen


def test_one_work_leaves_nothing_behind_for_the_next() -> None:
    """A thread does one tenant's work, then a mixed batch: that one carries nobody's id."""
    structlog.contextvars.clear_contextvars()
    one, other = uuid.uuid4(), uuid.uuid4()
    add("c-1", one)
    assert run(batch=1) == [("c-1", str(one))]
    assert structlog.contextvars.get_contextvars() == {}
    add("c-2", one)
    add("c-3", other)
    assert run(batch=2) == [("", "")]


def test_a_mixed_batch_of_one_tenant_carries_the_tenant() -> None:
    structlog.contextvars.clear_contextvars()
    tenant_id = uuid.uuid4()
    add("c-4", tenant_id)
    add("c-5", tenant_id)
    assert run(batch=2) == [("", str(tenant_id))]
