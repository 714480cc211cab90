"""`/api/v1/rules/what-if`: the last days once more, under drafted rules [S10]."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from actions.whatif.drafts import draft_of
from actions.whatif.runs import MAX_DAYS, what_if
from awfdrs_site.kernel.problem import FieldError, invalid
from awfdrs_site.kernel.rest import Body, Text
from tenants.rest import TenantView

# What is answered while the caller waits: about ten seconds on one core.
MOST_EVENTS = 200_000
MAX_FILES = 10


class WhatIfBody(Body):
    """Either `files` (name → YAML) or `rules` (the sections of a rule file as JSON)."""

    days = serializers.IntegerField(min_value=1, max_value=MAX_DAYS, default=7)
    files = serializers.DictField(child=Text(max_length=64 * 1024), required=False)
    rules = serializers.DictField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("files" in attrs) == ("rules" in attrs):
            raise invalid([FieldError("files", "required", "Give either `files` or `rules`.")])
        if not 0 < len(attrs.get("files", {"one": ""})) <= MAX_FILES:
            raise invalid([FieldError("files", "invalid", f"From 1 to {MAX_FILES} files.")])
        return attrs


class WhatIf(TenantView):
    """Replay stored events under the rules as they are and with the draft imported."""

    scopes = {"POST": "act"}
    serializer_class = WhatIfBody

    @extend_schema(
        tags=["Safety"],
        operation_id="rules_what_if",
        request=WhatIfBody,
        responses={200: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        body = self.body(WhatIfBody, request)
        rules = draft_of(self.tenant, body)
        report = what_if(self.tenant, rules, body["days"], timezone.now(), most_events=MOST_EVENTS)
        return Response(report)
