"""`/api/v1/safety/limits`: every limit of the tenant and how much of it is used [S4]."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from actions.controls.limits_in_use import limits_in_use
from tenants.rest import TenantView


class LimitSerializer(serializers.Serializer[object]):
    """One limit. `reset_seconds`: when one more of it is free, 0 while nothing is used.

    `is_local`: Redis is away, so the figures are the share of the process that answered.
    `throttled_until`, `throttled_by`: an action keeps it below the vendor's own limit, till then.
    """

    kind = serializers.CharField()
    subject = serializers.CharField(help_text="The vendor's name; empty for the tenant's own.")
    used = serializers.IntegerField()
    limit = serializers.IntegerField()
    remaining = serializers.IntegerField()
    window_seconds = serializers.IntegerField()
    reset_seconds = serializers.IntegerField()
    level = serializers.ChoiceField(["ok", "near", "over"])
    is_local = serializers.BooleanField()
    throttled_until = serializers.DateTimeField(source="throttle.until", default=None)
    throttled_by = serializers.CharField(source="throttle.by", default=None)


class LimitsSerializer(serializers.Serializer[object]):
    limits = LimitSerializer(many=True)


class Limits(TenantView):
    """What the tenant's limits are and what the running window has used of each."""

    scopes = {"GET": "read"}
    serializer_class = LimitsSerializer

    @extend_schema(tags=["Safety"], operation_id="safety_limits")
    def get(self, request: Request) -> Response:
        found = {"limits": limits_in_use(self.tenant, timezone.now())}
        return Response(LimitsSerializer(found).data, headers={"Cache-Control": "no-store"})
