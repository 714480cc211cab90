"""The bulk bar of the incident list: one form, the rows' boxes belong to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.messages import constants
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from awfdrs_site.kernel.pages import back, posted, told, words_of
from awfdrs_site.kernel.problem import FieldError, invalid
from incidents.listing.pages import LEFT
from incidents.models import TimelineKind
from incidents.regrouping.merging_views import to_choice
from incidents.triage import bulk, snoozing
from incidents.triage.undo_views import TOLD, offer
from incidents.views import person_of, reason_of, zone_of
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope

# What each verb that can be taken back leaves in the timeline.
_KINDS = {
    "acknowledge": TimelineKind.ACKNOWLEDGED,
    "assign": TimelineKind.ASSIGNED,
    "snooze": TimelineKind.SNOOZED,
}


@require_POST
def bulk_action(request: PageRequest) -> HttpResponse:
    """Do what the pressed button says to the ticked incidents; what did not fit stays ticked."""
    identity, now = require(request.identity, Scope.ACT), timezone.now()
    ids = _ids(request)
    request.session[LEFT] = [str(pk) for pk in ids]
    verb = posted(request, "do", 20)
    if verb == "merge" and ids:
        return to_choice(request, ids)
    with told(request, ""):
        if verb not in bulk.VERBS:
            raise invalid([FieldError("do", "invalid_choice", "Say what to do with them.")])
        incidents = bulk.selected(identity.tenant, ids, _count(request))
        do = bulk.command(verb, identity, now, _options(request, verb))
        report = bulk.do_each(incidents, do)
        request.session[LEFT] = [str(incident.pk) for incident, _ in report.left]
        _tell(request, verb, report, now)
    return back(request, "incidents:list")


def _ids(request: PageRequest) -> list[UUID]:
    try:
        return [UUID(text) for text in request.POST.getlist("id")[: bulk.MOST + 1]]
    except ValueError:
        return []


def _count(request: PageRequest) -> int | None:
    text = posted(request, "expected", 9)
    return int(text) if text.isascii() and text.isdigit() else None


def _options(request: PageRequest, verb: str) -> dict[str, Any]:
    if verb == "assign":
        return {"assignee": person_of(request.POST.get("assignee", ""))}
    if verb == "ignore":
        return {"comment": reason_of(request)}
    options: dict[str, Any] = {"comment": posted(request, "comment")}
    if verb == "snooze":
        wanted = posted(request, "for", 20)
        options["until"] = snoozing.until_of(wanted, zone_of(request), timezone.now())
    return options


def _tell(request: PageRequest, verb: str, report: bulk.Report, now: datetime) -> None:
    words, level = _words(verb, report), constants.ERROR if report.left else constants.SUCCESS
    if verb in _KINDS:
        offer(request, words, report.done, _KINDS[verb], now, level)
    else:
        messages.add_message(request, level, words)


def _words(verb: str, report: bulk.Report) -> str:
    done, left = len(report.done), len(report.left)
    if not left:
        return f"{done} {bulk.VERBS[verb]}"
    result = f"{done} of {done + left} {bulk.VERBS[verb]}"
    why = [f"{incident.label}: {words_of(problem)}" for incident, problem in report.left[:TOLD]]
    more = left - len(why)
    return " ".join([f"{result}.", *why, f"And {more} more." if more else ""])
