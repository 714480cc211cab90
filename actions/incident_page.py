"""What the page of one incident shows: facts, plan, analysis, verdicts, story and events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from actions.gatekeeping import only_observed
from actions.history import Runs, runs_of
from actions.incident_curve import curve_chart, markers, marking
from actions.models import Action, ActionKind
from actions.plans.progress import progress_of
from actions.plans.selectors import recoveries_for, with_attempts
from actions.reversing import is_reversible
from actions.selectors import actions_for
from actions.states import CANCELLABLE, FINAL, ActionStatus
from ai.ladder import trust_in
from ai.models import Decision, DecisionType
from ai.record import RETRY
from ai.selectors import latest_decision
from awfdrs_site.kernel.ui.wording import duration
from incidents.grouping import grouping_of
from incidents.models import Incident
from incidents.related import related_to
from incidents.selectors import Broken, broken_by, events_of, incidents_for, members_of
from incidents.states import CLOSED, IncidentStatus
from incidents.states import TRANSITIONS as INCIDENT_TRANSITIONS
from incidents.story import story_of
from incidents.trends import Curve, failure_curve
from safety.selectors import policy_for
from tenants.access import Identity
from tenants.models import Scope, Tenant
from tenants.selectors import admins_of

STEPS = 20
EVENTS = 20
# What a person may do to an action, by the state it leads to.
_VERBS = {
    "approve": (ActionStatus.WAITING, ActionStatus.PLANNED),
    "reject": (ActionStatus.WAITING, ActionStatus.REJECTED),
    "run": (ActionStatus.BLOCKED, ActionStatus.PLANNED),
}
_OUTCOMES: dict[str, tuple[str, bool | None]] = {
    "recovered": ("Recovered", True),
    "failed": ("Failed", False),
    "rejected": ("Rejected", False),
    "by_hand": ("By hand", None),
}


def incident_page(
    identity: Identity, incident: Incident, request: HttpRequest, now: datetime
) -> dict[str, Any]:
    """Everything `incidents/detail.html` asks for."""
    tenant = identity.tenant
    plan = list(actions_for(tenant).filter(incident=incident)[:STEPS])[::-1]
    decision = latest_decision(incident)
    policy = policy_for(tenant.pk, incident.workflow_id)
    runs_something = decision and decision.type in (DecisionType.RETRY, DecisionType.PLAN)
    tried = incident.signature, decision.tried if decision else RETRY
    curve = failure_curve(incident, now)
    allowed = allowed_verbs(identity, incident, plan, now)
    recovery = current_recovery(tenant, incident)
    broken = broken_by(incident)
    return {
        "incident": incident,
        "allowed": allowed,
        "people": members_of(tenant) if allowed else [],
        "admins": [] if allowed else admins_of(tenant),
        "facts": facts(incident, plan, broken, curve, now),
        "broken": broken,
        "trend": {"values": curve.values, "from": curve.start, "to": curve.end} if curve else None,
        "curve": curve_chart(
            incident,
            curve,
            markers(marking(incident), plan),
            timezone.get_current_timezone(),
        ),
        "plan": plan,
        "recovery": recovery,
        "singles": [action for action in plan if not (recovery and _is_step(action, recovery))],
        "current": current(identity, plan, now),
        "reversible": reversible(identity, plan, now),
        "decision": decision,
        "threshold": policy.threshold_for(ActionKind.RETRY),
        "runs": runs_of(tenant, [tried]).get(tried, Runs([], [])),
        "trust": trust_in(tenant.pk, *tried, policy) if runs_something else None,
        "gate": plan[-1].receipt if plan else None,
        "story": story_of(incident, request),
        "events": list(events_of(incident)[:EVENTS]),
        "event_total": incident.event_count,
        "similar": similar_incidents(tenant, decision),
        "grouping": grouping_of(incident),
        "related": related_to(tenant, incident, now),
    }


def allowed_verbs(
    identity: Identity, incident: Incident, plan: Sequence[Action], now: datetime
) -> set[str]:
    """What the person may do to the incident as it stands; the services decide in the end."""
    if Scope.ACT not in identity.scopes:
        return set()
    after = INCIDENT_TRANSITIONS[incident.status]
    verbs = {"assign", "comment"}
    verbs |= {"ignore"} if IncidentStatus.IGNORED in after else set()
    verbs |= {"resolve"} if IncidentStatus.RESOLVED in after else set()
    verbs |= {"reopen"} if IncidentStatus.NEW in after else set()
    if incident.status in CLOSED:
        return verbs
    escalated = any(
        a.kind == ActionKind.ESCALATE and a.created_at >= incident.opened_at for a in plan
    )
    verbs |= {"merge", "unacknowledge" if incident.acknowledged_at else "acknowledge"}
    verbs |= {"wake" if incident.is_snoozed(now) else "snooze"}
    return verbs | (set() if escalated else {"escalate"})


def current(identity: Identity, plan: Sequence[Action], now: datetime) -> dict[str, Any] | None:
    """The latest action that is not over, and what the person may do to it."""
    action = next((a for a in reversed(plan) if a.status not in FINAL), None)
    if action is None:
        return None
    if action.status == ActionStatus.WAITING and action.step:
        # Of what waits together, the card on the approvals page is the first.
        beside = [a for a in plan if a.recovery_id == action.recovery_id]
        action = next(a for a in beside if a.status == ActionStatus.WAITING)
    verbs = set()
    if Scope.ACT in identity.scopes:
        verbs = {verb for verb, (state, _) in _VERBS.items() if state == action.status}
        if only_observed(action.receipt):
            verbs.discard("run")
        if action.status in CANCELLABLE:
            verbs.add("cancel")
    if action.status == ActionStatus.WAITING and action.has_expired(now):
        verbs.clear()
    return {"action": action, "verbs": verbs}


def reversible(identity: Identity, plan: Sequence[Action], now: datetime) -> set[UUID]:
    """The actions that the person may take back."""
    may = Scope.ACT in identity.scopes
    return {action.pk for action in plan if may and is_reversible(action, now)}


def current_recovery(tenant: Tenant, incident: Incident) -> dict[str, Any] | None:
    """The latest try to end the incident, step by step."""
    rows = recoveries_for(tenant).filter(incident=incident)
    newest = with_attempts(rows).first()
    return {"row": newest, "progress": progress_of(newest)} if newest else None


def _is_step(action: Action, recovery: dict[str, Any]) -> bool:
    return bool(action.step) and action.recovery_id == recovery["row"].pk


def facts(
    incident: Incident,
    plan: Sequence[Action],
    broken: Broken,
    curve: Curve | None,
    now: datetime,
) -> list[dict[str, str]]:
    """The figures under the title, each a label, a value and a note."""
    retries = [action for action in plan if action.kind == ActionKind.RETRY]
    over = incident.status == IncidentStatus.RESOLVED
    until = incident.resolved_at if over and incident.resolved_at else now
    peak = f"peak {curve.peak_per_minute():,.0f} per min" if curve and any(curve.values) else ""
    return [
        _fact("Events", f"{incident.event_count:,}", peak),
        _fact("Still failing", f"{broken.failing:,}", f"of {broken.all:,} that failed"),
        _fact(
            "Lasted" if over else "Open for", duration(until - incident.opened_at), _taken(incident)
        ),
        _fact("Attempts", *_attempts(retries)),
    ]


def _fact(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}


def _taken(incident: Incident) -> str:
    if incident.acknowledged_at is None:
        return "nobody took it" if incident.status in CLOSED else "nobody has taken it"
    return f"taken after {duration(incident.acknowledged_at - incident.opened_at)}"


def _attempts(retries: Sequence[Action]) -> tuple[str, str]:
    if not retries:
        return "0", "no retry yet"
    last = retries[-1]
    return f"{last.attempt} of {last.max_attempts}", last.get_status_display().lower()


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
