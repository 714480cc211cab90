"""What all pages have in common: who may see them, and how they refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone
from rest_framework.views import APIView

from awfdrs_site.kernel import correlation
from awfdrs_site.kernel.problem import Problem
from awfdrs_site.kernel.refusal import answer
from tenants.access import Identity, identity_of_session
from tenants.preferences import activate_zone, preferences_of

# The admin site has a log-in and permissions of its own.
ADMIN_PATH = "/admin/"


class PageRequest(HttpRequest):
    """What a page's view gets: `identity` is set for every view that is not public."""

    identity: Identity
    user: User


class _View(Protocol):
    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse: ...


class _CurrentTenant:
    """Sets `request.identity` before each page's view; a Problem raised by it becomes its answer.

    Fails closed: only views marked `django.contrib.auth.decorators.login_not_required` are public,
    all others need a signed-in member of a tenant. API views are left to their authentication.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.identity = None  # type: ignore[attr-defined]
        # Ends what `process_view` sets, for the thread goes on to other people's requests.
        with timezone.override(None):
            return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: _View, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        if _is_api(view) or request.path.startswith(ADMIN_PATH):
            return None
        identity = identity_of_session(request.user, request.session)
        request.identity = identity  # type: ignore[attr-defined]
        if identity is not None:
            correlation.bind_tenant(identity.tenant.pk)
            _show_as_preferred(request, identity)
        if identity is not None or not getattr(view, "login_required", True):
            return None
        if not request.user.is_authenticated:
            return to_login(request)
        detail = "You are signed in, but not a member of any tenant. Ask an admin to add you."
        problem = Problem(403, "permission_denied", detail)
        return answer(request, problem, "registration/no_tenant.html")

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        return answer(request, exc) if isinstance(exc, Problem) else None


def _show_as_preferred(request: HttpRequest, identity: Identity) -> None:
    """Times in the person's zone from here on, and their preferences for the templates."""
    if identity.user is not None:
        request.preferences = preferences_of(identity.user)  # type: ignore[attr-defined]
        activate_zone(request.preferences.time_zone)  # type: ignore[attr-defined]


def _is_api(view: Any) -> bool:
    return issubclass(getattr(view, "cls", type(None)), APIView)


def to_login(request: HttpRequest) -> HttpResponse:
    """To the log-in and back to the same page; htmx moves the whole page, not the fragment."""
    login_url = resolve_url("login")
    if request.headers.get("HX-Request") != "true":
        back = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
        return redirect_to_login(back, login_url)
    # The page the person sees, not the fragment that was asked for.
    current = urlsplit(request.headers.get("HX-Current-URL", ""))
    back = current._replace(scheme="", netloc="").geturl() or "/"
    location = redirect_to_login(back, login_url).headers["Location"]
    return HttpResponse(status=401, headers={"HX-Redirect": location})


current_tenant_middleware = _CurrentTenant
