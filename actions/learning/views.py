"""The page Learning, and the form by which an admin sets a rung."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from actions.learning.pages import learning_page
from ai.ladder import set_trust
from awfdrs_site.kernel.pages import back, posted, told
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope


@require_safe
def page(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    may_set = Scope.ADMIN in identity.scopes
    context = learning_page(identity.tenant, text, timezone.now(), may_set=may_set)
    return render(request, "learning/page.html", context)


@require_POST
def trust(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.ADMIN)
    signature, _, action = posted(request, "of").partition(" ")
    with told(request, "The rung is set; what is earned or lost counts from now on"):
        set_trust(
            tenant=identity.tenant,
            signature=signature,
            action=action,
            rung=posted(request, "rung"),
            reason=posted(request, "reason"),
            actor=identity.actor,
            now=timezone.now(),
        )
    return back(request, "learning:page")
