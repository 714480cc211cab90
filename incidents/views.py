"""Pages of incidents: the list, and what people do to one. The incident's own page needs its
actions too and stands in actions/views.py."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from awfdrs_site.kernel.pages import back, posted, told, words_of
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from incidents import services
from incidents.detail import story
from incidents.listing import pages
from incidents.models import Incident, TimelineKind
from incidents.selectors import get_incident_for
from incidents.triage import snoozing
from incidents.triage.undo_views import offer
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope
from tenants.preferences import preferences_of

DETAIL = "incidents:detail"


@require_safe
def incident_list(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    if canonical := pages.moved(request):
        return redirect(canonical)
    context = pages.list_page(request, identity, timezone.now())
    return render(request, "incidents/list.html", context)


@require_safe
def events(request: PageRequest, pk: UUID) -> HttpResponse:
    """All events of an incident, a page at a time."""
    incident = get_incident_for(require(request.identity, Scope.READ).tenant, pk)
    return render(request, "incidents/events.html", story.events_page(incident, request))


def _mine(request: PageRequest, pk: UUID) -> Incident:
    """The incident to act on: 403 without the role, 404 for another tenant's."""
    return get_incident_for(require(request.identity, Scope.ACT).tenant, pk)


def _refused(words: str) -> Callable[[Problem], str]:
    """How a refusal begins whose opposite the page showed already: see optimistic.js."""
    return lambda problem: f"{words}: {words_of(problem)}"


@require_POST
def acknowledge(request: PageRequest, pk: UUID) -> HttpResponse:
    incident, now = _mine(request, pk), timezone.now()
    with told(request, "", _refused("Not acknowledged")):
        services.acknowledge(
            incident=incident, user=request.user, actor=request.identity.actor, now=now
        )
        words = f"{incident.label} is acknowledged"
        offer(request, words, [incident], TimelineKind.ACKNOWLEDGED, now)
    return back(request, DETAIL, pk)


@require_POST
def assign(request: PageRequest, pk: UUID) -> HttpResponse:
    """To the person whose id is posted as `assignee`; to nobody if it is empty."""
    incident, now = _mine(request, pk), timezone.now()
    with told(request, "", _refused("Not assigned")):
        user = person_of(request.POST.get("assignee", ""))
        services.assign(incident=incident, user=user, actor=request.identity.actor, now=now)
        words = f"{incident.label} has its owner" if user else f"{incident.label} has no owner"
        offer(request, words, [incident], TimelineKind.ASSIGNED, now)
    return back(request, DETAIL, pk)


def person_of(text: str) -> User | None:
    """The user with this id; the service refuses who is no member. None for nobody."""
    if not text:
        return None
    known = text.isascii() and text.isdigit() and len(text) <= 9
    user = User.objects.filter(pk=int(text), is_active=True).first() if known else None
    if user is None:
        raise invalid([FieldError("assignee", "not_a_member", "Not a member of this tenant.")])
    return user


@require_POST
def comment(request: PageRequest, pk: UUID) -> HttpResponse:
    incident = _mine(request, pk)
    with told(request, "Comment saved", _refused("Comment not saved")):
        services.comment(
            incident=incident,
            text=posted(request, "comment"),
            actor=request.identity.actor,
            now=timezone.now(),
        )
    return back(request, DETAIL, pk)


@require_POST
def ignore(request: PageRequest, pk: UUID) -> HttpResponse:
    incident = _mine(request, pk)
    with told(request, f"{incident.label} is ignored"):
        services.ignore(
            incident=incident,
            actor=request.identity.actor,
            now=timezone.now(),
            comment=reason_of(request),
        )
    return back(request, DETAIL, pk)


def reason_of(request: PageRequest) -> str:
    """The comment; leaving an incident to fail is not done without one."""
    text = posted(request, "comment")
    if not text:
        raise invalid([FieldError("comment", "required", "Say why, nothing was changed.")])
    return text


@require_POST
def resolve(request: PageRequest, pk: UUID) -> HttpResponse:
    incident = _mine(request, pk)
    with told(request, f"{incident.label} is resolved"):
        services.resolve(
            incident=incident,
            actor=request.identity.actor,
            now=timezone.now(),
            comment=posted(request, "comment"),
        )
    return back(request, DETAIL, pk)


@require_POST
def snooze(request: PageRequest, pk: UUID) -> HttpResponse:
    """For as long as `for` says, by the clock of the reader's `zone`."""
    incident, now = _mine(request, pk), timezone.now()
    with told(request, ""):
        snoozing.snooze(
            incident=incident,
            until=snoozing.until_of(posted(request, "for", 20), zone_of(request), now),
            user=request.user,
            actor=request.identity.actor,
            now=now,
            comment=posted(request, "comment"),
        )
        words = f"{incident.label} is snoozed"
        offer(request, words, [incident], TimelineKind.SNOOZED, now)
    return back(request, DETAIL, pk)


def zone_of(request: PageRequest) -> ZoneInfo:
    """The zone of the person's settings, else as the browser names it; UTC without a script."""
    try:
        return ZoneInfo(preferences_of(request.user).time_zone or posted(request, "zone", 60))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@require_POST
def wake(request: PageRequest, pk: UUID) -> HttpResponse:
    incident = _mine(request, pk)
    with told(request, f"{incident.label} is awake"):
        snoozing.wake(incident=incident, actor=request.identity.actor, now=timezone.now())
    return back(request, DETAIL, pk)


@require_POST
def reopen(request: PageRequest, pk: UUID) -> HttpResponse:
    incident = _mine(request, pk)
    with told(request, f"{incident.label} is open again"):
        services.reopen(
            incident=incident,
            actor=request.identity.actor,
            now=timezone.now(),
            comment=posted(request, "comment"),
        )
    return back(request, DETAIL, pk)
