"""The parts of an incident's page that come after it, each by its own URL, and are shown there too.

None is asked for again with the rest of the page, which is often: see static/js/refetch.js.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from actions.history import Runs, runs_of
from actions.incident_curve import curve_chart, markers, marking
from actions.incident_page import EVENTS, allowed_verbs
from actions.models import Action
from ai.ladder import trust_in
from ai.models import Decision, DecisionType
from ai.record import RETRY
from ai.selectors import latest_decision
from incidents.detail.related import related_to
from incidents.detail.trends import failure_curve
from incidents.models import Incident
from incidents.regrouping.grouping import grouping_of
from incidents.selectors import events_of, incidents_for
from safety.selectors import policy_for
from tenants.access import Identity
from tenants.models import Tenant

SENT = 20
_OUTCOMES: dict[str, tuple[str, bool | None]] = {
    "recovered": ("Recovered", True),
    "failed": ("Failed", False),
    "rejected": ("Rejected", False),
    "by_hand": ("By hand", None),
}


def failures(identity: Identity, incident: Incident, now: datetime) -> dict[str, Any]:
    """How fast it fails, and its newest events. Four queries."""
    curve, zone = failure_curve(incident, now), timezone.get_current_timezone()
    sent = Action.objects.filter(incident=incident, acts=True, sent_at__isnull=False)
    marks = markers(marking(incident), sent.order_by("-id")[:SENT])
    peak = curve.peak_per_minute() if curve and any(curve.values) else 0
    return {
        "trend": {"values": curve.values, "from": curve.start, "to": curve.end} if curve else None,
        "peak": f"peak {peak:,.0f} per min" if peak else "failures",
        "curve": curve_chart(incident, curve, marks, zone),
        "events": list(events_of(incident)[:EVENTS]),
        "event_total": incident.event_count,
    }


def precedents(identity: Identity, incident: Incident, now: datetime) -> dict[str, Any]:
    """What came of it before, and of what is like it. Six queries."""
    tenant, decision = identity.tenant, latest_decision(incident)
    tried = incident.signature, decision.tried if decision else RETRY
    trust = None
    if decision and decision.type in (DecisionType.RETRY, DecisionType.PLAN):
        trust = trust_in(tenant.pk, *tried, policy_for(tenant.pk, incident.workflow_id))
    return {
        "runs": runs_of(tenant, [tried]).get(tried, Runs([], [])),
        "trust": trust,
        "similar": similar_incidents(tenant, decision),
    }


def similar_incidents(tenant: Tenant, decision: Decision | None) -> list[dict[str, Any]]:
    """The past incidents the decision weighed, as it weighed them then."""
    found = decision.similar if decision else []
    known = incidents_for(tenant).in_bulk([UUID(one["incident_id"]) for one in found])
    rows = [(known.get(UUID(one["incident_id"])), one) for one in found]
    return [_similar(incident, one) for incident, one in rows if incident]


def _similar(incident: Incident, one: dict[str, Any]) -> dict[str, Any]:
    outcome, worked = _OUTCOMES.get(one["outcome"], ("Unknown", None))
    return {
        "incident": incident,
        "score": one["score"],
        "outcome": outcome,
        "worked": worked,
        "seconds": one.get("seconds_to_recover"),
    }


def around(identity: Identity, incident: Incident, now: datetime) -> dict[str, Any]:
    """Why its failures are one incident, and what failed with it. Six queries at most."""
    return {
        "grouping": grouping_of(incident),
        "related": related_to(identity.tenant, incident, now),
        "allowed": allowed_verbs(identity, incident, [], now),
    }


# By the last word of its URL: what it is called on its own, and what its templates ask for.
PARTS: dict[str, tuple[str, Callable[[Identity, Incident, datetime], dict[str, Any]]]] = {
    "failures": ("Failures", failures),
    "precedents": ("What came of it before", precedents),
    "around": ("What belongs together", around),
}
