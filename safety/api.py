"""`/api/v1/kill-switches`, `/vendors`, `/workflows`: what may happen, and stopping it [S3 S6]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awfdrs_site.kernel.problem import not_found
from awfdrs_site.kernel.rest import NothingBody, OneOf
from safety import breakers, services, throttling
from safety.models import BreakerState, KillSwitch, SwitchScope, Vendor
from safety.selectors import engaged_switches, get_switch_for, get_vendor_for, switches_for
from safety.serializers import (
    BreakerBody,
    EngageBody,
    ExtendBody,
    KillSwitchSerializer,
    ReleaseBody,
    VendorDetailSerializer,
    VendorSerializer,
    WorkflowSerializer,
)
from tenants.access import OPERATE, Identity, require
from tenants.engines import fail_back
from tenants.models import Tenant, Workflow
from tenants.rest import TenantList, TenantView

TAGS = ["Safety"]


class KillSwitchFilter(filters.FilterSet):
    scope = OneOf(choices=SwitchScope.choices, label="One or several, with commas between.")
    engaged = filters.BooleanFilter(
        method="that_stop_now", label="Only those that stop now, or do not."
    )

    class Meta:
        model = KillSwitch
        fields: list[str] = []

    def that_stop_now(
        self, rows: QuerySet[KillSwitch], name: str, value: bool
    ) -> QuerySet[KillSwitch]:
        stopping = Q(released_at=None) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        return rows.filter(stopping if value else ~stopping)


class KillSwitchList(TenantList):
    """The tenant's kill switches and the global ones, the latest engaged first."""

    scopes = {"GET": "read", "POST": "act"}
    serializer_class = KillSwitchSerializer
    filterset_class = KillSwitchFilter
    queryset = KillSwitch.objects.none()

    def get_order(self, request: Request) -> tuple[str, str]:
        return "-engaged_at", "-id"

    @extend_schema(tags=TAGS, operation_id="kill_switches_list")
    def get(self, request: Request) -> Response:
        return self.listing(switches_for(self.tenant))

    @extend_schema(
        tags=TAGS,
        operation_id="kill_switches_engage",
        request=EngageBody,
        responses={201: KillSwitchSerializer, 200: KillSwitchSerializer},
    )
    def post(self, request: Request) -> Response:
        """Stop a target at once; 200 instead of 201 where a switch was engaged there already."""
        identity = self.identity
        body = self.body(EngageBody, request)
        if body["scope"] == SwitchScope.GLOBAL:
            require(identity, OPERATE)
        now = timezone.now()
        switch = services.engage_switch(
            actor=identity.actor, now=now, **switch_fields(identity.tenant, body)
        )
        status = 201 if switch.engaged_at == now else 200
        return Response(KillSwitchSerializer(switch).data, status=status)


def switch_fields(tenant: Tenant, body: Mapping[str, Any]) -> dict[str, Any]:
    """The validated `EngageBody` as fields of a kill switch; 404 for an unknown workflow."""
    workflow_id = body.get("workflow_id")
    return {
        **{name: value for name, value in body.items() if name != "workflow_id"},
        "tenant": None if body["scope"] == SwitchScope.GLOBAL else tenant,
        "workflow": _workflow(tenant, workflow_id) if workflow_id else None,
    }


class KillSwitchDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = KillSwitchSerializer

    @extend_schema(tags=TAGS, operation_id="kill_switches_retrieve")
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(KillSwitchSerializer(get_switch_for(self.tenant, pk)).data)


class ReleaseKillSwitch(TenantView):
    """Let it run again, with a reason. What was held back is not started by this."""

    scopes = {"POST": "act"}
    serializer_class = KillSwitchSerializer

    @extend_schema(tags=TAGS, operation_id="kill_switches_release", request=ReleaseBody)
    def post(self, request: Request, pk: UUID) -> Response:
        switch = _pulled(self.identity, pk)
        body = self.body(ReleaseBody, request)
        switch = services.release_switch(
            switch=switch, actor=self.identity.actor, now=timezone.now(), **body
        )
        return Response(KillSwitchSerializer(switch).data)


class ExtendKillSwitch(TenantView):
    """Let it end later than it would. Sooner is a release."""

    scopes = {"POST": "act"}
    serializer_class = KillSwitchSerializer

    @extend_schema(tags=TAGS, operation_id="kill_switches_extend", request=ExtendBody)
    def post(self, request: Request, pk: UUID) -> Response:
        switch = _pulled(self.identity, pk)
        body = self.body(ExtendBody, request)
        switch = services.extend_switch(
            switch=switch, actor=self.identity.actor, now=timezone.now(), **body
        )
        return Response(KillSwitchSerializer(switch).data)


def _pulled(identity: Identity, pk: UUID) -> KillSwitch:
    """The switch, if the caller may work it; everybody's is the operators' matter."""
    switch = get_switch_for(identity.tenant, pk)
    if switch.scope == SwitchScope.GLOBAL:
        require(identity, OPERATE)
    return switch


class VendorFilter(filters.FilterSet):
    breaker_state = OneOf(
        choices=BreakerState.choices,
        label="One or several, with commas between.",
        method="in_state",
    )

    class Meta:
        model = Vendor
        fields: list[str] = []

    def in_state(self, rows: QuerySet[Vendor], name: str, value: list[str]) -> QuerySet[Vendor]:
        """By what the state is now: an open breaker whose time is over is half-open."""
        now = timezone.now()
        found = [row.pk for row in rows if value and breakers.as_of(row, now).state in value]
        return rows.filter(pk__in=found) if value else rows


class VendorList(TenantList):
    """The tenant's vendors with their breakers, by name."""

    scopes = {"GET": "read"}
    serializer_class = VendorSerializer
    filterset_class = VendorFilter
    queryset = Vendor.objects.none()

    def get_order(self, request: Request) -> tuple[str, str]:
        return "name", "id"

    @extend_schema(tags=TAGS, operation_id="vendors_list")
    def get(self, request: Request) -> Response:
        return self.listing(Vendor.objects.filter(tenant=self.tenant))


class VendorDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = VendorDetailSerializer

    @extend_schema(tags=TAGS, operation_id="vendors_retrieve")
    def get(self, request: Request, name: str) -> Response:
        return Response(VendorDetailSerializer(get_vendor_for(self.tenant, name)).data)


class SetBreaker(TenantView):
    """Trip or reset a vendor's breaker, keep it open or disable it, with a reason.

    What it held back is released a few a second once it is closed or disabled.
    """

    scopes = {"POST": "act"}
    serializer_class = VendorDetailSerializer

    @extend_schema(tags=TAGS, operation_id="vendors_breaker", request=BreakerBody)
    def post(self, request: Request, name: str) -> Response:
        identity = self.identity
        vendor = get_vendor_for(identity.tenant, name)
        body = self.body(BreakerBody, request)
        vendor = breakers.set_by_hand(
            vendor=vendor,
            to=body["state"],
            reason=body["reason"],
            actor=identity.actor,
            now=timezone.now(),
        )
        return Response(VendorDetailSerializer(vendor).data)


class Unthrottle(TenantView):
    """End what slows our calls to the vendor; its own limit of calls a minute holds again."""

    scopes = {"POST": "act"}
    serializer_class = VendorDetailSerializer

    @extend_schema(tags=TAGS, operation_id="vendors_unthrottle", request=NothingBody)
    def post(self, request: Request, name: str) -> Response:
        vendor = get_vendor_for(self.tenant, name)
        self.body(NothingBody, request)
        throttling.unthrottle(vendor=vendor, actor=self.identity.actor, now=timezone.now())
        return Response(VendorDetailSerializer(get_vendor_for(self.tenant, name)).data)


class WorkflowList(TenantList):
    """The tenant's workflows, by name, and what stops them."""

    scopes = {"GET": "read"}
    serializer_class = WorkflowSerializer
    queryset = Workflow.objects.none()

    def get_order(self, request: Request) -> tuple[str, str]:
        return "name", "id"

    def get_serializer_context(self) -> Mapping[str, Any]:
        return {**super().get_serializer_context(), **_switches(self.tenant)}

    @extend_schema(tags=TAGS, operation_id="workflows_list")
    def get(self, request: Request) -> Response:
        return self.listing(Workflow.objects.filter(tenant=self.tenant))


class WorkflowDetail(TenantView):
    scopes = {"GET": "read"}
    serializer_class = WorkflowSerializer

    @extend_schema(tags=TAGS, operation_id="workflows_retrieve")
    def get(self, request: Request, pk: UUID) -> Response:
        workflow = _workflow(self.tenant, pk)
        return Response(WorkflowSerializer(workflow, context=_switches(self.tenant)).data)


class FailBack(TenantView):
    """Let the workflow's own engine run its retries again, whoever failed it over."""

    scopes = {"POST": "act"}
    serializer_class = WorkflowSerializer

    @extend_schema(tags=TAGS, operation_id="workflows_failback", request=NothingBody)
    def post(self, request: Request, pk: UUID) -> Response:
        workflow = _workflow(self.tenant, pk)
        self.body(NothingBody, request)
        fail_back(workflow=workflow, actor=self.identity.actor, now=timezone.now())
        workflow.refresh_from_db()
        return Response(WorkflowSerializer(workflow, context=_switches(self.tenant)).data)


def _switches(tenant: Tenant) -> dict[str, Any]:
    return {"switches": engaged_switches(tenant, timezone.now())}


def _workflow(tenant: Tenant, pk: UUID) -> Workflow:
    workflow = Workflow.objects.filter(tenant=tenant, pk=pk).first()
    if workflow is None:
        raise not_found("No such workflow.", "workflow_not_found")
    return workflow
