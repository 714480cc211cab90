"""Reading plans and recoveries; the first argument is always the tenant."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, Q

from actions.plans.models import RecoveryPlan


def plan_named(tenant_id: UUID, name: str) -> RecoveryPlan | None:
    """The newest version of the plan: the tenant's own, else everybody's; None if it is retired."""
    rows = RecoveryPlan.objects.filter(Q(tenant_id=tenant_id) | Q(tenant=None), name=name)
    newest = rows.order_by(F("tenant").asc(nulls_last=True), "-version").first()
    return None if newest is None or newest.retired_at is not None else newest
