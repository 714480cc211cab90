"""What the page of actions shows: the list with its filters in the URL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from actions.action_filters import KINDS, ActionFilter
from actions.models import Action
from actions.pages import IN_FLIGHT
from actions.selectors import actions_for
from actions.states import ActionStatus
from awfdrs_site.kernel.pages import page_of
from awfdrs_site.kernel.query_bar import SPAN_WORDS, Bar
from tenants.models import Tenant

S = ActionStatus
RUNNING, FAILED = ",".join(IN_FLIGHT), f"{S.FAILED},{S.EXPIRED}"
BAR = Bar(
    ActionFilter,
    {"type": "Kind", "status": "Status", "workflow": "Workflow", "since": "Made in"},
    "status",
    (
        ("All", {}, False),
        ("In flight", {"status": RUNNING}, True),
        ("Planned", {"status": S.PLANNED.value}, True),
        ("Needs approval", {"status": S.WAITING.value}, True),
        ("Blocked", {"status": S.BLOCKED.value}, True),
        ("Failed", {"status": FAILED}, False),
        ("Verified", {"status": S.SUCCEEDED.value}, False),
    ),
)


def list_page(request: HttpRequest, tenant: Tenant, now: datetime) -> dict[str, Any]:
    """Everything `actions/list.html` asks for; Problem 400 for a filter value that is none."""
    values = BAR.read(request)
    page = page_of(BAR.narrowed(actions_for(tenant), values, now), request, ("-id",))
    workflows = [(name, name) for name in tenant.workflows.values_list("name", flat=True)]
    options = {
        "type": KINDS,
        "status": [(RUNNING, "In flight"), (FAILED, "Failed or expired"), *S.choices],
        "workflow": workflows,
        "since": SPAN_WORDS,
    }
    return {
        "views": BAR.tabs(Action.objects.filter(tenant=tenant), values),
        "filters": BAR.chips(values, options),
        "clear_all_url": request.path if any(values.values()) else "",
        "actions": page.rows,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
    }
