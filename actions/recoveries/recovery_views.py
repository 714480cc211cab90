"""Pages of recoveries: the list, one of them, and taking it back."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from actions.plans.selectors import get_recovery_for
from actions.plans.services import ask_undo
from actions.recoveries import recovery_pages
from awfdrs_site.kernel.pages import back, posted, told
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope


@require_safe
def recovery_list(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    context = recovery_pages.list_page(request, identity.tenant, timezone.now())
    return render(request, "recoveries/list.html", context)


@require_safe
def recovery(request: PageRequest, pk: UUID) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    found = get_recovery_for(identity.tenant, pk)
    return render(request, "recoveries/detail.html", recovery_pages.recovery_page(identity, found))


@require_POST
def undo(request: PageRequest, pk: UUID) -> HttpResponse:
    identity = require(request.identity, Scope.ACT)
    found = get_recovery_for(identity.tenant, pk)
    with told(request, f"{found.title} is taken back, the last step first"):
        comment = posted(request, "comment")
        ask_undo(recovery=found, actor=identity.actor, now=timezone.now(), comment=comment)
    return back(request, "recoveries:detail", pk)
