"""Every page with its invented context, ready to be rendered, tested and looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.template import Context, engines
from django.test import RequestFactory, override_settings
from django.urls import resolve

from tests.ui import cast, contexts, report_contexts

Page = tuple[str, str, Callable[[], dict[str, Any]]]

PAGES: dict[str, Page] = {
    "overview": ("overview/page.html", "/", contexts.overview),
    "overview-first-run": ("overview/page.html", "/", contexts.overview_empty),
    "incidents": ("incidents/list.html", "/incidents/", contexts.incident_list),
    "incidents-hostile": (
        "incidents/list.html",
        "/incidents/",
        lambda: contexts.incident_list(hostile=True),
    ),
    "incidents-none-yet": (
        "incidents/list.html",
        "/incidents/",
        lambda: contexts.incident_list("none_yet"),
    ),
    "incidents-no-match": (
        "incidents/list.html",
        "/incidents/",
        lambda: contexts.incident_list("no_match"),
    ),
    "incidents-all-clear": (
        "incidents/list.html",
        "/incidents/",
        lambda: contexts.incident_list("all_clear"),
    ),
    "incident": ("incidents/detail.html", f"/incidents/{cast.uid(100)}", contexts.incident_detail),
    "incident-open": (
        "incidents/detail.html",
        f"/incidents/{cast.uid(100)}",
        lambda: contexts.incident_detail(fresh=True),
    ),
    "incident-hostile": (
        "incidents/detail.html",
        f"/incidents/{cast.uid(100)}",
        lambda: contexts.incident_detail(hostile=True),
    ),
    "incident-viewer": (
        "incidents/detail.html",
        f"/incidents/{cast.uid(100)}",
        lambda: contexts.incident_detail(viewer=True),
    ),
    "incident-first": (
        "incidents/detail.html",
        f"/incidents/{cast.uid(100)}",
        contexts.incident_first,
    ),
    **{
        f"incident-{part}{suffix}": (
            "incidents/part.html",
            f"/incidents/{cast.uid(100)}/{part}",
            partial(contexts.incident_part, part, hostile=bool(suffix)),
        )
        for part in contexts.LATER
        for suffix in ("", "-hostile")
    },
    **{
        name: (
            "incidents/events.html",
            f"/incidents/{cast.uid(100)}/events",
            partial(contexts.incident_events, hostile=name.endswith("hostile")),
        )
        for name in ("incident-events", "incident-events-hostile")
    },
    "merge": ("incidents/merge.html", "/incidents/merge", contexts.merge),
    "merge-hostile": (
        "incidents/merge.html",
        "/incidents/merge",
        lambda: contexts.merge(hostile=True),
    ),
    "split": ("incidents/split.html", f"/incidents/{cast.uid(42)}/split", contexts.split),
    "split-hostile": (
        "incidents/split.html",
        f"/incidents/{cast.uid(42)}/split",
        lambda: contexts.split(hostile=True),
    ),
    "split-refused": (
        "incidents/split.html",
        f"/incidents/{cast.uid(42)}/split",
        lambda: contexts.split(refused=True),
    ),
    "split-alike": (
        "incidents/split.html",
        f"/incidents/{cast.uid(42)}/split",
        lambda: contexts.split(alike=True),
    ),
    "merge-one": ("incidents/merge.html", "/incidents/merge", lambda: contexts.merge(one=True)),
    "mentions": ("incidents/mentions.html", "/incidents/mentions", contexts.mentions),
    "mentions-hostile": (
        "incidents/mentions.html",
        "/incidents/mentions",
        lambda: contexts.mentions(hostile=True),
    ),
    "mentions-none": ("incidents/mentions.html", "/incidents/mentions", lambda: {"mentions": []}),
    "approvals": ("actions/approvals.html", "/actions/approvals", contexts.approvals),
    "approvals-empty": (
        "actions/approvals.html",
        "/actions/approvals",
        lambda: contexts.approvals(empty=True),
    ),
    "actions": ("actions/list.html", "/actions/", contexts.action_list),
    "actions-empty": ("actions/list.html", "/actions/", lambda: contexts.action_list(empty=True)),
    "recoveries": ("recoveries/list.html", "/recoveries/", contexts.recovery_list),
    "recoveries-hostile": (
        "recoveries/list.html",
        "/recoveries/",
        lambda: contexts.recovery_list(hostile=True),
    ),
    **{
        f"recoveries-{empty}": (
            "recoveries/list.html",
            "/recoveries/",
            partial(contexts.recovery_list, empty),
        )
        for empty in ("none_yet", "none_failed", "no_match")
    },
    "learning": ("learning/page.html", "/learning/", contexts.learning),
    "learning-empty": ("learning/page.html", "/learning/", lambda: contexts.learning(empty=True)),
    "learning-hostile": (
        "learning/page.html",
        "/learning/",
        lambda: contexts.learning(hostile=True),
    ),
    "recovery": ("recoveries/detail.html", f"/recoveries/{cast.uid(900)}/", contexts.recovery),
    "recovery-viewer": (
        "recoveries/detail.html",
        f"/recoveries/{cast.uid(900)}/",
        lambda: contexts.recovery(viewer=True),
    ),
    "recovery-hostile": (
        "recoveries/detail.html",
        f"/recoveries/{cast.uid(900)}/",
        lambda: contexts.recovery(hostile=True),
    ),
    "safety": ("safety/page.html", "/safety/", contexts.safety),
    "safety-viewer": ("safety/page.html", "/safety/", lambda: contexts.safety(viewer=True)),
    "ask-stop": ("safety/ask_stop.html", "/safety/stop", contexts.ask_stop),
    "ask-what": ("safety/ask_what.html", "/safety/stop", contexts.ask_what),
    "ask-resume": (
        "safety/ask_resume.html",
        f"/safety/{cast.uid(600)}/resume",
        contexts.ask_about_a_stop,
    ),
    "ask-extend": (
        "safety/ask_extend.html",
        f"/safety/{cast.uid(600)}/extend",
        contexts.ask_about_a_stop,
    ),
    "ask-breaker": ("safety/ask_breaker.html", "/safety/breaker", contexts.ask_breaker),
    "switch": ("safety/switch.html", f"/safety/{cast.uid(600)}/", contexts.switch),
    "switch-viewer": (
        "safety/switch.html",
        f"/safety/{cast.uid(600)}/",
        lambda: contexts.switch(viewer=True),
    ),
    "stops": ("safety/stops.html", "/safety/stops", contexts.stops),
    "workflows": ("workflows/list.html", "/workflows/", contexts.workflow_list),
    "workflows-hostile": (
        "workflows/list.html",
        "/workflows/",
        lambda: contexts.workflow_list(hostile=True),
    ),
    "workflows-none": ("workflows/list.html", "/workflows/", lambda: {"fares": []}),
    "workflow": ("workflows/detail.html", f"/workflows/{cast.uid(50)}/", contexts.workflow),
    "workflow-hostile": (
        "workflows/detail.html",
        f"/workflows/{cast.uid(50)}/",
        lambda: contexts.workflow(hostile=True),
    ),
    "workflow-viewer": (
        "workflows/detail.html",
        f"/workflows/{cast.uid(50)}/",
        lambda: contexts.workflow(viewer=True),
    ),
    "audit": ("audit/page.html", "/audit/", contexts.audit),
    "audit-hostile": ("audit/page.html", "/audit/", lambda: contexts.audit(hostile=True)),
    "audit-none": ("audit/page.html", "/audit/", lambda: contexts.audit(empty=True)),
    "reports": ("reports/page.html", "/reports/", report_contexts.reports),
    "reports-empty": (
        "reports/page.html",
        "/reports/",
        lambda: report_contexts.reports(empty=True),
    ),
    "rules": ("rules/page.html", "/rules/", contexts.rules),
    "rules-running": (
        "rules/page.html",
        "/rules/",
        lambda: contexts.rules(running=True),
    ),
    "profile": ("settings/profile.html", "/settings/", contexts.profile),
    "members": ("settings/members.html", "/settings/members", contexts.members),
    "members-viewer": ("settings/members.html", "/settings/members", contexts.members),
    "notification": ("settings/notification.html", "/settings/notification", contexts.notification),
    "notification-viewer": (
        "settings/notification.html",
        "/settings/notification",
        contexts.notification,
    ),
    "keys": ("settings/keys.html", "/settings/keys", contexts.keys),
    "keys-issued": ("settings/keys.html", "/settings/keys", lambda: contexts.keys(issued=True)),
    "keys-viewer": ("settings/keys.html", "/settings/keys", contexts.keys),
    "keys-none": ("settings/keys.html", "/settings/keys", lambda: contexts.keys(empty=True)),
    "search": ("search/page.html", "/search", contexts.search),
    "search-hostile": ("search/page.html", "/search", lambda: contexts.search(hostile=True)),
    "search-nothing": ("search/page.html", "/search", lambda: contexts.search(empty=True)),
    "login": ("registration/login.html", "/login", contexts.login),
    "locked": ("registration/locked.html", "/login", dict),
    "400": ("400.html", "/x", dict),
    "403": (
        "403.html",
        "/x",
        lambda: {"reason": "Viewers cannot approve plans", "admins": ["Anna Berg"]},
    ),
    "404": ("404.html", "/x", lambda: {"thing": "incident INC-9999"}),
    "500": ("500.html", "/x", dict),
}


# Where an admin sees more.
ADMINS = ("safety", "keys", "keys-issued", "members", "notification")


def render(name: str, theme: str = "dark", role: str = "") -> str:
    """The HTML of one of PAGES."""
    template, url, make = PAGES[name]
    role = role or (
        "viewer" if name.endswith("viewer") else "admin" if name in ADMINS else "responder"
    )
    with override_settings(ROOT_URLCONF="tests.ui.urls"):
        request = RequestFactory().get(url)
        request.COOKIES["theme"] = theme
        request.user = cast.ALICE
        if url != "/x":
            request.resolver_match = resolve(request.path)
        context = {
            "request": request,
            "user": cast.ALICE,
            "csrf_token": "preview-token",
            "shell": cast.shell(role),
            "messages": [],
            **make(),
        }
        return engines["django"].engine.get_template(template).render(Context(context))  # type: ignore[attr-defined]
