"""The same done to many incidents that somebody selected, each by itself [I6].

The selection is its ids and the count that was shown with them: where they differ, nothing is done.
Each incident is then its own transaction and is looked at again under its lock, so what somebody
else did meanwhile is told, row by row, and holds nothing up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from awfdrs_site.kernel.problem import FieldError, Problem, invalid, not_found
from incidents import services
from incidents.models import Incident
from incidents.selectors import incidents_for
from incidents.triage import snoozing
from tenants.access import Identity
from tenants.models import Tenant

MOST = 200
# What can be done to many -> how it is told.
VERBS = {
    "acknowledge": "acknowledged",
    "assign": "assigned",
    "snooze": "snoozed",
    "ignore": "ignored",
    "resolve": "resolved",
}


@dataclass(frozen=True)
class Report:
    """`left`: what it could not be done to, and why."""

    done: list[Incident] = field(default_factory=list)
    left: list[tuple[Incident, Problem]] = field(default_factory=list)


def selected(tenant: Tenant, ids: Sequence[UUID], expected: int | None) -> list[Incident]:
    """The tenant's incidents of these ids, by number.

    400 for none, for more than MOST, and for another count than `expected`; 404 if one of them is
    not there. None: no count was shown, for there was no script to show it.
    """
    wanted = set(ids)
    if not 1 <= len(wanted) <= MOST:
        raise invalid([FieldError("ids", "invalid_length", f"Select between 1 and {MOST}.")])
    if expected not in (None, len(wanted)):
        detail = f"{expected} were shown as selected, {len(wanted)} were sent. Nothing was changed."
        raise invalid([FieldError("expected", "count_differs", detail)])
    found = list(incidents_for(tenant).filter(pk__in=wanted).order_by("number"))
    if len(found) < len(wanted):
        raise not_found("No such incident.")
    return found


def command(
    verb: str, identity: Identity, now: datetime, options: Mapping[str, Any]
) -> Callable[..., Incident]:
    """One of VERBS as a function of `incident`; `options`: assignee, until, comment."""
    said: dict[str, Any] = {"actor": identity.actor, "now": now}
    user = identity.user
    if verb == "acknowledge":
        return partial(services.acknowledge, user=user, **said)
    if verb == "assign":
        return partial(services.assign, user=options["assignee"], **said)
    said["comment"] = options.get("comment", "")
    if verb == "snooze":
        return partial(snoozing.snooze, until=options["until"], user=user, **said)
    return partial(services.ignore if verb == "ignore" else services.resolve, **said)


def do_each(incidents: Sequence[Incident], do: Callable[..., Incident]) -> Report:
    """Do it to one after the other; a refusal leaves that one and goes on."""
    report = Report()
    for incident in incidents:
        try:
            report.done.append(do(incident=incident))
        except Problem as problem:
            report.left.append((incident, problem))
    return report
