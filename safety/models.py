"""May this happen: vendors (in vendor_models), rules, policies (in policy_models), switches.

Rules without a tenant are the defaults; a tenant's own rule of the same key wins.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from safety.policy_models import AutomationPolicy as AutomationPolicy  # noqa: PLC0414
from safety.vendor_models import BreakerChange as BreakerChange  # noqa: PLC0414
from safety.vendor_models import BreakerState as BreakerState  # noqa: PLC0414
from safety.vendor_models import OnOpen as OnOpen  # noqa: PLC0414
from safety.vendor_models import SavedCalls as SavedCalls  # noqa: PLC0414
from safety.vendor_models import Vendor as Vendor  # noqa: PLC0414
from tenants.models import Tenant, Workflow


class Severity(models.TextChoices):
    CRITICAL = "critical", "Critical"
    HIGH = "high", "High"
    MEDIUM = "medium", "Medium"
    LOW = "low", "Low"


class Backoff(models.TextChoices):
    EXPONENTIAL = "exponential", "Exponential"
    LINEAR = "linear", "Linear"
    FIXED = "fixed", "Fixed"
    NONE = "none", "No retries"


class RetryPolicy(models.Model):
    """How often and how long apart a retry is tried. Delays in seconds."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True)
    name = models.SlugField(max_length=64)
    kind = models.CharField(max_length=12, choices=Backoff, default=Backoff.EXPONENTIAL)
    max_retries = models.PositiveSmallIntegerField(
        default=3, validators=[MaxValueValidator(20)], help_text="Attempts, the first included."
    )
    initial_delay_seconds = models.FloatField(default=1.0, validators=[MinValueValidator(0.0)])
    max_delay_seconds = models.FloatField(
        default=300.0, validators=[MinValueValidator(0.0), MaxValueValidator(86_400.0)]
    )
    multiplier = models.FloatField(
        default=2.0, validators=[MinValueValidator(1.0), MaxValueValidator(10.0)]
    )
    jitter_ratio = models.FloatField(
        default=0.2,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Share of the delay that is random.",
    )

    class Meta:
        verbose_name_plural = "retry policies"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], name="retry_policy_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.name


class _FailureRule(models.Model):
    """What a kind of failure means; shared by error codes and message patterns."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.MEDIUM)
    category = models.CharField(max_length=64, default="unknown")
    retry_policy = models.ForeignKey(RetryPolicy, on_delete=models.PROTECT)
    escalate = models.BooleanField(default=False, help_text="A person must look, retry or not.")
    recommended_action = models.CharField(max_length=300, blank=True)
    plan = models.SlugField(
        max_length=64, blank=True, help_text="The recovery plan to run instead of a retry."
    )
    description = models.CharField(max_length=300, blank=True)

    class Meta:
        abstract = True


class ErrorCode(_FailureRule):
    code = models.CharField(max_length=100)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "code"], name="error_code_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.code


class MessagePattern(_FailureRule):
    """For failures without a code: the first pattern (by position) found in the message."""

    name = models.SlugField(max_length=64)
    pattern = models.CharField(max_length=512, help_text="RE2 syntax; no look-around.")
    position = models.PositiveSmallIntegerField(default=100)

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], name="message_pattern_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=~Q(pattern=""), name="message_pattern_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name


class EventKind(models.TextChoices):
    FAILURE = "failure", "Failure"
    SUCCESS = "success", "Success"
    CHANGE = "change", "Change"
    INFO = "info", "Information"


class EventTypeRule(models.Model):
    """What an event type means: `*.failed` → failure, `deploy.*` → change; first match wins."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True)
    pattern = models.CharField(max_length=100, help_text="`*.failed` or `deploy.*`")
    kind = models.CharField(max_length=10, choices=EventKind)
    position = models.PositiveSmallIntegerField(default=100)

    class Meta:
        ordering = ["position", "pattern"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "pattern"], name="event_type_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=~Q(pattern=""), name="event_type_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.pattern} → {self.kind}"


class SwitchScope(models.TextChoices):
    GLOBAL = "global", "Everything"
    TENANT = "tenant", "Tenant"
    WORKFLOW = "workflow", "Workflow"
    VENDOR = "vendor", "Vendor"
    ACTION = "action", "Action type"


class SwitchedKind(models.TextChoices):
    """Kinds of action that can be stopped; calling a person is none of them."""

    RETRY = "retry", "Retries"


class SwitchBlocks(models.TextChoices):
    AUTOMATION = "automation", "Automation"
    INGESTION = "ingestion", "Ingestion"
    BOTH = "both", "Automation and ingestion"


class KillSwitch(models.Model):
    """One press of a stop lever. Engaged from `engaged_at` until released or expired.

    A drill's row is released as it is written, so it never stops anything; the database holds that.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scope = models.CharField(max_length=10, choices=SwitchScope)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, null=True, blank=True)
    vendor = models.CharField(max_length=100, blank=True)
    action_kind = models.CharField(max_length=10, choices=SwitchedKind, blank=True)
    blocks = models.CharField(max_length=10, choices=SwitchBlocks, default=SwitchBlocks.AUTOMATION)
    reason = models.CharField(max_length=300, blank=True)
    engaged_at = models.DateTimeField()
    engaged_by = models.CharField(max_length=150)
    expires_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True)
    release_reason = models.CharField(max_length=300, blank=True)
    is_drill = models.BooleanField(default=False, editable=False)
    action_id = models.UUIDField(
        null=True,
        editable=False,
        help_text="The action that engaged it; null once a person wants it.",
    )

    class Meta:
        ordering = ["-engaged_at"]
        verbose_name_plural = "kill switches"
        constraints = [
            models.CheckConstraint(
                name="kill_switch_target",
                condition=(
                    Q(scope="global", tenant=None, workflow=None, vendor="", action_kind="")
                    | Q(tenant__isnull=False)
                    & (
                        Q(scope="tenant", workflow=None, vendor="", action_kind="")
                        | Q(scope="workflow", workflow__isnull=False, vendor="", action_kind="")
                        | Q(scope="vendor", workflow=None, action_kind="") & ~Q(vendor="")
                        | Q(scope="action", workflow=None, vendor="", blocks="automation")
                        & Q(action_kind__in=["retry"])
                    )
                ),
            ),
            models.CheckConstraint(
                name="kill_switch_expiry",
                condition=Q(expires_at=None) | Q(expires_at__gt=F("engaged_at")),
            ),
            models.CheckConstraint(
                name="kill_switch_drill_is_over",
                condition=Q(is_drill=False)
                | Q(released_at__isnull=False, released_at=F("engaged_at")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant"], name="kill_switch_engaged", condition=Q(released_at=None)
            )
        ]

    def __str__(self) -> str:
        return f"stop {self.target()}"

    def target(self) -> str:
        """What it stops, in words: `everything`, `workflow payments.capture`, `all retries`."""
        if self.scope == SwitchScope.GLOBAL:
            return "everything"
        if self.scope == SwitchScope.TENANT:
            return f"all of {self.tenant}"
        if self.scope == SwitchScope.WORKFLOW:
            return f"workflow {self.workflow}"
        if self.scope == SwitchScope.VENDOR:
            return f"vendor {self.vendor}"
        return f"all {self.get_action_kind_display().lower()}"

    def is_engaged(self, now: datetime) -> bool:
        return self.released_at is None and (self.expires_at is None or now < self.expires_at)
