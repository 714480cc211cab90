"""The URL names the templates use, so that they render without any view."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, include, path


def nothing(request: HttpRequest, **parts: object) -> HttpResponse:
    """Stands for a view; only its name matters."""
    return HttpResponse()


def _acts(*verbs: str) -> list[URLPattern]:
    return [path(f"<uuid:pk>/{verb}", nothing, name=verb) for verb in verbs]


INCIDENTS = [
    path("bulk", nothing, name="bulk"),
    path("views", nothing, name="save_view"),
    *(
        path(f"views/<uuid:pk>/{do}", nothing, name=f"{do}_view")
        for do in ("change", "delete", "restore")
    ),
    path("merge", nothing, name="merge"),
    *_acts("unmerge", "split"),
    *(path(f"pins/<uuid:pk>/{do}", nothing, name=f"{do}_pin") for do in ("remove", "undo")),
    path("undo", nothing, name="undo"),
    path("mentions", nothing, name="mentions"),
    path("", nothing, name="list"),
    path("<uuid:pk>", nothing, name="detail"),
    *_acts("acknowledge", "assign", "comment", "ignore", "resolve", "escalate", "reopen"),
    *_acts("snooze", "wake", "events", "unacknowledge"),
    *_acts("failures", "precedents", "around"),
]
ACTIONS = [
    path("", nothing, name="list"),
    path("approvals", nothing, name="approvals"),
    *_acts("approve", "reject", "run", "cancel", "undo", "take_back"),
]
RECOVERIES = [
    path("", nothing, name="list"),
    path("<uuid:pk>/", nothing, name="detail"),
    *_acts("undo"),
]
WORKFLOWS = [
    path("", nothing, name="list"),
    path("<uuid:pk>/", nothing, name="detail"),
    *_acts("failback"),
]
REPORTS = [path("", nothing, name="page")]
AUDIT = [path("", nothing, name="page"), path("export", nothing, name="export")]
RULES = [path("", nothing, name="page"), path("replays", nothing, name="replay")]
SETTINGS = [
    path("", nothing, name="profile"),
    path("name", nothing, name="name"),
    path("pages", nothing, name="pages"),
    path("password", nothing, name="password"),
    path("density", nothing, name="density"),
    path("keys", nothing, name="keys"),
    path("keys/<slug:prefix>/revoke", nothing, name="revoke"),
    path("members", nothing, name="members"),
    path("members/<str:username>/role", nothing, name="role"),
    path("members/<str:username>/remove", nothing, name="remove"),
    path("notification", nothing, name="notification"),
    path("channels/<uuid:pk>/test", nothing, name="test"),
]
SAFETY = [
    path("", nothing, name="page"),
    path("stops", nothing, name="stops"),
    path("stop", nothing, name="stop"),
    path("breaker", nothing, name="breaker"),
    path("unthrottle", nothing, name="unthrottle"),
    path("<uuid:pk>/", nothing, name="switch"),
    *_acts("extend", "resume", "skipped"),
]

ADMIN = [
    path("", nothing, name="index"),
    path("vendors", nothing, name="safety_vendor_changelist"),
    path("channels", nothing, name="actions_channel_changelist"),
    path("policies", nothing, name="actions_escalationpolicy_changelist"),
    path("workflows/add", nothing, name="tenants_workflow_add"),
    path("workflows/<uuid:pk>", nothing, name="tenants_workflow_change"),
]

urlpatterns = [
    path("", nothing, name="overview"),
    path("search", nothing, name="search"),
    path("login", nothing, name="login"),
    path("logout", nothing, name="logout"),
    path("incidents/", include((INCIDENTS, "incidents"))),
    path("actions/", include((ACTIONS, "actions"))),
    path("recoveries/", include((RECOVERIES, "recoveries"))),
    path(
        "learning/",
        include(
            ([path("", nothing, name="page"), path("trust", nothing, name="trust")], "learning")
        ),
    ),
    path("safety/", include((SAFETY, "safety"))),
    path("workflows/", include((WORKFLOWS, "workflows"))),
    path("audit/", include((AUDIT, "audit"))),
    path("reports/", include((REPORTS, "reports"))),
    path("rules/", include((RULES, "rules"))),
    path("settings/", include((SETTINGS, "settings"))),
    path("tenants/", include(([path("switch", nothing, name="switch")], "tenants"))),
    path("ui/", include(([path("theme", nothing, name="theme")], "ui"))),
    path("admin/", include((ADMIN, "admin"))),
    path("api/docs/", nothing, name="swagger"),
]
