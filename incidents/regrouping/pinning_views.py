"""Pages of splitting for good: what an incident's failures differ in, and which of them go."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from awfdrs_site.kernel.pages import SeeOther, back, posted, told, words_of
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from incidents.models import Incident, TimelineKind
from incidents.regrouping import pinning, variants
from incidents.selectors import get_incident_for, get_pin_for
from incidents.triage.undo_views import offer
from tenants.access import Identity, require
from tenants.middleware import PageRequest
from tenants.models import Scope

DETAIL = "incidents:detail"
# A trait's name and its longest value: a message's shape.
_CHARS = 4_000


def split(request: PageRequest, pk: UUID) -> HttpResponse:
    """GET: what its failures differ in. POST `part`, a trait and its value: split that off."""
    identity = require(request.identity, Scope.ACT)
    incident = get_incident_for(identity.tenant, pk)
    if request.method == "POST":
        return _split(request, identity, incident)
    return _choose(request, incident)


@require_safe
def _choose(request: HttpRequest, incident: Incident) -> HttpResponse:
    context = {
        "incident": incident,
        "found": variants.variants_of(incident),
        "refused": _refused(incident),
    }
    return render(request, "incidents/split.html", context)


def _refused(incident: Incident) -> str:
    try:
        pinning.refuse(incident)
    except Problem as problem:
        return problem.detail.removesuffix(" Nothing was changed.")
    return ""


def _split(request: PageRequest, identity: Identity, incident: Incident) -> HttpResponse:
    now = timezone.now()
    try:
        trait, _, value = posted(request, "part", _CHARS).partition(":")
        if not trait:
            raise invalid([FieldError("part", "required", "Say which failures go.")])
        done = pinning.split(
            tenant=identity.tenant,
            incident_id=incident.pk,
            trait=trait,
            value=value,
            actor=identity.actor,
            now=now,
            reason=posted(request, "reason"),
        )
    except Problem as problem:
        if problem.code == "not_found" or problem.page:
            raise
        messages.error(request, words_of(problem))
        return SeeOther(resolve_url("incidents:split", incident.pk))
    offer(request, _words(done), [incident], TimelineKind.PINNED, now)
    return SeeOther(resolve_url(DETAIL, incident.pk))


def _words(done: pinning.Split) -> str:
    failures = "1 failure" if done.moved == 1 else f"{done.moved:,} failures"
    words = f"{failures} moved to {done.part.label}"
    most = variants.MOST
    if variants.own_members(done.source).count() + done.moved > most:
        words += f". The newest {most:,} were looked at: split again for older ones"
    return words


@require_POST
def remove_pin(request: PageRequest, pk: UUID) -> HttpResponse:
    """Failures to come are grouped as before; what was split off stays so."""
    said = _about(request, pk)
    with told(request, "The pin is removed: new failures are grouped as before"):
        pinning.remove(**said)
    return back(request, "incidents:list")


@require_POST
def undo_pin(request: PageRequest, pk: UUID) -> HttpResponse:
    """The pin goes, and what it split off is where it was."""
    said = _about(request, pk)
    with told(request, "The split is taken back"):
        pinning.take_back(**said)
    return back(request, "incidents:list")


def _about(request: PageRequest, pk: UUID) -> dict[str, Any]:
    identity = require(request.identity, Scope.ACT)
    pin = get_pin_for(identity.tenant, pk)
    return {
        "tenant": identity.tenant,
        "pin_id": pin.pk,
        "actor": identity.actor,
        "now": timezone.now(),
    }
