"""What a list of events can be narrowed by."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from awfdrs_site.kernel.rest import InstantFilter
from ingestion.models import Event


class EventFilter(filters.FilterSet):
    """All conditions hold together; times are of the receipt."""

    workflow = filters.CharFilter(method="of_workflow", label="The workflow's id or name.")
    type = filters.CharFilter("event_type", label="The exact event type.")
    since = InstantFilter("received_at", "gte", label="Received at this time or later.")
    until = InstantFilter("received_at", "lt", label="Received before this time.")
    correlation_id = filters.CharFilter(label="The exact correlation id.")

    class Meta:
        model = Event
        fields: list[str] = []

    def of_workflow(self, rows: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        try:
            return rows.filter(workflow_id=UUID(value))
        except ValueError:
            return rows.filter(workflow__name=value)
