"""What the pages of recoveries show: the list with its filters in the URL, and one recovery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from actions.models import Recovery
from actions.plans.progress import progress_of
from actions.plans.selectors import plans_for, recoveries_for, with_attempts
from actions.plans.states import TRANSITIONS, RecoveryState
from actions.recoveries.recovery_filters import RecoveryFilter
from awfdrs_site.kernel.pages import page_of
from awfdrs_site.kernel.query_bar import SPAN_WORDS, Bar
from tenants.access import Identity
from tenants.models import Scope, Tenant
from tenants.selectors import admins_of

S = RecoveryState
# What did not help: a recovery that was undone has failed first.
FAILED = f"{S.FAILED},{S.ROLLED_BACK}"
UNDER_WAY = ",".join(
    [S.PLANNING, S.AWAITING_APPROVAL, S.COOLDOWN, S.EXECUTING, S.VERIFYING, S.ROLLING_BACK]
)
BAR = Bar(
    RecoveryFilter,
    {"state": "State", "since": "Begun in", "plan": "Plan"},
    "state",
    (
        ("All", {}, False),
        ("Under way", {"state": UNDER_WAY}, True),
        ("Needs a person", {"state": S.NEEDS_HUMAN.value}, True),
        ("All failed of last week", {"state": FAILED, "since": "7d"}, False),
    ),
)


def list_page(request: HttpRequest, tenant: Tenant, now: datetime) -> dict[str, Any]:
    """Everything `recoveries/list.html` asks for; Problem 400 for a filter value that is none."""
    values = BAR.read(request)
    rows = BAR.narrowed(recoveries_for(tenant), values, now)
    page = page_of(with_attempts(rows), request, ("-id",))
    for recovery in page.rows:
        recovery.progress = progress_of(recovery)  # type: ignore[attr-defined]
    options = {
        "state": [(UNDER_WAY, "Under way"), (FAILED, "Failed or rolled back"), *S.choices],
        "since": SPAN_WORDS,
        "plan": [(name, name) for name in plans_for(tenant).values_list("name", flat=True)],
    }
    return {
        "views": BAR.tabs(Recovery.objects.filter(tenant=tenant), values),
        "filters": BAR.chips(values, options),
        "clear_all_url": request.path if any(values.values()) else "",
        "recoveries": page.rows,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "empty": "" if page.rows else why_empty(tenant, values),
    }


def why_empty(tenant: Tenant, values: Mapping[str, str]) -> str:
    """`none_yet`, `none_failed` (good news), or `no_match`."""
    if not Recovery.objects.filter(tenant=tenant).exists():
        return "none_yet"
    return "none_failed" if values["state"] == FAILED and not values["plan"] else "no_match"


def recovery_page(identity: Identity, recovery: Recovery) -> dict[str, Any]:
    """Everything `recoveries/detail.html` asks for; the recovery has its attempts loaded."""
    found = progress_of(recovery)
    may_act = Scope.ACT in identity.scopes
    undoable = (
        bool(recovery.document)
        and not recovery.undo_asked_by
        and S.ROLLING_BACK in TRANSITIONS[recovery.status]
        and found.can_undo()
    )
    return {
        "recovery": recovery,
        "progress": found,
        "undos": found.undos(),
        "history": [
            {**entry, "at": datetime.fromisoformat(entry["at"])} for entry in recovery.history
        ][::-1],
        "undoable": undoable,
        "may_undo": undoable and may_act,
        "admins": [] if may_act else admins_of(identity.tenant),
    }
