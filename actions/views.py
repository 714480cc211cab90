"""Pages of recoveries: the page of an incident, approvals, actions, and deciding on them."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from actions import action_pages, deciding, pages, reversing, services
from actions.incident_page import incident_page
from actions.incident_parts import PARTS
from actions.models import Action
from actions.selectors import get_action_for
from awfdrs_site.kernel.pages import back, posted, told, words_of
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from incidents.detail.story import TAB_COUNTS
from incidents.selectors import get_incident_for
from incidents.triage.mentioned import see
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope

DETAIL, APPROVALS = "incidents:detail", "actions:approvals"


@require_safe
def incident(request: PageRequest, pk: UUID) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    found = get_incident_for(identity.tenant, pk, tab_counts=TAB_COUNTS)
    if "X-Live-Refetch" not in request.headers:  # a page that is only left open sees nothing
        see(identity.tenant, found, request.user, timezone.now())
    context = incident_page(identity, found, request, timezone.now())
    return render(request, "incidents/detail.html", context)


@require_safe
def incident_part(request: PageRequest, pk: UUID, part: str) -> HttpResponse:
    """A page of its own; for the incident's page, which asks for it later, without the shell."""
    identity, now = require(request.identity, Scope.READ), timezone.now()
    found = get_incident_for(identity.tenant, pk)
    title, facts = PARTS[part]
    around = "partials/_bare.html" if "X-Live-Part" in request.headers else "base.html"
    context = {"incident": found, "part": part, "title": title, "around": around}
    return render(request, "incidents/part.html", context | facts(identity, found, now))


@require_safe
def approvals(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    sort = request.GET.get("sort", "")
    context = pages.approvals_page(identity, sort, timezone.now())
    return render(request, "actions/approvals.html", context)


@require_safe
def action_list(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    context = action_pages.list_page(request, identity.tenant, timezone.now())
    return render(request, "actions/list.html", context)


@require_POST
def escalate(request: PageRequest, pk: UUID) -> HttpResponse:
    identity = require(request.identity, Scope.ACT)
    found = get_incident_for(identity.tenant, pk)
    with told(request, f"{found.label} is escalated: people are told"):
        comment = posted(request, "comment")
        services.escalate(incident=found, actor=identity.actor, now=timezone.now(), comment=comment)
    return back(request, DETAIL, pk)


def _mine(request: PageRequest, pk: UUID) -> Action:
    """The action to decide on: 403 without the role, 404 for another tenant's."""
    return get_action_for(require(request.identity, Scope.ACT).tenant, pk)


def _refused(problem: Problem) -> str:
    """Who was first, if somebody was; else what the problem says."""
    if problem.code != "already_decided":
        return words_of(problem)
    word = "rejected" if problem.extra["status_now"] == "rejected" else "approved"
    return f"{problem.extra['decided_by']} decided first: {word}"


@require_POST
def approve(request: PageRequest, pk: UUID) -> HttpResponse:
    action = _mine(request, pk)
    with told(request, f"Approved: {action.incident.label}", _refused):
        deciding.approve(
            action=action,
            user=request.user,
            actor=request.identity.actor,
            now=timezone.now(),
            comment=posted(request, "comment"),
            parameters=_edits(request),
            preview_hash=posted(request, "preview_hash", 64),
        )
    return back(request, APPROVALS)


def _edits(request: PageRequest) -> dict[str, float | str]:
    """What the approver changed; what is not allowed is the service's to refuse."""
    fields = {name: value for name, value in request.POST.items() if name.startswith("set.")}
    edits: dict[str, float | str] = {
        name.removeprefix("set."): str(value) for name, value in fields.items()
    }
    if text := posted(request, "delay_seconds", 20):
        try:
            edits["delay_seconds"] = float(text)
        except ValueError:
            edits["delay_seconds"] = text
    return edits


@require_POST
def take_back(request: PageRequest, pk: UUID) -> HttpResponse:
    action = _mine(request, pk)
    with told(request, f"Taken back: {action.incident.label} waits again"):
        deciding.take_back(action=action, actor=request.identity.actor, now=timezone.now())
    return back(request, APPROVALS)


@require_POST
def reject(request: PageRequest, pk: UUID) -> HttpResponse:
    action = _mine(request, pk)
    with told(request, f"Rejected: nothing runs for {action.incident.label}", _refused):
        reasons = [posted(request, "cause", 100), posted(request, "comment")]
        if not any(reasons):
            raise invalid([FieldError("comment", "required", "A rejection needs a reason.")])
        deciding.reject(
            action=action,
            user=request.user,
            actor=request.identity.actor,
            now=timezone.now(),
            comment=": ".join(filter(None, reasons)),
        )
    return back(request, APPROVALS)


@require_POST
def run(request: PageRequest, pk: UUID) -> HttpResponse:
    action = _mine(request, pk)
    with told(request, "Put back in line; the gate is asked again"):
        services.run(action=action, actor=request.identity.actor, now=timezone.now())
    return back(request, DETAIL, action.incident_id)


@require_POST
def undo(request: PageRequest, pk: UUID) -> HttpResponse:
    action = _mine(request, pk)
    with told(request, f"“{action.get_kind_display()}” is being undone"):
        reversing.reverse(action=action, actor=request.identity.actor, now=timezone.now())
    return back(request, DETAIL, action.incident_id)


@require_POST
def cancel(request: PageRequest, pk: UUID) -> HttpResponse:
    action = _mine(request, pk)
    with told(request, f"Cancelled: the {action.kind} of {action.incident.label} does not run"):
        services.cancel(
            action=action,
            actor=request.identity.actor,
            now=timezone.now(),
            comment=posted(request, "comment"),
        )
    return back(request, DETAIL, action.incident_id)
