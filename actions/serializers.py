"""Actions as the API shows them, and the bodies its commands take."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from actions.models import Action, ActionKind
from actions.reversing import is_reversible
from awfdrs_site.kernel.rest import Body, Text
from incidents.services import COMMENT_LIMIT


class ActionSerializer(serializers.ModelSerializer[Action]):
    """One attempt. `id` is the Idempotency-Key its target gets; `receipt` is the gate's verdict.

    `is_reversible`: it can be taken back now; `reverses`: the action that this one takes back.
    """

    decided_by = serializers.SerializerMethodField()
    is_reversible = serializers.SerializerMethodField()

    class Meta:
        model = Action
        fields = (
            "id",
            "incident_id",
            "decision_id",
            "kind",
            "status",
            "attempt",
            "max_attempts",
            "is_reversible",
            "reverses_id",
            "parameters",
            "receipt",
            "result",
            "requested_by",
            "created_at",
            "due_at",
            "expires_at",
            "decided_at",
            "decided_by",
            "decision_comment",
            "sent_at",
            "verify_until",
            "finished_at",
            "correlation_id",
        )
        read_only_fields = fields

    def get_decided_by(self, action: Action) -> str:
        return action.decided_by_name

    def get_is_reversible(self, action: Action) -> bool:
        return is_reversible(action, timezone.now())


class _ParametersField(serializers.DictField):
    """A JSON object; which keys it may have is the action's own matter."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return super().to_internal_value(data)


class ApproveBody(Body):
    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)
    parameters = _ParametersField(required=False, help_text="Replaces the action's parameters.")


class RejectBody(Body):
    """`parameters` is taken so that both answers have one form; a "no" has no use for it."""

    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)
    parameters = _ParametersField(required=False)


class CancelBody(Body):
    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)


class RequestActionBody(Body):
    kind = serializers.ChoiceField(choices=[ActionKind.RETRY, ActionKind.ESCALATE])
    parameters = _ParametersField(required=False)
