"""Actions as the API shows them, and the bodies its commands take."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from actions.models import Action, ActionKind
from actions.previewing import Shown, preview_of
from actions.reversing import is_reversible
from actions.states import ActionStatus
from awfdrs_site.kernel.rest import Body, Text
from incidents.services import COMMENT_LIMIT
from safety.models import AutomationPolicy
from safety.selectors import policy_for


class ActionSerializer(serializers.ModelSerializer[Action]):
    """One attempt. `id` is the Idempotency-Key its target gets; `receipt` is the gate's verdict.

    `chunk`: which part of a retry at a pace.
    `is_reversible`: it can be taken back now; `reverses`: the action that this one takes back.
    """

    decided_by = serializers.SerializerMethodField()
    is_reversible = serializers.SerializerMethodField()

    class Meta:
        model = Action
        fields: tuple[str, ...] = (
            "id",
            "incident_id",
            "decision_id",
            "kind",
            "status",
            "attempt",
            "max_attempts",
            "chunk",
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


class PreviewedSerializer(ActionSerializer):
    """With exactly what would run, while a person is asked; null when nobody is."""

    _shown: Shown | None = None
    approvals = serializers.SerializerMethodField()
    approvals_needed = serializers.SerializerMethodField()
    preview = serializers.SerializerMethodField()
    preview_hash = serializers.SerializerMethodField()

    class Meta(ActionSerializer.Meta):
        fields = (
            *ActionSerializer.Meta.fields,
            *("approvals", "approvals_needed", "preview", "preview_hash"),
        )
        read_only_fields = fields

    def to_representation(self, instance: Action) -> dict[str, Any]:
        waits = instance.status == ActionStatus.WAITING
        self._shown = preview_of(instance, timezone.now()) if waits else None
        return super().to_representation(instance)

    def get_approvals(self, action: Action) -> list[dict[str, str]]:
        return [{"by": one["by"], "at": one["at"]} for one in action.approvals]

    def get_approvals_needed(self, action: Action) -> int:
        # Once a workflow, not once a row: a list is written by one serializer.
        policies: dict[Any, AutomationPolicy] = self.__dict__.setdefault("_policies", {})
        workflow_id = action.incident.workflow_id
        if workflow_id not in policies:
            policies[workflow_id] = policy_for(action.tenant_id, workflow_id)
        return policies[workflow_id].approvals_needed(action.incident.severity)

    def get_preview(self, action: Action) -> dict[str, Any] | None:
        return self._shown.to_json() if self._shown else None

    def get_preview_hash(self, action: Action) -> str | None:
        return self._shown.hash if self._shown else None


class _ParametersField(serializers.DictField):
    """A JSON object; which keys it may have is the action's own matter."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return super().to_internal_value(data)


class ApproveBody(Body):
    """`preview_hash` binds the approval to what was seen; needed for a step of a plan."""

    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)
    preview_hash = Text(required=False, allow_blank=True, max_length=64)
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
