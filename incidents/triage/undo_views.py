"""The Undo of a toast: it takes back what was just done, and what a bulk action did as one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.contrib.messages import constants
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from awfdrs_site.kernel.instants import parse_instant
from awfdrs_site.kernel.pages import back, posted, told, words_of
from awfdrs_site.kernel.problem import FieldError, invalid
from incidents.models import Incident
from incidents.selectors import get_incident_for
from incidents.triage import bulk, undoing
from tenants.access import Identity, require
from tenants.middleware import PageRequest
from tenants.models import Scope

# Ids of lines, with commas between: of as many as a bulk action may do.
_CHARS = 20 * bulk.MOST
# How many of what was left as it is are told about, one by one.
TOLD = 3


def offer(
    request: PageRequest,
    words: str,
    incidents: Sequence[Incident],
    kind: str,
    now: datetime,
    level: int = constants.SUCCESS,
) -> None:
    """Tell what was done to these at `now`, with an Undo for what it changed."""
    lines = undoing.left_by(incidents, kind, request.identity.actor, now)
    tags = f"undo:{','.join(str(line.pk) for line in lines)}" if lines else ""
    messages.add_message(request, level, words, extra_tags=tags)


@require_POST
def undo(request: PageRequest) -> HttpResponse:
    """Take back the deeds whose lines are posted as `deeds`; one that was changed since stays."""
    identity, now = require(request.identity, Scope.ACT), timezone.now()
    with told(request, ""):
        report = _take_back(identity, _ids(request), now)
        done, left = len(report.done), report.left
        if left:
            refused = [words_of(problem) for _, problem in left[:TOLD]]
            more = f"And {len(left) - TOLD} more." if len(left) > TOLD else ""
            counted = f"{done} of {done + len(left)} taken back." if done else ""
            messages.error(request, " ".join(filter(None, [counted, *refused, more])))
        else:
            words = f"{done} taken back" if done > 1 else f"{report.done[0].label}: taken back"
            messages.success(request, words)
    return back(request, "incidents:list")


def _take_back(identity: Identity, pks: Sequence[int], now: datetime) -> bulk.Report:
    deeds = {deed.incident_id: deed for deed in undoing.deeds_for(identity.tenant, pks)}

    def take_back(incident: Incident) -> Incident:
        deed = deeds[incident.pk]
        return undoing.take_back(incident=incident, deed=deed, actor=identity.actor, now=now)

    return bulk.do_each([deed.incident for deed in deeds.values()], take_back)


def _ids(request: PageRequest) -> list[int]:
    parts = posted(request, "deeds", _CHARS).split(",")
    return [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 19]


@require_POST
def unacknowledge(request: PageRequest, pk: UUID) -> HttpResponse:
    """Take back the acknowledgement that the page showed, however long ago it was."""
    identity = require(request.identity, Scope.ACT)
    incident = get_incident_for(identity.tenant, pk)
    with told(request, f"{incident.label} is not acknowledged any more"):
        undoing.unacknowledge(
            incident=incident,
            actor=identity.actor,
            now=timezone.now(),
            acknowledged_at=_instant(posted(request, "acknowledged_at", 40)),
        )
    return back(request, "incidents:detail", pk)


def _instant(text: str) -> datetime | None:
    try:
        return parse_instant(text) if text else None
    except ValueError as error:
        raise invalid([FieldError("acknowledged_at", "invalid_instant", str(error))]) from None
