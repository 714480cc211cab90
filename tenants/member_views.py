"""Settings, members: who is here in which role; admins add, change and remove."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from awfdrs_site.kernel.pages import SeeOther, back, posted, told
from awfdrs_site.kernel.problem import FieldError, invalid
from tenants import members as services
from tenants.access import Identity, require
from tenants.middleware import PageRequest
from tenants.models import Role, Scope
from tenants.selectors import admins_of, get_member_for, members_for
from tenants.services import set_member

PAGE = "settings:members"
MOST = 200


@require_http_methods(["GET", "HEAD", "POST"])
def members(request: PageRequest) -> HttpResponse:
    """The tenant's people; POST adds one of those who may be added."""
    if request.method != "POST":
        return _page(request, require(request.identity, Scope.READ))
    identity, name = require(request.identity, Scope.ADMIN), request.POST.get("user", "")
    with told(request, f"{name} is a member"):
        people = services.people_to_add(identity)
        user = people.filter(username=posted(request, "user", 150)).first()
        if user is None:
            raise invalid([FieldError("user", "invalid_choice", "Nobody of that name to add.")])
        set_member(
            tenant=identity.tenant,
            user=user,
            role=request.POST.get("role", ""),
            actor=identity.actor,
            now=timezone.now(),
        )
    return back(request, PAGE)


@require_POST
def role(request: PageRequest, username: str) -> SeeOther:
    identity = require(request.identity, Scope.ADMIN)
    membership = get_member_for(identity.tenant, username)
    with told(request, f"{username} has the role from the next request on"):
        services.change_role(
            membership=membership,
            role=request.POST.get("role", ""),
            actor=identity.actor,
            now=timezone.now(),
            comment=posted(request, "comment"),
        )
    return back(request, PAGE)


@require_POST
def remove(request: PageRequest, username: str) -> SeeOther:
    identity = require(request.identity, Scope.ADMIN)
    membership = get_member_for(identity.tenant, username)
    with told(request, f"{username} is no member any more"):
        services.remove_member(
            membership=membership,
            actor=identity.actor,
            now=timezone.now(),
            comment=posted(request, "comment"),
        )
    return back(request, PAGE)


def _page(request: PageRequest, identity: Identity) -> HttpResponse:
    may = Scope.ADMIN in identity.scopes
    context = {
        "members": members_for(identity.tenant)[:MOST],
        "roles": Role.choices,
        "people": services.people_to_add(identity)[:MOST] if may else [],
        "admins": [] if may else admins_of(identity.tenant),
    }
    return render(request, "settings/members.html", context)
