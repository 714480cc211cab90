"""How a list of actions is narrowed, by the API and the pages alike."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from actions.catalog import kinds
from actions.models import Action
from actions.states import ActionStatus
from awfdrs_site.kernel.rest import InstantFilter, OneOf

KINDS = sorted(((name, kind.label) for name, kind in kinds().items()), key=lambda kind: kind[1])


class ActionFilter(filters.FilterSet):
    """All conditions hold together; `status` and `type` take several values."""

    status = OneOf(choices=ActionStatus.choices, label="One or several, with commas between.")
    type = OneOf("kind", choices=KINDS, label="One or several kinds, with commas between.")
    incident = filters.UUIDFilter("incident_id", label="The incident's id.")
    workflow = filters.CharFilter(method="of_workflow", label="The workflow's id or name.")
    since = InstantFilter("created_at", "gte", label="Made at this time or later.")
    until = InstantFilter("created_at", "lt", label="Made before this time.")

    class Meta:
        model = Action
        fields: list[str] = []

    def of_workflow(self, rows: QuerySet[Action], name: str, value: str) -> QuerySet[Action]:
        try:
            return rows.filter(incident__workflow_id=UUID(value))
        except ValueError:
            return rows.filter(incident__workflow__name=value)
