"""Recoveries and plans as the API shows them, and the bodies their commands take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from actions.models import Action, Recovery, RecoveryPlan
from actions.plans.progress import STATES, Part, progress_of
from actions.plans.selectors import versions_of
from actions.plans.states import RecoveryState
from awfdrs_site.kernel.rest import Body, Text
from safety.strict_yaml import MAX_BYTES


class AttemptSerializer(serializers.ModelSerializer[Action]):
    """One try of a step: an action, whose receipt `/actions/{id}` shows."""

    action_id = serializers.UUIDField(source="id")
    reason = serializers.SerializerMethodField()

    class Meta:
        model = Action
        fields = (
            "action_id", "attempt", "status", "created_at", "sent_at", "finished_at", "reason"
        )  # fmt: skip
        read_only_fields = fields

    def get_reason(self, action: Action) -> str:
        return str(action.result.get("reason") or "")


class UndoSerializer(serializers.Serializer[Part]):
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    attempts = AttemptSerializer(many=True)


class StepSerializer(UndoSerializer):
    """`group`: steps with the same number run at once."""

    key = serializers.CharField()
    title = serializers.CharField()
    group = serializers.IntegerField()
    max_attempts = serializers.IntegerField(source="most")
    is_irreversible = serializers.BooleanField(source="irreversible")
    undo = UndoSerializer(allow_null=True)


class VerificationSerializer(UndoSerializer):
    tries = serializers.IntegerField(source="most")


class HistorySerializer(serializers.Serializer[Mapping[str, Any]]):
    state = serializers.ChoiceField(choices=RecoveryState.choices)
    at = serializers.DateTimeField()
    reason = serializers.CharField()


class RecoverySerializer(serializers.ModelSerializer[Recovery]):
    """One try to end an incident: what its plan does, how far it has come, and why."""

    plan = serializers.CharField(source="template.name", allow_null=True, default=None)
    plan_version = serializers.IntegerField(
        source="template.version", allow_null=True, default=None
    )
    title = serializers.CharField()
    state = serializers.ChoiceField(source="status", choices=RecoveryState.choices)
    steps = serializers.SerializerMethodField()
    verification = serializers.SerializerMethodField()
    history = HistorySerializer(many=True)
    approved_by = serializers.CharField(source="approved_by_name")

    class Meta:
        model = Recovery
        fields = (
            "id", "incident_id", "decision_id", "plan", "plan_version", "title", "state", "reason",
            "steps", "verification", "history", "approved_by", "undo_asked_by", "created_at",
            "finished_at", "correlation_id",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, recovery: Recovery) -> Any:
        parts: Any = progress_of(recovery).parts()
        return StepSerializer(parts, many=True).data

    @extend_schema_field(VerificationSerializer(allow_null=True))
    def get_verification(self, recovery: Recovery) -> Any:
        verify = progress_of(recovery).verify
        return VerificationSerializer(verify).data if verify else None


class PlanSerializer(serializers.ModelSerializer[RecoveryPlan]):
    """The version that counts. `is_default`: everybody's, not the tenant's own."""

    title = serializers.CharField(source="document.title")
    description = serializers.CharField(source="document.description")
    is_default = serializers.SerializerMethodField()

    class Meta:
        model = RecoveryPlan
        fields: tuple[str, ...] = (
            "name", "version", "title", "description", "is_default", "source", "retired_at",
            "created_at", "created_by",
        )  # fmt: skip
        read_only_fields: tuple[str, ...] = fields

    def get_is_default(self, plan: RecoveryPlan) -> bool:
        return plan.tenant_id is None


class VersionSerializer(serializers.ModelSerializer[RecoveryPlan]):
    class Meta:
        model = RecoveryPlan
        fields = ("version", "source", "created_at", "created_by", "retired_at")
        read_only_fields = fields


class PlanDetailSerializer(PlanSerializer):
    """With all versions, newest first."""

    versions = serializers.SerializerMethodField()

    class Meta(PlanSerializer.Meta):
        fields = (*PlanSerializer.Meta.fields, "versions")
        read_only_fields = fields

    @extend_schema_field(VersionSerializer(many=True))
    def get_versions(self, plan: RecoveryPlan) -> Any:
        return VersionSerializer(versions_of(plan), many=True).data


class SavePlanBody(Body):
    """`dry_run`: check it and store nothing."""

    source = Text(  # type: ignore[assignment]  # a declared field, taken off the class
        max_length=MAX_BYTES, trim_whitespace=False, help_text="The plan as YAML."
    )
    dry_run = serializers.BooleanField(required=False, default=False)


class CheckedPlanSerializer(serializers.Serializer[Any]):
    """What a good plan says of itself."""

    name = serializers.CharField()
    title = serializers.CharField()
    steps = serializers.ListField(child=serializers.CharField())
    never_automatic = serializers.BooleanField()
