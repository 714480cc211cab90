"""The life of a recovery: its states and the one table of legal steps [A3].

The words are those that people who ran AIOps agents before us know; `rolling_back` is added, for
undoing takes as long as doing.
"""

from __future__ import annotations

from django.db import models


class RecoveryState(models.TextChoices):
    DETECTING = "detecting", "Detecting"
    ANALYZING = "analyzing", "Analysing"
    PLANNING = "planning", "Planning"
    AWAITING_APPROVAL = "awaiting_approval", "Waiting for approval"
    COOLDOWN = "cooldown", "Cooling down"
    EXECUTING = "executing", "Executing"
    VERIFYING = "verifying", "Verifying"
    ROLLING_BACK = "rolling_back", "Rolling back"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    ROLLED_BACK = "rolled_back", "Rolled back"
    NEEDS_HUMAN = "needs_human", "Needs a person"


S = RecoveryState
ENDS = (S.COMPLETED, S.FAILED, S.ROLLED_BACK)
_ENDS = frozenset(ENDS)
# A person who is needed goes on with it (runs what was blocked), undoes it, or closes it.
_UNDER_WAY = frozenset(
    {S.AWAITING_APPROVAL, S.COOLDOWN, S.EXECUTING, S.VERIFYING, S.ROLLING_BACK, S.NEEDS_HUMAN}
)
TRANSITIONS: dict[str, frozenset[str]] = {
    S.DETECTING: frozenset({S.ANALYZING}),
    S.ANALYZING: frozenset({S.PLANNING}),
    S.PLANNING: (_UNDER_WAY | _ENDS) - {S.ROLLED_BACK},
    **{state: (_UNDER_WAY | _ENDS) - {state} for state in _UNDER_WAY},
    S.ROLLING_BACK: frozenset({S.ROLLED_BACK, S.NEEDS_HUMAN}),
    S.COMPLETED: frozenset({S.ROLLING_BACK}),
    S.FAILED: frozenset({S.ROLLING_BACK}),
    S.ROLLED_BACK: frozenset(),
}
# Nothing more happens by itself.
SETTLED = (S.COMPLETED, S.FAILED, S.ROLLED_BACK, S.NEEDS_HUMAN)
