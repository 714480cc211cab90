"""What the page of one incident shows at once: facts, plan, analysis, verdicts and story."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest

from actions.gatekeeping import only_observed
from actions.models import Action, ActionKind, Recovery
from actions.plans.progress import progress_of
from actions.plans.selectors import recoveries_for
from actions.reversing import is_reversible
from actions.selectors import actions_for
from actions.states import CANCELLABLE, FINAL, ActionStatus
from ai.selectors import latest_decision
from awfdrs_site.kernel.ui.wording import duration
from incidents.detail.story import story_of
from incidents.models import Incident
from incidents.selectors import Broken, broken_by, members_of
from incidents.states import CLOSED, IncidentStatus
from incidents.states import TRANSITIONS as INCIDENT_TRANSITIONS
from safety.selectors import policy_for
from tenants.access import Identity
from tenants.models import Scope, Tenant
from tenants.selectors import admins_of

STEPS = 20
# The newest; they come with incident_parts.py.
EVENTS = 20
# What a person may do to an action, by the state it leads to.
_VERBS = {
    "approve": (ActionStatus.WAITING, ActionStatus.PLANNED),
    "reject": (ActionStatus.WAITING, ActionStatus.REJECTED),
    "run": (ActionStatus.BLOCKED, ActionStatus.PLANNED),
}


def incident_page(
    identity: Identity, incident: Incident, request: HttpRequest, now: datetime
) -> dict[str, Any]:
    """Everything `incidents/detail.html` asks for before its parts come (incident_parts.py)."""
    tenant = identity.tenant
    recovery = recoveries_for(tenant).filter(incident=incident).first()
    plan, attempts = _plan(tenant, incident, recovery)
    allowed = allowed_verbs(identity, incident, plan, now)
    broken = broken_by(incident)
    return {
        "incident": incident,
        "allowed": allowed,
        "people": members_of(tenant) if allowed else [],
        "admins": [] if allowed else admins_of(tenant),
        "facts": facts(incident, plan, broken, now),
        "broken": broken,
        "plan": plan,
        "recovery": recovery and {"row": recovery, "progress": progress_of(recovery, attempts)},
        "singles": [action for action in plan if not (action.step and action in attempts)],
        "current": current(identity, plan, now),
        "reversible": reversible(identity, plan, now),
        "decision": latest_decision(incident),
        "threshold": policy_for(tenant.pk, incident.workflow_id).threshold_for(ActionKind.RETRY),
        "gate": plan[-1].receipt if plan else None,
        "story": story_of(incident, request),
        "event_rows": range(min(EVENTS, incident.event_count)),
    }


def _plan(
    tenant: Tenant, incident: Incident, recovery: Recovery | None
) -> tuple[list[Action], list[Action]]:
    """The incident's latest actions, and all of the recovery; each oldest first. One query."""
    rows = actions_for(tenant).filter(incident=incident)
    newest = Q(pk__in=rows.values("pk")[:STEPS])
    found = list(rows.filter(newest | Q(recovery=recovery)) if recovery else rows[:STEPS])[::-1]
    return found[-STEPS:], [one for one in found if recovery and one.recovery_id == recovery.pk]


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


def facts(
    incident: Incident,
    plan: Sequence[Action],
    broken: Broken,
    now: datetime,
) -> list[dict[str, str]]:
    """The figures under the title, each a label, a value and a note."""
    retries = [action for action in plan if action.kind == ActionKind.RETRY]
    over = incident.status == IncidentStatus.RESOLVED
    until = incident.resolved_at if over and incident.resolved_at else now
    last = f"the last {duration(now - incident.last_seen_at)} ago"
    return [
        _fact("Events", f"{incident.event_count:,}", last),
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
