"""The life of an action: its states and the one table of legal steps [A1 A8].

`sending` is entered in the transaction that reads the kill switch; whatever is found there after a
crash becomes `unknown` and is asked of the target, never sent again.
"""

from __future__ import annotations

from django.db import models


class ActionStatus(models.TextChoices):
    WAITING = "waiting", "Waiting for approval"
    PLANNED = "planned", "Planned"
    CLAIMED = "claimed", "Claimed"
    SENDING = "sending", "Sending"
    VERIFYING = "verifying", "Verifying"
    UNKNOWN = "unknown", "Unknown"
    BLOCKED = "blocked", "Blocked"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


S = ActionStatus
TRANSITIONS: dict[str, frozenset[str]] = {
    S.WAITING: frozenset({S.PLANNED, S.REJECTED, S.EXPIRED, S.CANCELLED}),
    S.PLANNED: frozenset({S.CLAIMED, S.WAITING, S.BLOCKED, S.CANCELLED}),
    # Back to planned: the gate deferred it, or its worker died before sending.
    S.CLAIMED: frozenset({S.SENDING, S.PLANNED, S.WAITING, S.BLOCKED, S.CANCELLED}),
    S.SENDING: frozenset({S.VERIFYING, S.SUCCEEDED, S.FAILED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.VERIFYING, S.SUCCEEDED, S.FAILED, S.CANCELLED}),
    S.VERIFYING: frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED}),
    S.BLOCKED: frozenset({S.PLANNED, S.CANCELLED}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.REJECTED: frozenset(),
    S.EXPIRED: frozenset(),
    S.CANCELLED: frozenset(),
}
# Something may still be sent, or is on its way.
ACTIVE = (S.WAITING, S.PLANNED, S.CLAIMED, S.SENDING, S.VERIFYING, S.UNKNOWN)
# It was done, or may still be.
STANDING = (*ACTIVE, S.BLOCKED, S.SUCCEEDED)
FINAL = tuple(state for state, after in TRANSITIONS.items() if not after)
# What a person may call off; what the engine has ends with its incident only.
CANCELLABLE = tuple(
    state for state, after in TRANSITIONS.items() if S.CANCELLED in after and state != S.VERIFYING
)
