"""Pages of merging: who stays, and splitting back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from awfdrs_site.kernel.pages import SeeOther, back, posted, told, words_of
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from incidents.models import Incident, TimelineKind
from incidents.regrouping import merging
from incidents.selectors import get_incident_for, incidents_for
from incidents.states import CLOSED
from incidents.triage.undo_views import offer
from tenants.access import Identity, require
from tenants.middleware import PageRequest
from tenants.models import Scope

DETAIL = "incidents:detail"
# How many others of the workflow the page offers beside what was selected.
_OFFERED = 20


def ids_of(texts: Iterable[str]) -> list[UUID]:
    """The ids that are ones, at most one over the limit; the service refuses too many."""
    found = []
    for text in list(texts)[: merging.MOST + 1]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def to_choice(request: HttpRequest, ids: Iterable[UUID]) -> HttpResponse:
    """To the page that asks which of these stays; htmx moves the whole page."""
    url = resolve_url("incidents:merge") + "?" + urlencode({"id": list(ids)}, doseq=True)
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(headers={"HX-Redirect": url})
    return SeeOther(url)


def merge(request: PageRequest) -> HttpResponse:
    """GET `id`s: which of them stays, and what else could join. POST: merge."""
    return _merge(request) if request.method == "POST" else _choose(request)


@require_safe
def _choose(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.ACT)
    context = choice(identity, ids_of(request.GET.getlist("id")))
    return render(request, "incidents/merge.html", context)


def choice(identity: Identity, ids: list[UUID]) -> dict[str, Any]:
    """What `incidents/merge.html` asks for: `chosen` ones, and open ones of their workflow."""
    if not 1 <= len(set(ids)) <= merging.MOST:
        raise invalid([FieldError("id", "invalid_length", "Select what is to be merged.")])
    chosen = sorted((get_incident_for(identity.tenant, pk) for pk in set(ids)), key=_first_seen)
    others = incidents_for(identity.tenant).filter(workflow=chosen[0].workflow_id)
    others = others.exclude(status__in=CLOSED).exclude(pk__in=ids).order_by("-last_seen_at", "-id")
    return {
        "chosen": chosen,
        "others": list(others[:_OFFERED]),
        "workflows": sorted({one.workflow.name for one in chosen}),
    }


def _first_seen(incident: Incident) -> tuple[datetime, int]:
    return incident.first_seen_at, incident.number


def _merge(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.ACT)
    ids, now = ids_of(request.POST.getlist("id")), timezone.now()
    into = next(iter(ids_of([posted(request, "into", 40)])), None)
    try:
        if into is None:
            raise invalid([FieldError("into", "required", "Say which of them stays.")])
        survivor = merging.merge(
            tenant=identity.tenant,
            ids=ids,
            into=into,
            actor=identity.actor,
            now=now,
            comment=posted(request, "comment"),
        )
    except Problem as problem:
        if problem.code == "not_found" or problem.page:
            raise
        messages.error(request, words_of(problem))
        return to_choice(request, ids)
    merged = len({*ids, into}) - 1
    offer(request, f"{merged} merged into {survivor.label}", [survivor], TimelineKind.MERGED, now)
    return SeeOther(resolve_url(DETAIL, into))


@require_POST
def unmerge(request: PageRequest, pk: UUID) -> HttpResponse:
    """Split the posted `id`s off the incident again."""
    identity = require(request.identity, Scope.ACT)
    incident = get_incident_for(identity.tenant, pk)
    with told(request, f"Split off from {incident.label} again"):
        merging.split_back(
            tenant=identity.tenant,
            survivor_id=incident.pk,
            ids=ids_of(request.POST.getlist("id")),
            actor=identity.actor,
            now=timezone.now(),
        )
    return back(request, DETAIL, pk)
