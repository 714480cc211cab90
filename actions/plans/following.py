"""A plain retry is a recovery too: its state follows its actions, in their own commits [A3]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from actions.models import Action, Recovery
from actions.plans import services
from actions.plans.states import RecoveryState
from actions.states import ActionStatus
from awfdrs_site.kernel.transition import lock
from incidents.states import IncidentStatus

S, R = ActionStatus, RecoveryState
_STATE = {
    S.WAITING: R.AWAITING_APPROVAL,
    S.PLANNED: R.EXECUTING,
    S.CLAIMED: R.EXECUTING,
    S.SENDING: R.EXECUTING,
    S.UNKNOWN: R.EXECUTING,
    S.VERIFYING: R.VERIFYING,
    S.SUCCEEDED: R.COMPLETED,
    S.FAILED: R.FAILED,
    S.BLOCKED: R.NEEDS_HUMAN,
    S.EXPIRED: R.NEEDS_HUMAN,
    S.REJECTED: R.FAILED,
    S.CANCELLED: R.FAILED,
}


def follow(recovery: Recovery, action: Action, now: datetime) -> None:
    """Move the recovery of a plain retry after its newest `action` (its incident is locked)."""
    recovery = lock(recovery)
    state, reason = _STATE[ActionStatus(action.status)], _reason(action)
    if action.status == S.PLANNED and (words := cooling(action.receipt)):
        state, reason = R.COOLDOWN, words
    elif action.status == S.CANCELLED and action.incident.status == IncidentStatus.RESOLVED:
        state, reason = R.COMPLETED, "It was over before the retry was sent."
    services.move(recovery, state, reason, now)


def cooling(receipt: Mapping[str, Any]) -> str:
    """Why a stored receipt puts its action off for the cooldown; empty if it does not."""
    if receipt.get("outcome") != "defer":
        return ""
    checks = (c for c in receipt["checks"] if c["name"] == "cooldown" and c["verdict"] == "defer")
    return next((str(check["reason"]) for check in checks), "")


def _reason(action: Action) -> str:
    what = f"Retry {action.attempt} of {action.max_attempts}"
    why = str(action.result.get("reason") or "")
    return f"{what}: {action.get_status_display().lower()}. {why}".strip()
