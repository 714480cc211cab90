"""How a list of incidents is narrowed and ordered, by the API and the pages alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from awfdrs_site.kernel.problem import FieldError, invalid
from awfdrs_site.kernel.rest import InstantFilter, OneOf
from incidents.listing.query import ME, NONE, WORDS, Query, span_of
from incidents.models import Incident
from incidents.ranking import severity_rank
from incidents.selectors import incidents_for
from incidents.states import OPEN, IncidentStatus
from incidents.triage.snoozing import snoozed
from safety.models import Severity
from tenants.access import Identity

Values = tuple[str, ...]
Condition = Callable[[Values, User | None, datetime], Q]

UNASSIGNED = "none"
# Most severe first, as a number that a list can be ordered by.
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
        return rows.filter(saying(value))


def with_severity_rank(rows: QuerySet[Incident]) -> QuerySet[Incident]:
    """The rows with `severity_rank`: 0 for critical to 3 for low."""
    return rows.annotate(severity_rank=severity_rank())


def order_of(ordering: str) -> tuple[str, str]:
    """The sort fields for an `ordering` parameter; Problem 400 for one that is not offered."""
    field = ORDERINGS.get(ordering.removeprefix("-"))
    if field is None:
        detail = f"One of {', '.join(ORDERINGS)}, with - before it for descending."
        raise invalid([FieldError("ordering", "invalid_choice", detail)])
    sign = "-" if ordering.startswith("-") else ""
    return f"{sign}{field}", f"{sign}id"


def narrowed(identity: Identity, query: Query, now: datetime) -> QuerySet[Incident]:
    """The tenant's incidents that the query asks for, as who asks means it: `me` is them."""
    asked = [condition for _, condition in conditions(query, identity.user, now)]
    return incidents_for(identity.tenant).filter(*asked)


def conditions(query: Query, user: User | None, now: datetime) -> list[tuple[str, Q]]:
    """(key, condition) of each term; all of them hold for what the query asks for."""
    return [
        (term.key, ~asked if term.negated else asked)
        for term in query.terms
        for asked in [_CONDITIONS[term.key](term.values, user, now)]
    ]


def _status(values: Values, user: User | None, now: datetime) -> Q:
    found, is_open = Q(status__in=values), Q(status__in=OPEN)
    if "open" in values:
        found |= is_open & ~snoozed(now)
    return found | is_open & snoozed(now) if "snoozed" in values else found


def _workflow(values: Values, user: User | None, now: datetime) -> Q:
    return Q(workflow__name__in=values) | Q(workflow_id__in=_uuids(values))


def _uuids(values: Values) -> Iterator[UUID]:
    for value in values:
        with suppress(ValueError):
            yield UUID(value)


def _owner(values: Values, user: User | None, now: datetime) -> Q:
    found = Q(assignee__username__in=values)
    if NONE in values:
        found |= Q(assignee=None)
    return found | Q(assignee=user) if ME in values and user else found


def saying(text: str) -> Q:
    """The incidents with that text in the title or signature, or of that number as in INC-12."""
    found = Q(title__icontains=text) | Q(signature_text__icontains=text)
    if number := re.fullmatch(r"(?:INC-)?(\d{1,9})", text.strip(), re.ASCII | re.IGNORECASE):
        found |= Q(number=int(number[1]))
    return found


def _is(field: str) -> Condition:
    """The field is one of the values; `none` is the empty one."""
    return lambda values, user, now: Q(
        **{f"{field}__in": ["" if value == NONE else value for value in values]}
    )


def _within(field: str) -> Condition:
    return lambda values, user, now: Q(**{f"{field}__gte": now - span_of(values[0])})


_CONDITIONS: dict[str, Condition] = {
    "status": _status,
    "severity": _is("severity"),
    "recovery": _is("recovery"),
    "workflow": _workflow,
    "vendor": _is("vendor"),
    "category": _is("category"),
    "owner": _owner,
    "seen": _within("last_seen_at"),
    "resolved": _within("resolved_at"),
    WORDS: lambda values, user, now: saying(values[0]),
}
