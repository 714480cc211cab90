"""Which of a workflow's two engines runs its retries [A1]."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction

from awfdrs_site.kernel import audit, live
from awfdrs_site.kernel.actor import Actor
from tenants.models import Engine, Workflow


@transaction.atomic
def fail_over(*, workflow: Workflow, by: str, action_id: UUID, actor: Actor, now: datetime) -> bool:
    """Let the standby engine run the retries; False if it does already, whoever wanted it.

    Audited. Locks the workflow. `by`: the incident for which; `action_id`: what may end it.
    """
    rows = Workflow.objects.filter(pk=workflow.pk, failed_over_at=None)
    fields = {"failed_over_at": now, "failed_over_by": by, "failover_action_id": action_id}
    if not rows.update(**fields):
        return False
    _record(workflow, Engine.STANDBY, actor, now)
    return True


@transaction.atomic
def fail_back(
    *, workflow: Workflow, actor: Actor, now: datetime, actions: Collection[UUID] | None = None
) -> bool:
    """Let the workflow's own engine run the retries again; False if nothing of that kind held.

    `actions`: only a failover by one of these is ended. Audited. Locks the workflow.
    """
    rows = Workflow.objects.filter(pk=workflow.pk, failed_over_at__isnull=False)
    if actions is not None:
        rows = rows.filter(failover_action_id__in=actions)
    if not rows.update(failed_over_at=None, failed_over_by="", failover_action_id=None):
        return False
    _record(workflow, Engine.PRIMARY, actor, now)
    return True


def _record(workflow: Workflow, to: Engine, actor: Actor, now: datetime) -> None:
    audit.record(
        tenant_id=workflow.tenant_id,
        actor=actor,
        verb="failed_over" if to == Engine.STANDBY else "failed_back",
        subject=workflow,
        now=now,
        after={"engine": to.value},
    )
    live.publish(workflow.tenant_id, "safety")
