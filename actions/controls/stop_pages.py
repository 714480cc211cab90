"""The page of one stop with what it skipped, the list of all stops, and the breaker's question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from actions.controls.safety_pages import may_use
from actions.controls.stopping import Verdict, held_by, skipped_by
from actions.models import Action
from actions.states import ActionStatus
from awfdrs_site.kernel.pages import Page
from awfdrs_site.kernel.problem import FieldError, invalid
from safety.models import BreakerState, KillSwitch, Vendor
from tenants.access import Identity
from tenants.models import Scope, Tenant

MOST_HELD = 200
MOST_DECIDED = 50


def switch_page(identity: Identity, stop: KillSwitch, now: datetime) -> dict[str, Any]:
    """Everything `safety/switch.html` asks for. Four queries."""
    ledger, held = skipped_by(identity.tenant, stop), held_by(identity.tenant, stop)
    decided = ledger.exclude(status=ActionStatus.BLOCKED)
    engaged, may_act = stop.is_engaged(now), Scope.ACT in identity.scopes
    return {
        "stop": stop,
        "engaged": engaged,
        "ended_at": None if engaged else stop.released_at or stop.expires_at,
        "held": held[:MOST_HELD],
        "held_count": held.count(),
        "decided": decided[:MOST_DECIDED],
        "may_use": may_use(identity.scopes, stop.scope),
        "may_drop": may_act,
        "may_run": may_act and not engaged,
    }


def stops_page(tenant: Tenant, found: Page[KillSwitch], now: datetime) -> dict[str, Any]:
    """Everything `safety/stops.html` asks for."""
    counts = ledger_counts(tenant, found.rows)
    rows = [
        {
            "stop": stop,
            "engaged": stop.is_engaged(now),
            "skipped": counts.get(stop.pk, (0, 0))[0],
            "held": counts.get(stop.pk, (0, 0))[1],
        }
        for stop in found.rows
    ]
    return {"rows": rows, "newer_url": found.newer_url, "older_url": found.older_url}


def ledger_counts(tenant: Tenant, stops: Sequence[KillSwitch]) -> dict[Any, tuple[int, int]]:
    """By switch: how many recoveries it skipped, and how many of these nobody has decided on."""
    held = Count("pk", filter=Q(status=ActionStatus.BLOCKED))
    rows = Action.objects.filter(tenant=tenant, stopped_by__in=stops).values("stopped_by")
    return {
        row["stopped_by"]: (row["skipped"], row["held"])
        for row in rows.annotate(skipped=Count("pk"), held=held)
    }


def said(verdicts: Sequence[Verdict], done: str) -> str:
    """What became of the ticked recoveries, in words; `done` is what was done to most of them."""
    words = {
        "done": done,
        "unchanged": "decided already",
        "refused": "refused",
        "not_found": "not of this stop",
    }
    counts = Counter[str](verdict.outcome for verdict in verdicts)
    counted = ", ".join(f"{counts[name]} {text}" for name, text in words.items() if counts[name])
    why = dict.fromkeys(verdict.detail for verdict in verdicts if verdict.detail)
    return " ".join((f"{counted}.", *why))


# State -> title, what it means, the button, whether it does harm.
_BREAKER = {
    BreakerState.OPEN: (
        "Trip the breaker of {}?",
        "Recoveries are held, and failure events refused or recorded, until probes succeed.",
        "Trip",
        True,
    ),
    BreakerState.CLOSED: (
        "Reset the breaker of {}?",
        "It closes at once. What it held goes out a few a second, each through the gate.",
        "Reset",
        False,
    ),
    BreakerState.FORCED_OPEN: (
        "Keep the breaker of {} open?",
        "It holds recoveries until somebody resets it. It does not half-open by the clock.",
        "Keep open",
        True,
    ),
    BreakerState.DISABLED: (
        "Let everything pass to {}?",
        "Failures are not counted and recoveries not held, until somebody resets it.",
        "Disable the breaker",
        True,
    ),
}


def breaker_question(vendor: Vendor, state: str) -> dict[str, Any]:
    """Everything `safety/ask_breaker.html` asks for; Problem 400 for a state nobody sets."""
    if state not in _BREAKER:
        raise invalid([FieldError("state", "invalid_choice", f"One of {', '.join(_BREAKER)}.")])
    title, text, submit, danger = _BREAKER[BreakerState(state)]
    return {
        "vendor": vendor,
        "state": state,
        "title": title.format(vendor.name),
        "text": text,
        "submit": submit,
        "danger": danger,
    }
