"""`/api/v1/learning`: how each action has ended for each signature, and how far it may go [D5]."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from actions.learning.pages import Learnt, Share, alone_and_retried, learnt
from tenants.rest import TenantView


class _Bounded(serializers.Serializer[Learnt | Share]):
    """`low`, `high`: between which shares of success it is, 90 % sure (Wilson)."""

    low = serializers.SerializerMethodField()
    high = serializers.SerializerMethodField()

    def get_low(self, row: Learnt | Share) -> float:
        return row.bounds[0]

    def get_high(self, row: Learnt | Share) -> float:
        return row.bounds[1]


class LearntSerializer(_Bounded):
    """One action for one signature; of the newest 200 runs."""

    signature = serializers.CharField()
    action = serializers.CharField(help_text="`retry`, or `plan:` and the plan's name.")
    incident_id = serializers.UUIDField(source="incident.pk")
    title = serializers.CharField(source="incident.title")
    workflow = serializers.CharField(source="incident.workflow.name")
    runs = serializers.IntegerField(source="record.runs")
    worked = serializers.IntegerField(source="record.succeeded")
    came_back = serializers.IntegerField(source="record.recurred")
    taken_back = serializers.IntegerField(source="record.reversed")
    rejected = serializers.IntegerField(source="record.rejected")
    median_seconds = serializers.FloatField(source="record.median_seconds", allow_null=True)
    rung = serializers.CharField(source="trust.rung")
    to_next = serializers.CharField(source="trust.to_next")
    set_by = serializers.CharField(source="trust.set_by")
    last_at = serializers.DateTimeField()


class ShareSerializer(_Bounded):
    worked = serializers.IntegerField()
    runs = serializers.IntegerField()


class LearningSerializer(serializers.Serializer[object]):
    """`healed_alone`: of the cases that were held back; `retried`: what retries reached."""

    actions = LearntSerializer(many=True)
    healed_alone = ShareSerializer()
    retried = ShareSerializer()


class Learning(TenantView):
    """The 100 actions that ended last, with their record and their trust."""

    scopes = {"GET": "read"}
    serializer_class = LearningSerializer

    @extend_schema(tags=["Learning"], operation_id="learning")
    def get(self, request: Request) -> Response:
        alone, retried = alone_and_retried(self.tenant)
        rows = learnt(self.tenant, "", timezone.now())
        found = {"actions": rows, "healed_alone": alone, "retried": retried}
        return Response(LearningSerializer(found).data)
