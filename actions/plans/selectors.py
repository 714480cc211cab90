"""Reading plans and recoveries; the first argument is always the tenant."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, Q, QuerySet

from actions.plans.models import Recovery, RecoveryPlan
from awfdrs_site.kernel.problem import not_found
from tenants.models import Tenant

_OWN_FIRST = F("tenant").asc(nulls_last=True)


def plan_named(tenant_id: UUID, name: str) -> RecoveryPlan | None:
    """The newest version of the plan: the tenant's own, else everybody's; None if it is retired."""
    newest = _versions(tenant_id).filter(name=name).order_by(_OWN_FIRST, "-version").first()
    return None if newest is None or newest.retired_at is not None else newest


def _versions(tenant_id: UUID) -> QuerySet[RecoveryPlan]:
    return RecoveryPlan.objects.filter(Q(tenant_id=tenant_id) | Q(tenant=None))


def plans_for(tenant: Tenant) -> QuerySet[RecoveryPlan]:
    """Of each plan the version that counts for the tenant, retired ones too, by name."""
    newest = _versions(tenant.pk).order_by("name", _OWN_FIRST, "-version").distinct("name")
    return RecoveryPlan.objects.filter(pk__in=newest.values("pk")).order_by("name")


def get_plan_for(tenant: Tenant, name: str) -> RecoveryPlan:
    """The version of the plan that counts, or the same 404 that an unknown name gets."""
    plan = plans_for(tenant).filter(name=name).first()
    if plan is None:
        raise not_found("No such plan.")
    return plan


def newest_versions(rows: QuerySet[RecoveryPlan]) -> QuerySet[RecoveryPlan]:
    """Of `rows`, the newest version of each plan of each owner."""
    newest = RecoveryPlan.objects.order_by("tenant_id", "name", "-version").distinct(
        "tenant_id", "name"
    )
    return rows.filter(pk__in=newest.values("pk"))


def versions_of(plan: RecoveryPlan) -> QuerySet[RecoveryPlan]:
    """Every version of the same plan of the same owner, newest first."""
    return RecoveryPlan.objects.filter(tenant=plan.tenant_id, name=plan.name).order_by("-version")


def recoveries_for(tenant: Tenant) -> QuerySet[Recovery]:
    """Newest first, with what a row shows."""
    rows = Recovery.objects.filter(tenant=tenant)
    return rows.select_related("incident__workflow", "template").order_by("-id")


def with_attempts(rows: QuerySet[Recovery]) -> QuerySet[Recovery]:
    """The recoveries with their actions loaded."""
    return rows.prefetch_related("actions")


def get_recovery_for(tenant: Tenant, pk: UUID) -> Recovery:
    """The tenant's recovery with its attempts, or the same 404 that an unknown id gets."""
    recovery = with_attempts(recoveries_for(tenant)).filter(pk=pk).first()
    if recovery is None:
        raise not_found("No such recovery.")
    return recovery
