"""What uses a plan: the rules that name it, and the recoveries it has run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Case, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, When

from actions.plans.models import Recovery, RecoveryPlan
from safety.models import ErrorCode, MessagePattern


def with_uses(
    plans: QuerySet[RecoveryPlan], tenant_ids: frozenset[UUID] | None
) -> QuerySet[RecoveryPlan]:
    """`plans` with `codes` and `patterns` (rules of the owner or of everybody that name it; of
    everybody's plan, all rules) and `runs` (of all its versions), in the same query.

    Only what the tenants have counts (None: all of them), and everybody's rules.
    """
    theirs = Q() if tenant_ids is None else Q(tenant__in=tenant_ids)
    seen = Q() if tenant_ids is None else theirs | Q(tenant=None)

    def rules(model: type[ErrorCode | MessagePattern]) -> Case:
        named = model._default_manager.filter(seen, plan=OuterRef("name"))
        return _by_owner(named, named.filter(Q(tenant=None) | Q(tenant=OuterRef("tenant"))))

    runs = Recovery.objects.filter(theirs, template__name=OuterRef("name"))
    return plans.annotate(
        codes=rules(ErrorCode),
        patterns=rules(MessagePattern),
        runs=_by_owner(
            runs.filter(template__tenant=None), runs.filter(template__tenant=OuterRef("tenant"))
        ),
    )


def _by_owner(everybodys: QuerySet[Any], tenants: QuerySet[Any]) -> Case:
    return Case(When(tenant=None, then=_count(everybodys)), default=_count(tenants))


def _count(rows: QuerySet[Any]) -> Subquery:
    counted = rows.order_by().annotate(
        number=Func(F("pk"), function="COUNT", output_field=IntegerField())
    )
    return Subquery(counted.values("number"))
