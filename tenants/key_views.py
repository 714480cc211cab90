"""Settings, API keys: which there are, issuing one, revoking one [P13]."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from awfdrs_site.kernel.pages import SeeOther, back, page_of, posted, told, words_of
from awfdrs_site.kernel.problem import FieldError, Problem, invalid
from tenants import services
from tenants.access import Identity, require
from tenants.middleware import PageRequest
from tenants.models import Scope
from tenants.selectors import admins_of, get_key_for, keys_for

PAGE = "settings:keys"
LONGEST_DAYS = 3_650
LIFETIMES = (("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "Until revoked"))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: PageRequest) -> HttpResponse:
    """The tenant's keys; POST issues one and answers with its text, which no page shows again."""
    if request.method != "POST":
        return _page(request, require(request.identity, Scope.READ))
    identity, now = require(request.identity, Scope.ADMIN), timezone.now()
    try:
        key, text = services.issue_key(
            tenant=identity.tenant,
            name=posted(request, "name", 100),
            scopes=request.POST.getlist("scopes"),
            expires_at=_expiry(request.POST.get("days", ""), now),
            actor=identity.actor,
            now=now,
        )
    except Problem as problem:
        messages.error(request, words_of(problem))
        return back(request, PAGE)
    return _page(request, identity, {"name": key.name, "text": text})


@require_POST
def revoke(request: PageRequest, prefix: str) -> SeeOther:
    identity = require(request.identity, Scope.ADMIN)
    key = get_key_for(identity.tenant, prefix)
    with told(request, f"{key.name} is revoked; its next call is refused"):
        comment = posted(request, "comment")
        services.revoke_key(api_key=key, actor=identity.actor, now=timezone.now(), comment=comment)
    return back(request, PAGE)


def _page(
    request: PageRequest, identity: Identity, issued: dict[str, str] | None = None
) -> HttpResponse:
    page, now = page_of(keys_for(identity.tenant), request, ("-created_at", "-id")), timezone.now()
    context = {
        "rows": [{"key": key, "usable": key.is_usable(now)} for key in page.rows],
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "issued": issued,
        "scopes": Scope.choices,
        "lifetimes": LIFETIMES,
        "admins": [] if Scope.ADMIN in identity.scopes else admins_of(identity.tenant),
    }
    return render(request, "settings/keys.html", context)


def _expiry(days: str, now: datetime) -> datetime | None:
    """That many days from now, None where the key is to last; Problem 400 for anything else."""
    if not days:
        return None
    if not (days.isascii() and days.isdigit() and 1 <= int(days[:6]) <= LONGEST_DAYS):
        raise invalid([FieldError("days", "invalid", f"1 to {LONGEST_DAYS:,} days.")])
    return now + timedelta(days=int(days))
