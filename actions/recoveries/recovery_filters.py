"""How a list of recoveries is narrowed, by the API and the pages alike."""

from __future__ import annotations

from django_filters import rest_framework as filters

from actions.models import Recovery
from actions.plans.states import RecoveryState
from awfdrs_site.kernel.rest import InstantFilter, OneOf


class RecoveryFilter(filters.FilterSet):
    """All conditions hold together; `state` takes several values."""

    state = OneOf(
        "status", choices=RecoveryState.choices, label="One or several, with commas between."
    )
    incident = filters.UUIDFilter("incident_id", label="The incident's id.")
    plan = filters.CharFilter("template__name", label="The plan's exact name.")
    since = InstantFilter("created_at", "gte", label="Begun at this time or later.")
    until = InstantFilter("created_at", "lt", label="Begun before this time.")

    class Meta:
        model = Recovery
        fields: list[str] = []
