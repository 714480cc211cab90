"""What was learnt, as the gate asks about it; and what becomes of a case that is held back [D5]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from actions.models import Action, ActionKind, StepRole
from ai.ladder import trust_in
from ai.models import OutcomeResult
from ai.record import WAIT
from ai.services import remember
from awfdrs_site.kernel.instants import parse_instant
from incidents.selectors import closed_by_person, still_failing
from incidents.states import IncidentStatus
from safety.gate_checks import lot_of
from safety.models import AutomationPolicy


def facts_of(action: Action, policy: AutomationPolicy) -> dict[str, Any]:
    """What the gate is told of trust, and of the share of cases that only wait.

    Taking back asks for no trust: a plan that lost it is undone all the same.
    """
    if not action.acts or action.role == StepRole.UNDO:
        return {}
    incident = action.incident
    trust = trust_in(incident.tenant_id, incident.signature, action.tried, policy)
    facts = {"trust": trust.rung, "trust_progress": trust.to_next}
    if action.step or action.kind != ActionKind.RETRY:
        return facts
    return facts | {
        "severity": incident.severity,
        "opened_at": incident.opened_at,
        "lot": lot_of(str(incident.pk), incident.opened_at),
        "held_back_percent": policy.held_back_percent,
        "held_back_seconds": policy.held_back_seconds,
    }


def held_until(receipt: Mapping[str, Any]) -> datetime | None:
    """Until when this stored receipt holds its action back to see what heals alone."""
    for check in receipt.get("checks", ()):
        if check["name"] == "held_back" and check["verdict"] == "defer":
            return parse_instant(check["until"])
    return None


def learn_of_waiting(action: Action, receipt: Mapping[str, Any], now: datetime) -> None:
    """Keep whether a case that was held back under `receipt` has healed alone: once an opening.

    The locked action is about to be sent, or has become pointless. What a person ended, or had run
    sooner, shows nothing.
    """
    until, incident = held_until(receipt), action.incident
    if until is None or closed_by_person(incident):
        return
    if incident.outcomes.filter(action=WAIT, at__gte=incident.opened_at).exists():
        return
    ended_at = incident.resolved_at if incident.status == IncidentStatus.RESOLVED else None
    ended_at = ended_at or now
    if ended_at <= until and not still_failing(incident).exists():
        seconds = round((ended_at - incident.opened_at).total_seconds(), 3)
        remember(incident, WAIT, OutcomeResult.SUCCEEDED, now, seconds_to_recover=seconds)
    elif now >= until:
        remember(incident, WAIT, OutcomeResult.FAILED, now)
