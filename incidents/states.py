"""The life of an incident: its states and the one table of legal steps [I3]."""

from __future__ import annotations

from django.db import models


class IncidentStatus(models.TextChoices):
    NEW = "new", "New"
    ANALYZING = "analyzing", "Analyzing"
    ACTIONED = "actioned", "Actioned"
    RESOLVED = "resolved", "Resolved"
    IGNORED = "ignored", "Ignored"


S = IncidentStatus
CLOSED = (S.RESOLVED, S.IGNORED)
OPEN = tuple(status for status in S if status not in CLOSED)
TRANSITIONS: dict[str, frozenset[str]] = {
    S.NEW: frozenset({S.ANALYZING, S.RESOLVED, S.IGNORED}),
    S.ANALYZING: frozenset({S.ACTIONED, S.RESOLVED, S.IGNORED}),
    S.ACTIONED: frozenset({S.ANALYZING, S.RESOLVED, S.IGNORED}),
    # Reopening: a regression, or a person.
    S.RESOLVED: frozenset({S.NEW}),
    S.IGNORED: frozenset({S.NEW, S.RESOLVED}),
}


class Recovery(models.TextChoices):
    """How far the recovery of an open incident is; follows its latest action."""

    NONE = "", "No plan"
    WAITING = "waiting", "Needs approval"
    RUNNING = "running", "Recovering"
    VERIFYING = "verifying", "Verifying"
    BLOCKED = "blocked", "Blocked"
    FAILED = "failed", "Failed"
    ESCALATED = "escalated", "Escalated"
    RECOVERED = "recovered", "Recovered"
