"""The safety page: what is stopped, stopping it with one click, resuming it with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from awfdrs_site.kernel.pages import back, posted, told
from awfdrs_site.kernel.problem import FieldError, invalid, not_found
from safety import breakers, pages, services
from safety.models import KillSwitch, SwitchScope
from safety.selectors import get_switch_for, get_vendor_for
from tenants.access import OPERATE, Identity, require
from tenants.middleware import PageRequest
from tenants.models import Scope, Workflow

PAGE = "safety:page"
REASON_CHARS = 300
LONGEST_MINUTES = 7 * 24 * 60


@require_safe
def page(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    return render(request, "safety/page.html", pages.safety_page(identity, timezone.now()))


@require_POST
def stop(request: PageRequest) -> HttpResponse:
    """Stop what `scope` and `target` name (or `scope_target`, with a colon between)."""
    identity = require(request.identity, Scope.ACT)
    lever, now = _lever(request, identity), timezone.now()
    if lever.scope == SwitchScope.GLOBAL:
        require(identity, OPERATE)
    with told(request, f"Stopped: {lever.target()}"):
        services.engage_switch(
            scope=lever.scope,
            tenant=lever.tenant,
            workflow=lever.workflow,
            vendor=lever.vendor,
            action_kind=lever.action_kind,
            reason=posted(request, "reason", REASON_CHARS),
            expires_at=_expiry(request.POST.get("minutes", ""), now),
            actor=identity.actor,
            now=now,
        )
    return back(request, PAGE)


def _lever(request: PageRequest, identity: Identity) -> KillSwitch:
    """What the form names, as an unsaved switch; 404 for what is not the tenant's.

    The tenant is named too: a tab left open from before a switch of tenants stops nothing here.
    """
    both = request.POST.get("scope_target", "").partition(":")
    scope = request.POST.get("scope") or both[0]
    target = (request.POST.get("target") or both[2]).strip()
    lever = KillSwitch(scope=scope, tenant=None if scope == SwitchScope.GLOBAL else identity.tenant)
    if scope == SwitchScope.TENANT and target != str(identity.tenant.pk):
        raise not_found("That tenant is not the one you are in.")
    if scope == SwitchScope.WORKFLOW:
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


def _expiry(minutes: str, now: datetime) -> datetime | None:
    """When the stop ends by itself; None: when somebody resumes."""
    if not minutes:
        return None
    whole = int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) <= 5 else 0
    if not 1 <= whole <= LONGEST_MINUTES:
        detail = f"A number of minutes from 1 to {LONGEST_MINUTES}."
        raise invalid([FieldError("minutes", "out_of_range", detail)])
    return now + timedelta(minutes=whole)


@require_POST
def resume(request: PageRequest, pk: UUID) -> HttpResponse:
    identity = require(request.identity, Scope.ACT)
    switch = get_switch_for(identity.tenant, pk)
    if switch.scope == SwitchScope.GLOBAL:
        require(identity, OPERATE)
    with told(request, f"Resumed: {switch.target()}"):
        services.release_switch(
            switch=switch,
            reason=posted(request, "reason", REASON_CHARS),
            actor=identity.actor,
            now=timezone.now(),
        )
    return back(request, PAGE)


@require_POST
def breaker(request: PageRequest) -> HttpResponse:
    """Trip or reset the breaker of `vendor`: `state` and a `reason`."""
    identity = require(request.identity, Scope.ACT)
    vendor = get_vendor_for(identity.tenant, request.POST.get("vendor", ""))
    to = request.POST.get("state", "")
    with told(request, f"The breaker of {vendor.name} is now {to.replace('_', ' ')}."):
        breakers.set_by_hand(
            vendor=vendor,
            to=to,
            reason=posted(request, "reason", REASON_CHARS),
            actor=identity.actor,
            now=timezone.now(),
        )
    return back(request, PAGE)
