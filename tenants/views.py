"""Signing in and out, choosing the tenant, choosing the theme."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from awfdrs_site.kernel.problem import FieldError, Problem, invalid, not_found
from awfdrs_site.kernel.refusal import answer
from tenants.access import Identity
from tenants.middleware import PageRequest
from tenants.models import Theme
from tenants.profile import set_preferences
from tenants.services import choose_tenant

THEME_COOKIE = "theme"
ONE_YEAR_SECONDS = 365 * 24 * 3600


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """The 429 after too many wrong passwords, whichever log-in it was (AXES_LOCKOUT_CALLABLE)."""
    seconds = int(settings.AXES_COOLOFF_TIME * 3600)
    detail = f"Too many wrong passwords. Try again in {seconds // 60} minutes."
    problem = Problem(429, "rate_limited", detail, headers={"Retry-After": str(seconds)})
    return answer(request, problem, "registration/locked.html")


class SignInView(LoginView):
    """`registration/login.html`; who is signed in already goes on to the overview."""

    redirect_authenticated_user = True


@require_POST
def switch(request: PageRequest) -> HttpResponse:
    """Act in another tenant from now on: POST `tenant`, and optionally `next`."""
    try:
        tenant_id = UUID(request.POST.get("tenant", ""))
    except ValueError:
        raise not_found() from None
    choose_tenant(user=request.user, session=request.session, tenant_id=tenant_id)
    # By default not back to the same page: it may show a thing of the tenant just left.
    return HttpResponseRedirect(_local_url(request, resolve_url(settings.LOGIN_REDIRECT_URL)))


@login_not_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember the theme: POST `theme` (dark, light or auto), optionally `next`.

    In a cookie, and for somebody signed in also for their other browsers.
    """
    chosen = request.POST.get("theme", "")
    if chosen not in Theme.values:
        raise invalid([FieldError("theme", "invalid_choice", ", ".join(Theme.values))])
    identity: Identity | None = request.identity  # type: ignore[attr-defined]
    if identity is not None and identity.user is not None:
        set_preferences(identity=identity, user=identity.user, now=timezone.now(), theme=chosen)
    response = HttpResponseRedirect(_local_url(request, "/"))
    response.set_cookie(
        THEME_COOKIE,
        chosen,
        max_age=ONE_YEAR_SECONDS,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=False,
    )
    return response


def _local_url(request: HttpRequest, default: str) -> str:
    """`next` from the form if it stays on this site, else `default`."""
    url = request.POST.get("next", "")
    hosts = {request.get_host()}
    safe = url_has_allowed_host_and_scheme(url, hosts, require_https=request.is_secure())
    return url if safe else default
