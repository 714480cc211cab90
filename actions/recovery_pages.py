"""What the pages of recoveries show: the list with its filters in the URL, and one recovery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django_filters.utils import translate_validation

from actions.models import Recovery
from actions.pages import admins_of
from actions.plans.progress import progress_of
from actions.plans.selectors import plans_for, recoveries_for, with_attempts
from actions.plans.states import TRANSITIONS, RecoveryState
from actions.recovery_filters import RecoveryFilter
from awfdrs_site.kernel.instants import parse_instant
from awfdrs_site.kernel.pages import page_of
from awfdrs_site.kernel.problem import problem_of
from tenants.access import Identity
from tenants.models import Scope, Tenant

S = RecoveryState
LABELS = {"state": "State", "since": "Begun in", "plan": "Plan"}
SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7)}
SPAN_WORDS = [("24h", "last 24 h"), ("7d", "last week")]
# What did not help: a recovery that was undone has failed first.
FAILED = f"{S.FAILED},{S.ROLLED_BACK}"
UNDER_WAY = ",".join(
    [S.PLANNING, S.AWAITING_APPROVAL, S.COOLDOWN, S.EXECUTING, S.VERIFYING, S.ROLLING_BACK]
)
VIEWS: tuple[tuple[str, dict[str, str], bool], ...] = (
    ("All", {}, False),
    ("Under way", {"state": UNDER_WAY}, True),
    ("Needs a person", {"state": S.NEEDS_HUMAN.value}, True),
    ("All failed of last week", {"state": FAILED, "since": "7d"}, False),
)


def list_page(request: HttpRequest, tenant: Tenant, now: datetime) -> dict[str, Any]:
    """Everything `recoveries/list.html` asks for; Problem 400 for a filter value that is none."""
    values = {name: request.GET.get(name, "").strip() for name in LABELS}
    rows = narrowed(tenant, values, now)
    page = page_of(with_attempts(rows), request, ("-id",))
    for recovery in page.rows:
        recovery.progress = progress_of(recovery)  # type: ignore[attr-defined]
    return {
        "views": _views(tenant, values),
        "filters": _chips(tenant, values),
        "clear_all_url": request.path if any(values.values()) else "",
        "recoveries": page.rows,
        "newer_url": page.newer_url,
        "older_url": page.older_url,
        "empty": "" if page.rows else why_empty(tenant, values),
    }


def narrowed(tenant: Tenant, values: Mapping[str, str], now: datetime) -> QuerySet[Recovery]:
    """The tenant's recoveries that the URL's values ask for."""
    data = dict(values)
    if span := SPANS.get(data["since"]):
        data["since"] = (now - span).isoformat()
    filterset = RecoveryFilter(data, queryset=recoveries_for(tenant))
    if not filterset.is_valid():
        raise problem_of(translate_validation(filterset.errors))
    rows: QuerySet[Recovery] = filterset.qs
    return rows


def why_empty(tenant: Tenant, values: Mapping[str, str]) -> str:
    """`none_yet`, `none_failed` (good news), or `no_match`."""
    if not Recovery.objects.filter(tenant=tenant).exists():
        return "none_yet"
    return "none_failed" if values["state"] == FAILED and not values["plan"] else "no_match"


def _url(values: Mapping[str, str]) -> str:
    return "?" + urlencode({name: value for name, value in values.items() if value})


def _views(tenant: Tenant, values: Mapping[str, str]) -> list[dict[str, Any]]:
    """The views above the list; only what is not over is counted, for the rest only grows."""
    counted = {label: Q(status__in=v["state"].split(",")) for label, v, count in VIEWS if count}
    both = Q(status__in=f"{UNDER_WAY},{S.NEEDS_HUMAN}".split(","))
    rows = Recovery.objects.filter(both, tenant=tenant)
    names = {label: f"n{number}" for number, label in enumerate(counted)}
    counts = rows.aggregate(**{names[label]: Count("pk", filter=q) for label, q in counted.items()})
    return [
        {
            "label": label,
            "href": _url(wanted),
            "count": counts[names[label]] if count else None,
            "current": _url(wanted) == _url(values),
        }
        for label, wanted, count in VIEWS
    ]


def _chips(tenant: Tenant, values: Mapping[str, str]) -> list[dict[str, Any]]:
    """The chips of the query bar; a value that is not on offer is added, so that it shows."""
    plans = [(name, name) for name in plans_for(tenant).values_list("name", flat=True)]
    options = {
        "state": [(UNDER_WAY, "Under way"), (FAILED, "Failed or rolled back"), *S.choices],
        "since": SPAN_WORDS,
        "plan": plans,
    }
    chips = []
    for name, label in LABELS.items():
        value, offered = values[name], [(str(key), words) for key, words in options[name]]
        if value and value not in dict(offered):
            offered.append((value, _words(value)))
        clear = _url({**values, name: ""})
        chips.append(
            {"name": name, "label": label, "value": value, "clear_url": clear, "options": offered}
        )
    return chips


def _words(value: str) -> str:
    try:
        return f"since {parse_instant(value):%-d %b %H:%M} UTC"
    except ValueError:
        return value.replace(",", " or ").replace("_", " ")


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
