"""Writing the audit log [T6]."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from awfdrs_site.kernel import correlation
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry


def record(
    *,
    tenant_id: UUID | None,
    actor: Actor,
    verb: str,
    subject: Any,
    now: datetime,
    before: Any = None,
    after: Any = None,
    comment: str = "",
) -> AuditEntry:
    """Append one entry about `subject` (a model instance) in the caller's transaction."""
    return AuditEntry.objects.create(
        tenant_id=tenant_id,
        at=now,
        actor=actor.name,
        verb=verb,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        before=before,
        after=after,
        comment=comment,
        correlation_id=correlation.current(),
    )
