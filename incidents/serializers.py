"""Incidents as the API shows them, and the bodies its commands take."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from awfdrs_site.kernel.rest import Body, Instant, Text, Uuid
from incidents.models import Incident, TimelineEntry
from incidents.services import COMMENT_LIMIT
from incidents.states import IncidentStatus
from incidents.triage import bulk
from tenants.serializers import WorkflowRef


class UserName(serializers.SlugRelatedField):  # type: ignore[type-arg]  # stubs: no queryset, no type
    """A person by the user name; null for nobody."""

    def __init__(self) -> None:
        super().__init__(slug_field="username", read_only=True, allow_null=True)


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    """`status` is the life cycle's; `state` is one word for people; `recovery` the action's.

    Snoozed while `snoozed_at` is set and `snoozed_until` is ahead, or null: until it recovers.
    """

    label = serializers.CharField(  # type: ignore[assignment]  # the class's own `label` is an instance's
        read_only=True, help_text="The number as people say it: INC-12."
    )
    state = serializers.CharField(read_only=True)
    workflow = WorkflowRef(read_only=True)
    assignee = UserName()
    acknowledged_by = UserName()
    snoozed_by = UserName()

    class Meta:
        model = Incident
        fields = (
            "id",
            "number",
            "label",
            "title",
            "status",
            "state",
            "recovery",
            "severity",
            "category",
            "workflow",
            "vendor",
            "signature",
            "signature_kind",
            "signature_text",
            "event_count",
            "reopen_count",
            "first_seen_at",
            "last_seen_at",
            "opened_at",
            "resolved_at",
            "acknowledged_at",
            "acknowledged_by",
            "escalated_at",
            "snoozed_at",
            "snoozed_until",
            "snoozed_by",
            "assignee",
            "correlation_id",
        )
        read_only_fields = fields


class CommentedSerializer(IncidentSerializer):
    """The incident, and the members whom the comment named, by user name."""

    mentions = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(IncidentSerializer.Meta):
        fields = (*IncidentSerializer.Meta.fields, "mentions")  # type: ignore[assignment]


class TimelineEntrySerializer(serializers.ModelSerializer[TimelineEntry]):
    class Meta:
        model = TimelineEntry
        fields = ("id", "at", "actor_kind", "actor", "kind", "text", "data")
        read_only_fields = fields


class StatusBody(Body):
    status = serializers.ChoiceField(choices=IncidentStatus.choices)
    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)


class OptionalComment(Body):
    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)


class CommentBody(Body):
    text = Text(max_length=COMMENT_LIMIT)


class UnacknowledgeBody(Body):
    """`acknowledged_at`: the acknowledgement that is meant; left out: the present one."""

    acknowledged_at = Instant(required=False)


class SnoozeBody(Body):
    """`until`: a time within 30 days; null: until it recovers."""

    until = Instant(allow_null=True)
    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)


class BulkBody(Body):
    """`expected`: how many were shown as selected. `assignee` with assign, `until` with snooze."""

    ids = serializers.ListField(child=Uuid(), min_length=1, max_length=bulk.MOST)
    expected = serializers.IntegerField(min_value=1, max_value=bulk.MOST)
    verb = serializers.ChoiceField(choices=list(bulk.VERBS))
    assignee = Text(required=False, allow_null=True, max_length=150)
    until = Instant(required=False, allow_null=True)
    comment = Text(required=False, allow_blank=True, max_length=COMMENT_LIMIT)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What the verb needs is said, even if it is null."""
        needed = {"assign": "assignee", "snooze": "until"}.get(attrs["verb"])
        if needed and needed not in attrs:
            raise serializers.ValidationError({needed: "Say it, null if it is none."}, "required")
        return attrs


class LeftSerializer(serializers.Serializer[Any]):
    """An incident it could not be done to; `code` and `detail` as in an error."""

    id = serializers.UUIDField()
    label = serializers.CharField()  # type: ignore[assignment]  # the class's own `label`
    code = serializers.CharField()
    detail = serializers.CharField()


class BulkReport(serializers.Serializer[Any]):
    done = serializers.ListField(child=serializers.UUIDField())
    left = LeftSerializer(many=True)


class AssignBody(Body):
    assignee = Text(
        allow_null=True, max_length=150, help_text="A member's user name; null takes it from all."
    )
