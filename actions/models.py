"""What we do: one Action is one send, with its gate receipt and its outcome."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q

from actions.connectors.models import Connector, Delivery
from actions.escalation.models import Channel, EscalationPolicy, Page
from actions.plans.models import Recovery, RecoveryPlan
from actions.states import ACTIVE, STANDING, ActionStatus
from actions.whatif.models import RunStatus, WhatIfRun
from ai.models import Decision
from ai.record import RETRY
from awfdrs_site.kernel.ids import uuid7
from incidents.models import Incident
from safety.models import KillSwitch
from tenants.models import Tenant

if TYPE_CHECKING:
    from actions.catalog.kind import Kind

__all__ = [
    "Action",
    "ActionKind",
    "Channel",
    "Connector",
    "Delivery",
    "EscalationPolicy",
    "Page",
    "Recovery",
    "RecoveryPlan",
    "RunStatus",
    "WhatIfRun",
]


class ActionKind(models.TextChoices):
    """The kinds that decisions name; plans may name any of `actions/catalog`."""

    RETRY = "retry", "Retry"
    ESCALATE = "escalate", "Escalate"
    NONE = "none", "Do nothing"


class StepRole(models.TextChoices):
    """What an attempt is to its plan."""

    DO = "do", "Step"
    VERIFY = "verify", "Verification"
    UNDO = "undo", "Undo"


class Action(models.Model):
    """One attempt. The id is the target's Idempotency-Key; a further attempt is a further row.

    Work row of the `send` stage: due at `due_at`, leased until `leased_until` by the worker that
    holds `fence` (it grows with each claim, so a worker that lost its lease writes nothing).
    `stopped_by`: the kill switch that blocked it last, kept whatever became of it since.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="actions")
    decision = models.ForeignKey(
        Decision, on_delete=models.PROTECT, related_name="actions", null=True
    )
    kind = models.CharField(max_length=40)
    acts = models.BooleanField(
        default=True, help_text="It changes something out there, so the gate is asked."
    )
    recovery = models.ForeignKey(
        Recovery, on_delete=models.PROTECT, related_name="actions", null=True
    )
    # Of a plan's recovery: which step, and whether it does, verifies or undoes.
    step = models.CharField(max_length=64, blank=True)
    role = models.CharField(max_length=10, choices=StepRole, blank=True)
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="reversals", null=True
    )
    status = models.CharField(max_length=10, choices=ActionStatus, default=ActionStatus.PLANNED)
    timeout_seconds = models.PositiveIntegerField(
        default=300, help_text="How long the target may work on it once it was taken."
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    chunk = models.PositiveSmallIntegerField(
        default=1, help_text="Of a retry at a pace: which part of the attempt this send is."
    )
    max_attempts = models.PositiveSmallIntegerField(default=1)
    parameters = models.JSONField(default=dict)
    receipt = models.JSONField(default=dict)
    stopped_by = models.ForeignKey(
        KillSwitch, on_delete=models.PROTECT, null=True, db_index=False, related_name="skipped"
    )
    result = models.JSONField(default=dict)
    requested_by = models.CharField(max_length=150, default="automation")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    decided_by_name = models.CharField(max_length=150, blank=True)
    decision_comment = models.TextField(blank=True)
    # Who has approved so far: [{by, user_id, at, calls_hash}]; see `approval`.
    approvals = models.JSONField(default=list)
    # What the approval binds to (`previewing.Shown.calls_hash`); kept when it has lapsed.
    approved_hash = models.CharField(max_length=64, blank=True)
    sent_at = models.DateTimeField(null=True)
    verify_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    correlation_id = models.CharField(max_length=128, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident"],
                condition=Q(status__in=[str(s) for s in ACTIVE], kind=ActionKind.RETRY),
                name="action_one_active_retry",
            ),
            # What a plan asks for is started once, whoever looks when [P9].
            models.UniqueConstraint(
                fields=["recovery", "step", "role", "attempt", "chunk"],
                condition=~Q(step=""),
                name="action_once_in_plan",
            ),
            # What takes an action back runs once, unless it failed or was called off.
            models.UniqueConstraint(
                fields=["reverses"],
                condition=Q(status__in=[str(s) for s in STANDING]),
                name="action_reversed_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=ActionStatus.values), name="action_status"
            ),
            models.CheckConstraint(
                condition=~Q(status=ActionStatus.WAITING) | Q(expires_at__isnull=False),
                name="action_waiting_expires",
            ),
        ]
        indexes = [
            # Whether somebody was asked for an incident: most are never.
            models.Index(
                fields=["incident", "created_at"],
                name="action_by_person",
                condition=Q(acts=True, decided_at__isnull=False),
            ),
            # What waits for a person, the first to expire first.
            models.Index(
                fields=["tenant", "expires_at", "id"],
                name="action_waiting",
                condition=Q(status=ActionStatus.WAITING),
            ),
            models.Index(
                fields=["due_at"],
                name="action_due",
                condition=Q(status__in=["planned", "claimed", "sending", "unknown", "verifying"]),
            ),
            # What the caps count: retries that were sent, newest first.
            models.Index(
                fields=["tenant", "-sent_at"],
                name="action_retries_sent",
                condition=Q(acts=True, sent_at__isnull=False),
                include=["incident", "decided_by_name"],
            ),
            models.Index(fields=["tenant", "status", "-id"], name="action_by_status"),
            models.Index(fields=["tenant", "-id"], name="action_by_time"),
            models.Index(
                fields=["stopped_by", "-id"],
                name="action_skipped",
                condition=Q(stopped_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.attempt} of {self.max_attempts}"

    def get_kind_display(self) -> str:
        """The kind in words, as the catalog has it."""
        kind = self.catalog_kind
        return kind.label if kind else self.kind

    @property
    def catalog_kind(self) -> Kind | None:
        """What the catalog has under its kind; None for one that is there no more."""
        from actions.catalog import kinds  # the catalog's modules import this one

        return kinds().get(self.kind)

    @property
    def tried(self) -> str:
        """Under which name its outcome is remembered."""
        return self.recovery.tried if self.recovery else RETRY

    def has_expired(self, now: datetime) -> bool:
        """A waiting approval past its time: nobody can approve it any more."""
        return self.expires_at is not None and now >= self.expires_at
