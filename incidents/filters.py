"""How a list of incidents is narrowed and ordered, by the API and the pages alike."""

from __future__ import annotations

import re
from uuid import UUID

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django_filters import rest_framework as filters

from awfdrs_site.kernel.problem import FieldError, invalid
from awfdrs_site.kernel.rest import InstantFilter, OneOf
from incidents.models import Incident
from incidents.states import IncidentStatus
from safety.models import Severity

UNASSIGNED = "none"
# Most severe first, as a number that a list can be ordered by.
SEVERITY_RANK = {value: rank for rank, value in enumerate(Severity.values)}
ORDERINGS = {
    "last_seen_at": "last_seen_at",
    "first_seen_at": "first_seen_at",
    "event_count": "event_count",
    "number": "number",
    "severity": "severity_rank",
}
DEFAULT_ORDERING = "-last_seen_at"


class IncidentFilter(filters.FilterSet):
    """All conditions hold together; `status` and `severity` take several values."""

    status = OneOf(choices=IncidentStatus.choices, label="One or several, with commas between.")
    severity = OneOf(choices=Severity.choices, label="One or several, with commas between.")
    workflow = filters.CharFilter(method="of_workflow", label="The workflow's id or name.")
    vendor = filters.CharFilter(label="The vendor's exact name.")
    category = filters.CharFilter(label="The exact category.")
    assignee = filters.CharFilter(method="of_assignee", label="A user name, or `none`.")
    since = InstantFilter("last_seen_at", "gte", label="Seen at this time or later.")
    until = InstantFilter("first_seen_at", "lt", label="First seen before this time.")
    q = filters.CharFilter(
        method="matching", label="Text in the title or signature, or a number as in INC-12."
    )

    class Meta:
        model = Incident
        fields: list[str] = []

    def of_workflow(self, rows: QuerySet[Incident], name: str, value: str) -> QuerySet[Incident]:
        try:
            return rows.filter(workflow_id=UUID(value))
        except ValueError:
            return rows.filter(workflow__name=value)

    def of_assignee(self, rows: QuerySet[Incident], name: str, value: str) -> QuerySet[Incident]:
        if value == UNASSIGNED:
            return rows.filter(assignee=None)
        return rows.filter(assignee__username=value)

    def matching(self, rows: QuerySet[Incident], name: str, value: str) -> QuerySet[Incident]:
        found = Q(title__icontains=value) | Q(signature_text__icontains=value)
        if number := re.fullmatch(r"(?:INC-)?(\d{1,9})", value.strip(), re.IGNORECASE):
            found |= Q(number=int(number[1]))
        return rows.filter(found)


def with_severity_rank(rows: QuerySet[Incident]) -> QuerySet[Incident]:
    """The rows with `severity_rank`: 0 for critical to 3 for low."""
    steps = [When(severity=value, then=Value(rank)) for value, rank in SEVERITY_RANK.items()]
    unknown = Value(len(SEVERITY_RANK))
    return rows.annotate(severity_rank=Case(*steps, default=unknown, output_field=IntegerField()))


def order_of(ordering: str) -> tuple[str, str]:
    """The sort fields for an `ordering` parameter; Problem 400 for one that is not offered."""
    field = ORDERINGS.get(ordering.removeprefix("-"))
    if field is None:
        detail = f"One of {', '.join(ORDERINGS)}, with - before it for descending."
        raise invalid([FieldError("ordering", "invalid_choice", detail)])
    sign = "-" if ordering.startswith("-") else ""
    return f"{sign}{field}", f"{sign}id"
