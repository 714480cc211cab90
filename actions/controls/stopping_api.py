"""`/api/v1/kill-switches/…`: what a stop would mean, what is out, what it skipped [S6]."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from actions.action_filters import ActionFilter
from actions.controls import stopping
from actions.models import Action
from actions.serializers import ActionSerializer
from awfdrs_site.kernel.rest import Body, Uuid
from safety.api import switch_fields
from safety.models import KillSwitch
from safety.selectors import get_switch_for
from safety.serializers import EngageBody
from safety.services import check_engagement
from tenants.rest import TenantList, TenantView

TAGS = ["Safety"]
MOST_AT_ONCE = 500


class _InFlightSerializer(serializers.Serializer[Any]):
    action_id = serializers.UUIDField()
    incident_id = serializers.UUIDField()
    incident = serializers.CharField()
    workflow = serializers.CharField()
    status = serializers.CharField()
    sent_at = serializers.DateTimeField(allow_null=True)


class ConsequencesSerializer(serializers.Serializer[Any]):
    """`planned` retries would be skipped, `waiting` approvals not run; `in_flight` goes on.

    `in_flight` lists the latest 20 of `in_flight_count`.
    """

    target = serializers.CharField()
    stops_automation = serializers.BooleanField()
    stops_ingestion = serializers.BooleanField()
    workflows = serializers.ListField(child=serializers.CharField())
    planned = serializers.IntegerField()
    sent_last_hour = serializers.IntegerField()
    in_flight_count = serializers.IntegerField()
    in_flight = _InFlightSerializer(many=True)
    waiting = serializers.IntegerField()
    goes_on = serializers.ListField(child=serializers.CharField())


class VerdictSerializer(serializers.Serializer[Any]):
    """`unchanged`: it was not blocked any more; `refused`: `detail` says why."""

    action_id = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=["done", "unchanged", "refused", "not_found"])
    status = serializers.CharField()
    detail = serializers.CharField()


class VerdictsSerializer(serializers.Serializer[Any]):
    results = VerdictSerializer(many=True)


class ChosenBody(Body):
    """Actions of the switch's ledger; none means none, never "all"."""

    action_ids = serializers.ListField(child=Uuid(), min_length=1, max_length=MOST_AT_ONCE)


class Preview(TenantView):
    """What engaging this switch would mean now; nothing is written."""

    scopes = {"POST": "read"}
    serializer_class = ConsequencesSerializer

    @extend_schema(tags=TAGS, operation_id="kill_switches_preview", request=EngageBody)
    def post(self, request: Request) -> Response:
        now = timezone.now()
        switch = KillSwitch(**switch_fields(self.tenant, self.body(EngageBody, request)))
        check_engagement(switch, now)
        seen = stopping.consequences(self.tenant, switch, now)
        return Response(ConsequencesSerializer(seen).data)


class Held(TenantList):
    """The ledger: what the switch kept from starting, newest first; `status=blocked` still is."""

    scopes = {"GET": "read"}
    serializer_class = ActionSerializer
    filterset_class = ActionFilter
    queryset = Action.objects.none()

    @extend_schema(tags=TAGS, operation_id="kill_switches_held")
    def get(self, request: Request, pk: UUID) -> Response:
        return self.listing(stopping.skipped_by(self.tenant, get_switch_for(self.tenant, pk)))


class InFlight(TenantList):
    """What was sent within the switch's reach and is not settled, newest first."""

    scopes = {"GET": "read"}
    serializer_class = ActionSerializer
    queryset = Action.objects.none()

    @extend_schema(tags=TAGS, operation_id="kill_switches_in_flight")
    def get(self, request: Request, pk: UUID) -> Response:
        return self.listing(stopping.in_flight(self.tenant, get_switch_for(self.tenant, pk)))


class _Choice(TenantView):
    """What a person decides about some of what a switch skipped: one verdict each."""

    scopes = {"POST": "act"}
    serializer_class = VerdictsSerializer

    def answer(
        self, request: Request, pk: UUID, decide: Callable[..., Iterable[stopping.Verdict]]
    ) -> Response:
        switch = get_switch_for(self.tenant, pk)
        verdicts = decide(
            tenant=self.tenant,
            switch=switch,
            actor=self.identity.actor,
            now=timezone.now(),
            **self.body(ChosenBody, request),
        )
        return Response(VerdictsSerializer({"results": verdicts}).data)


class Replay(_Choice):
    """Run these skipped actions after all, through the gate once more; 409 while it is engaged."""

    @extend_schema(tags=TAGS, operation_id="kill_switches_replay", request=ChosenBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.answer(request, pk, stopping.replay)


class Drop(_Choice):
    """Cancel these skipped actions: they will not run."""

    @extend_schema(tags=TAGS, operation_id="kill_switches_drop", request=ChosenBody)
    def post(self, request: Request, pk: UUID) -> Response:
        return self.answer(request, pk, stopping.drop)
