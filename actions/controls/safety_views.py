"""The safety page: what is stopped, stopping and resuming it, deciding on what was skipped [S6].

What does harm is asked first. A GET of the address that does it is a page with the question and the
facts of the moment; a script shows that page's question as a dialog.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from actions.controls import stopping
from actions.controls.safety_pages import engaged_like, safety_page, stop_targets, target_of
from actions.controls.stop_pages import breaker_question, said, stops_page, switch_page
from awfdrs_site.kernel.pages import back, page_of, posted, told, words_of
from awfdrs_site.kernel.problem import FieldError, Problem, invalid, not_found
from safety import breakers, services, throttling
from safety.models import KillSwitch, SwitchScope
from safety.selectors import get_switch_for, get_vendor_for, switches_for
from tenants.access import OPERATE, Identity, require
from tenants.middleware import PageRequest
from tenants.models import Scope, Workflow

PAGE = "safety:page"
SWITCH = "safety:switch"
REASON_CHARS = 300
LONGEST_MINUTES = 7 * 24 * 60

asked_first = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def page(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    return render(request, "safety/page.html", safety_page(identity, timezone.now()))


@require_safe
def stops(request: PageRequest) -> HttpResponse:
    """Every stop there was, newest first."""
    identity = require(request.identity, Scope.READ)
    found = page_of(switches_for(identity.tenant), request, ("-engaged_at", "-id"))
    return render(request, "safety/stops.html", stops_page(identity.tenant, found, timezone.now()))


@require_safe
def switch(request: PageRequest, pk: UUID) -> HttpResponse:
    """One stop, and what it skipped."""
    identity = require(request.identity, Scope.READ)
    found = get_switch_for(identity.tenant, pk)
    return render(request, "safety/switch.html", switch_page(identity, found, timezone.now()))


@asked_first
def stop(request: PageRequest) -> HttpResponse:
    """Stop what `scope` and `target` name (or `scope_target`, with a colon between)."""
    identity, now = require(request.identity, Scope.ACT), timezone.now()
    if request.method == "POST":
        return _stop(request, identity, _lever(request.POST, identity), now)
    if not request.GET:
        return render(request, "safety/ask_what.html", stop_targets(identity, now))
    lever = _lever(request.GET, identity)
    services.check_engagement(lever, now)
    engaged = engaged_like(identity.tenant, lever, now)
    if engaged is not None:
        return redirect(SWITCH, engaged.pk)
    facts = stopping.consequences(identity.tenant, lever, now)
    return render(
        request,
        "safety/ask_stop.html",
        {"lever": lever, "facts": facts, "target": target_of(lever)[1]},
    )


def _stop(
    request: PageRequest, identity: Identity, lever: KillSwitch, now: datetime
) -> HttpResponse:
    with told(request, f"Stopped: {lever.target()}"):
        services.engage_switch(
            scope=lever.scope,
            tenant=lever.tenant,
            workflow=lever.workflow,
            vendor=lever.vendor,
            action_kind=lever.action_kind,
            reason=posted(request, "reason", REASON_CHARS),
            expires_at=_later(request, now, now),
            actor=identity.actor,
            now=now,
        )
    return back(request, PAGE)


def _lever(fields: QueryDict, identity: Identity) -> KillSwitch:
    """What the form names, as an unsaved switch; 404 for what is not the tenant's.

    The tenant is named too: a tab left open from before a switch of tenants stops nothing here.
    """
    both = fields.get("scope_target", "").partition(":")
    scope = fields.get("scope") or both[0]
    target = (fields.get("target") or both[2]).strip()
    lever = KillSwitch(scope=scope, tenant=None if scope == SwitchScope.GLOBAL else identity.tenant)
    if scope == SwitchScope.GLOBAL:
        require(identity, OPERATE)
    elif scope == SwitchScope.TENANT and target != str(identity.tenant.pk):
        raise not_found("That tenant is not the one you are in.")
    elif scope == SwitchScope.WORKFLOW:
        lever.workflow = _workflow(identity, target)
    elif scope == SwitchScope.VENDOR:
        lever.vendor = target.replace("\x00", "")
    elif scope == SwitchScope.ACTION:
        lever.action_kind = target
    return lever


def _workflow(identity: Identity, pk: str) -> Workflow:
    try:
        found = Workflow.objects.filter(tenant=identity.tenant, pk=UUID(pk)).first()
    except ValueError:
        found = None
    if found is None:
        raise not_found("No such workflow.")
    return found


def _later(request: PageRequest, since: datetime, now: datetime) -> datetime | None:
    """When the stop ends by itself: `minutes` after `since`; None: when somebody resumes."""
    minutes = request.POST.get("minutes", "")
    if not minutes:
        return None
    whole = int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) <= 5 else 0
    ends = since + timedelta(minutes=whole)
    if not now < ends <= now + timedelta(minutes=LONGEST_MINUTES):
        detail = f"A stop ends after 1 to {LONGEST_MINUTES} minutes, or when someone resumes."
        raise invalid([FieldError("minutes", "out_of_range", detail)])
    return ends


def _switch_to_use(request: PageRequest, pk: UUID) -> tuple[Identity, KillSwitch]:
    identity = require(request.identity, Scope.ACT)
    found = get_switch_for(identity.tenant, pk)
    if found.scope == SwitchScope.GLOBAL:
        require(identity, OPERATE)
    return identity, found


@asked_first
def extend(request: PageRequest, pk: UUID) -> HttpResponse:
    """Let a stop end `minutes` later than it would, or not by itself."""
    identity, found = _switch_to_use(request, pk)
    now = timezone.now()
    if not found.is_engaged(now):
        return redirect(SWITCH, pk)
    if request.method != "POST":
        return render(request, "safety/ask_extend.html", {"stop": found})
    with told(request, f"Extended: {found.target()}"):
        ends = _later(request, found.expires_at or now, now)
        services.extend_switch(switch=found, expires_at=ends, actor=identity.actor, now=now)
    return back(request, PAGE)


@asked_first
def resume(request: PageRequest, pk: UUID) -> HttpResponse:
    """End a stop, with a reason. What it skipped is shown next, and waits for a person."""
    identity, found = _switch_to_use(request, pk)
    now = timezone.now()
    held = stopping.held_by(identity.tenant, found).count()
    if request.method != "POST":
        if not found.is_engaged(now):
            return redirect(SWITCH, pk)
        return render(request, "safety/ask_resume.html", {"stop": found, "held": held})
    with told(request, f"Resumed: {found.target()}"):
        services.release_switch(
            switch=found,
            reason=posted(request, "reason", REASON_CHARS),
            actor=identity.actor,
            now=now,
        )
    found.refresh_from_db(fields=["released_at"])
    return back(request, SWITCH, pk) if held and found.released_at else back(request, PAGE)


@require_POST
def skipped(request: PageRequest, pk: UUID) -> HttpResponse:
    """Run or drop (`do`) those of the skipped recoveries that were ticked (`action`)."""
    identity = require(request.identity, Scope.ACT)
    found = get_switch_for(identity.tenant, pk)
    try:
        verdicts = _decide(request.POST, identity, found)
    except Problem as problem:
        if problem.status not in (400, 409):
            raise
        messages.error(request, words_of(problem))
    else:
        done = any(verdict.outcome == "done" for verdict in verdicts)
        level = messages.SUCCESS if done else messages.ERROR
        messages.add_message(request, level, said(verdicts, _DONE[request.POST["do"]]))
    return back(request, SWITCH, pk)


_DONE = {"run": "will run, each through the gate", "drop": "dropped"}


def _decide(fields: QueryDict, identity: Identity, found: KillSwitch) -> list[stopping.Verdict]:
    ticked = fields.getlist("action")
    try:
        ids = [UUID(pk) for pk in ticked]
    except ValueError:
        ids = []
    if not ids or fields.get("do") not in _DONE:
        raise invalid([FieldError("action", "required", "Choose what to run or drop.")])
    act = stopping.replay if fields["do"] == "run" else stopping.drop
    return act(
        tenant=identity.tenant,
        switch=found,
        action_ids=ids,
        actor=identity.actor,
        now=timezone.now(),
    )


@asked_first
def breaker(request: PageRequest) -> HttpResponse:
    """Set the breaker of `vendor` to `state`, with a `reason`; to probe at once needs none."""
    identity = require(request.identity, Scope.ACT)
    fields = request.POST if request.method == "POST" else request.GET
    vendor = get_vendor_for(identity.tenant, fields.get("vendor", ""))
    to, now = fields.get("state", ""), timezone.now()
    if request.method != "POST":
        return render(request, "safety/ask_breaker.html", breaker_question(vendor, to))
    with told(request, f"The breaker of {vendor.name} is now {to.replace('_', ' ')}."):
        breakers.set_by_hand(
            vendor=vendor,
            to=to,
            reason=posted(request, "reason", REASON_CHARS),
            actor=identity.actor,
            now=now,
        )
    return back(request, PAGE)


@require_POST
def unthrottle(request: PageRequest) -> HttpResponse:
    """Let the calls to `vendor` go at its own limit again."""
    identity = require(request.identity, Scope.ACT)
    vendor = get_vendor_for(identity.tenant, request.POST.get("vendor", ""))
    with told(request, f"Calls to {vendor.name} are throttled no more."):
        throttling.unthrottle(vendor=vendor, actor=identity.actor, now=timezone.now())
    return back(request, PAGE)
