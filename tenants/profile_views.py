"""Settings, profile: the person's own name, pages and password."""

from __future__ import annotations

from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from awfdrs_site.kernel.pages import back, posted, told
from awfdrs_site.kernel.problem import FieldError, invalid
from tenants.access import memberships_of, require
from tenants.middleware import PageRequest
from tenants.models import Density, Role, Scope, Theme
from tenants.preferences import zones
from tenants.profile import NAME_CHARS, change_password, rename, set_preferences

PAGE = "settings:profile"
# The value of each role, in words.
MAY = {
    Role.VIEWER: "reads everything",
    Role.RESPONDER: "acts, approves and stops",
    Role.ADMIN: "also configures",
}


@require_safe
def profile(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    context = {
        "zones": zones(),
        "themes": [("", "As this browser"), *Theme.choices],
        "densities": Density.choices,
        "name_chars": NAME_CHARS,
        "memberships": [(m, MAY[Role(m.role)]) for m in memberships_of(request.user)],
        "tenant": identity.tenant,
    }
    return render(request, "settings/profile.html", context)


@require_POST
def name(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    with told(request, "Your name is saved"):
        rename(
            identity=identity,
            user=request.user,
            first=posted(request, "first_name", NAME_CHARS),
            last=posted(request, "last_name", NAME_CHARS),
            now=timezone.now(),
        )
    return back(request, PAGE)


@require_POST
def pages(request: PageRequest) -> HttpResponse:
    """How pages look for this person from now on, in every browser."""
    identity = require(request.identity, Scope.READ)
    with told(request, "Saved, for every browser you sign in with"):
        set_preferences(
            identity=identity,
            user=request.user,
            now=timezone.now(),
            time_zone=request.POST.get("time_zone", ""),
            theme=request.POST.get("theme", ""),
            density=request.POST.get("density", ""),
            single_keys=request.POST.get("single_keys") == "on",
        )
    return back(request, PAGE)


@require_POST
def density(request: PageRequest) -> HttpResponse:
    """How high rows are for this person from now on, in every browser."""
    identity = require(request.identity, Scope.READ)
    with told(request, ""):
        wanted = request.POST.get("density", "")
        set_preferences(identity=identity, user=request.user, now=timezone.now(), density=wanted)
    return back(request, PAGE)


@sensitive_post_parameters()
@require_POST
def password(request: PageRequest) -> HttpResponse:
    """Change it; this browser stays signed in. Wrong old ones count like those of a log-in."""
    identity, given = require(request.identity, Scope.READ), request.POST
    with told(request, "Your password is changed; every other session and token has ended"):
        username, old = request.user.get_username(), given.get("old", "")
        user = authenticate(request, username=username, password=old)
        if not isinstance(user, User):
            raise invalid([FieldError("old", "invalid", "That is not your password.")])
        change_password(
            identity=identity,
            user=user,
            password=given.get("new", ""),
            repeated=given.get("repeated", ""),
            now=timezone.now(),
        )
        update_session_auth_hash(request, user)
    return back(request, PAGE)
