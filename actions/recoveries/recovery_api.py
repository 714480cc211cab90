"""`/api/v1/recoveries` and `/api/v1/plans`: how recoveries go, and what they may do [A2 A3]."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from actions.models import Recovery, RecoveryPlan
from actions.plans.document import Plan
from actions.plans.selectors import (
    get_plan_for,
    get_recovery_for,
    plans_for,
    recoveries_for,
    with_attempts,
)
from actions.plans.services import ask_undo
from actions.plans.templates import check_plan, retire_plan, save_plan
from actions.recoveries.recovery_filters import RecoveryFilter
from actions.recoveries.recovery_serializers import (
    CheckedPlanSerializer,
    PlanDetailSerializer,
    PlanSerializer,
    RecoverySerializer,
    SavePlanBody,
)
from awfdrs_site.kernel.rest import NothingBody
from incidents.serializers import OptionalComment
from tenants.access import OPERATE, require
from tenants.rest import TenantList, TenantView

TAGS, PLANS = ["Recoveries"], ["Plans"]


class RecoveryList(TenantList):
    """The tenant's recoveries, newest first."""

    scopes = {"GET": "read"}
    serializer_class = RecoverySerializer
    filterset_class = RecoveryFilter
    queryset = Recovery.objects.none()

    @extend_schema(tags=TAGS, operation_id="recoveries_list")
    def get(self, request: Request) -> Response:
        return self.listing(with_attempts(recoveries_for(self.tenant)))


class RecoveryDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = RecoverySerializer

    @extend_schema(tags=TAGS, operation_id="recoveries_retrieve")
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(RecoverySerializer(get_recovery_for(self.tenant, pk)).data)


class Undo(TenantView):
    """Take back what the recovery did, step by step in reverse, each through the gate."""

    scopes = {"POST": "act"}
    serializer_class = RecoverySerializer

    @extend_schema(tags=TAGS, operation_id="recoveries_undo", request=OptionalComment)
    def post(self, request: Request, pk: UUID) -> Response:
        identity = self.identity
        recovery = get_recovery_for(identity.tenant, pk)
        body = self.body(OptionalComment, request)
        ask_undo(recovery=recovery, actor=identity.actor, now=timezone.now(), **body)
        return Response(RecoverySerializer(get_recovery_for(identity.tenant, pk)).data)


class PlanList(TenantList):
    """The plans that count for the tenant, by name: its own, and everybody's beside them."""

    scopes = {"GET": "read", "POST": "admin"}
    serializer_class = PlanSerializer
    queryset = RecoveryPlan.objects.none()

    def get_order(self, request: Request) -> tuple[str, ...]:
        return ("name",)

    @extend_schema(tags=PLANS, operation_id="plans_list")
    def get(self, request: Request) -> Response:
        return self.listing(plans_for(self.tenant))

    @extend_schema(
        tags=PLANS,
        operation_id="plans_save",
        request=SavePlanBody,
        responses={200: CheckedPlanSerializer, 201: PlanDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Store the next version of the tenant's plan; the same text again stores nothing."""
        identity = self.identity
        body = self.body(SavePlanBody, request)
        if body["dry_run"]:
            return Response(CheckedPlanSerializer(_said(check_plan(body["source"]))).data)
        saved = save_plan(
            tenant=identity.tenant,
            source=body["source"],
            actor=identity.actor,
            now=timezone.now(),
        )
        return Response(PlanDetailSerializer(saved).data, status=201)


def _said(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "title": plan.title,
        "steps": [step.key for step in plan.steps()],
        "never_automatic": plan.approval == "always" or plan.has_irreversible_step(),
    }


class PlanDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = PlanDetailSerializer

    @extend_schema(tags=PLANS, operation_id="plans_retrieve")
    def get(self, request: Request, name: str) -> Response:
        return Response(PlanDetailSerializer(get_plan_for(self.tenant, name)).data)


class Retire(TenantView):
    """Let no further recovery begin with the plan; one that is everybody's takes `operate`."""

    scopes = {"POST": "admin"}
    serializer_class = PlanDetailSerializer

    @extend_schema(tags=PLANS, operation_id="plans_retire", request=NothingBody)
    def post(self, request: Request, name: str) -> Response:
        identity = self.identity
        plan = get_plan_for(identity.tenant, name)
        self.body(NothingBody, request)
        if plan.tenant_id is None:
            require(identity, OPERATE)
        retire_plan(plan=plan, actor=identity.actor, now=timezone.now())
        return Response(PlanDetailSerializer(get_plan_for(identity.tenant, name)).data)
