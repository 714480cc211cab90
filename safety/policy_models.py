"""What automation may do by itself; part of models.py."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from safety.gate import GATED
from safety.rule_types import MOST_HELD_BACK, Rung
from tenants.models import Tenant, Workflow


def check_thresholds(value: object) -> None:
    """Raises ValidationError unless it maps kinds of action to numbers from 0.01 to 1."""
    if not isinstance(value, dict):
        raise ValidationError("Needs a mapping from a kind of action to its line.")
    for kind, line in value.items():
        if kind not in GATED:
            raise ValidationError(f"No kind of action: one of {', '.join(GATED)}.")
        number = isinstance(line, int | float) and not isinstance(line, bool)
        if not number or not 0.01 <= line <= 1:
            raise ValidationError(f"The line of {kind} is a number from 0.01 to 1.")


class SecondApprover(models.TextChoices):
    """Which approvals need two people."""

    NEVER = "never", "Never"
    CRITICAL = "critical", "For critical incidents"
    ALWAYS = "always", "Always"


class TrustRung(models.TextChoices):
    """How far an action may go for a signature, the least first."""

    OBSERVE = "observe", "Observe"
    SUGGEST = "suggest", "Suggest"
    APPROVE = "approve", "Approve"
    AUTOMATIC = "automatic", "Automatic"


class AutomationPolicy(models.Model):
    """What automation may do by itself. The most specific row wins: workflow, tenant, default.

    A row that is over (`expires_at`) does not count any more.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, null=True, blank=True)
    confidence_threshold = models.FloatField(
        default=0.8,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="The auto line: below it a person decides.",
    )
    confidence_thresholds = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_thresholds],
        help_text='Other lines for single kinds of action: {"retry": 0.9}.',
    )
    max_attempts = models.PositiveSmallIntegerField(
        default=5, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    max_actions_per_hour = models.PositiveIntegerField(
        default=600, help_text="Automated actions of the tenant in any hour (blast radius)."
    )
    max_actions_per_day = models.PositiveIntegerField(
        default=5000, help_text="The same in any 24 hours."
    )
    max_incident_retries_per_day = models.PositiveIntegerField(
        default=20, help_text="Retries of one incident in any 24 hours, in all its openings."
    )
    max_workflow_retries_per_hour = models.PositiveIntegerField(default=300)
    max_vendor_retries_per_hour = models.PositiveIntegerField(default=300)
    cooldown_seconds = models.PositiveIntegerField(default=300)
    recurrence_seconds = models.PositiveIntegerField(
        default=3600,
        help_text="What fails again this soon after a retry had worked was not mended by it.",
    )
    max_ineffective = models.PositiveSmallIntegerField(
        default=3,
        help_text="So many such recoveries in 24 hours, and a person is called instead.",
    )
    approval_seconds = models.PositiveIntegerField(
        default=900, help_text="How long an approval waits before it expires and escalates."
    )
    verify_seconds = models.PositiveIntegerField(
        default=60, help_text="How long a recovery may take to show in the workflow's own events."
    )
    dry_run = models.BooleanField(
        default=False, help_text="Automation decides and sends nothing; a person may run it."
    )
    second_approver = models.CharField(
        max_length=10,
        choices=SecondApprover,
        default=SecondApprover.CRITICAL,
        help_text="Which approvals need two people.",
    )
    requester_may_approve = models.BooleanField(
        default=True, help_text="Off: who asks for a recovery cannot approve it."
    )
    trust_successes = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="So many verified successes on a rung of trust climb to the next one.",
    )
    trust_start_retry = models.CharField(
        max_length=10,
        choices=TrustRung,
        default=TrustRung.AUTOMATIC,
        help_text="Where retries begin.",
    )
    trust_start_plan = models.CharField(
        max_length=10,
        choices=TrustRung,
        default=TrustRung.APPROVE,
        help_text="Where plans begin.",
    )
    held_back_percent = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(MOST_HELD_BACK)],
        help_text="Of low-risk cases, the share that only waits first: what heals alone?",
    )
    held_back_seconds = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="How long those wait; then they run as ever.",
    )
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on this policy does not count any more."
    )

    class Meta:
        verbose_name_plural = "automation policies"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "workflow"], name="automation_policy_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(confidence_threshold__gte=0, confidence_threshold__lte=1),
                name="automation_threshold_range",
            ),
        ]

    def __str__(self) -> str:
        return f"policy of {self.workflow or self.tenant or 'everyone'}"

    def approvals_needed(self, severity: str) -> int:
        """How many people must approve what waits, of an incident of the severity."""
        both = self.second_approver == SecondApprover.ALWAYS or (
            self.second_approver == SecondApprover.CRITICAL and severity == "critical"
        )
        return 2 if both else 1

    @staticmethod
    def in_force(now: datetime) -> Q:
        """The rows that are not over."""
        return Q(expires_at=None) | Q(expires_at__gt=now)

    def threshold_for(self, action_kind: str) -> float:
        """From which confidence on automation may do this by itself."""
        line: float = self.confidence_thresholds.get(action_kind, self.confidence_threshold)
        return line

    def trust_start_for(self, action_kind: str) -> Rung:
        """On which rung an action begins that nothing is known of."""
        start = self.trust_start_plan if action_kind == "plan" else self.trust_start_retry
        return cast(Rung, start)
