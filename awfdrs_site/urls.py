"""Every URL. Each app brings its own: `urls_api` below /api/v1/, `urls` for its pages."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path, re_path

from awfdrs_site import api_docs, errors, health, search_views
from awfdrs_site.overview import overview
from tenants.views import SignInView


def log_ins_shown() -> dict[str, Any]:
    """What the log-in page tells everybody: the demo's people in a demo, else nothing."""
    if not settings.DEMO:
        return {}
    from awfdrs_site import demo  # the demo's world is not loaded where it is not shown

    people = [{"name": p.name, "role": next(iter(p.roles.values())).value} for p in demo.PEOPLE]
    return {"demo_users": people, "demo_password": demo.PASSWORD}


api: list[URLPattern | URLResolver] = [
    path("health", health.HealthView.as_view(), name="health"),
    path("health/ready", health.ReadyView.as_view(), name="health-ready"),
    path("", include("tenants.urls_api")),
    path("", include("ingestion.urls_api")),
    path("", include("incidents.urls_api")),
    path("", include("safety.urls_api")),
    path("", include("ai.urls_api")),
    path("", include("actions.urls_api")),
]

pages: list[URLPattern | URLResolver] = [
    path("", overview, name="overview"),
    path("search", search_views.search, name="search"),
    path("", include("awfdrs_site.incident_urls")),
    path("", include("actions.urls")),
    path("", include("actions.recoveries.recovery_urls")),
    path("", include("actions.learning.urls")),
    path("", include("actions.controls.safety_urls")),
    path("", include("actions.whatif.rule_urls")),
    path("", include("awfdrs_site.settings_urls")),
    path("", include("awfdrs_site.workflow_urls")),
    path("", include("awfdrs_site.audit_urls")),
    path("", include("awfdrs_site.report_urls")),
    path("login", SignInView.as_view(extra_context=log_ins_shown()), name="login"),
    # Public, so that a person without a tenant can leave too.
    path("logout", login_not_required(LogoutView.as_view()), name="logout"),
    path("", include("tenants.urls")),
    path("", include("tenants.urls_ui")),
    path("admin/", admin.site.urls),
]

urlpatterns = [
    path("api/v1/", include(api)),
    path("api/schema/", api_docs.Schema.as_view(), name="schema"),
    path("api/docs/", api_docs.Swagger.as_view(), name="swagger"),
    path("api/redoc/", api_docs.Redoc.as_view(), name="redoc"),
    # After all others below /api/.
    re_path(r"^api/(?P<rest>.*)$", errors.unknown_api_path),
    path("", include(pages)),
]

handler400 = "awfdrs_site.errors.bad_request"
handler403 = "awfdrs_site.errors.permission_denied"
handler404 = "awfdrs_site.errors.page_not_found"
handler500 = "awfdrs_site.errors.server_error"
