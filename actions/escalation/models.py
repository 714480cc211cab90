"""Channels, who is called when, and the ledger of every call [A6]."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from actions.escalation.schedule import DAY_SECONDS, FAILING_AFTER, Policy, read_steps
from actions.escalation.states import PageStatus
from awfdrs_site.kernel import sealing
from awfdrs_site.kernel.ids import uuid7
from incidents.models import Incident
from safety.models import Severity
from tenants.models import Tenant

# The kind of action whose pages are notices.
NOTIFY = "notify"


class Channel(models.Model):
    """A way to reach people. `sealed`: its address, which holds the secrets, readable by us alone.

    `failures`: calls in a row that did not arrive; `failing_since` is set after a few of them.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False)
    name = models.CharField(max_length=100, help_text="As people read it: “Anna's phone”.")
    kind = models.CharField(max_length=20, editable=False)
    sealed = models.BinaryField()
    enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=300, blank=True, editable=False)
    last_delivered_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="channel_name")]

    def __str__(self) -> str:
        return self.name

    def keep_secret(self, url: str) -> None:
        """Seal `url` for this row; nothing is saved."""
        self.sealed = sealing.seal(url, self.tenant_id, self.pk)

    def secret(self) -> str:
        """The URL in the clear: for the call, and never shown. Raises SealBrokenError."""
        return sealing.unseal(bytes(self.sealed), self.tenant_id, self.pk)

    def get_kind_display(self) -> str:
        from actions.escalation.kinds import (
            KINDS,
        )  # it reads no settings, but knows this app's words

        kind = KINDS.get(self.kind)
        return kind.label if kind else self.kind

    def count(self, *, delivered: bool, detail: str, now: datetime) -> None:
        """Take note of one more call."""
        if delivered:
            self.failures, self.failing_since, self.last_error = 0, None, ""
            self.last_delivered_at = now
            return
        self.failures, self.last_error = self.failures + 1, detail[:300]
        if self.failures >= FAILING_AFTER and self.failing_since is None:
            self.failing_since = now


def check_steps(value: object) -> None:
    """Raises ValidationError unless it is a policy's steps."""
    try:
        read_steps(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class EscalationPolicy(models.Model):
    """Who is called when an incident of this severity is escalated; empty: for all other ones.

    A tenant without a policy has all its channels called at once.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False)
    severity = models.CharField(
        max_length=10, choices=Severity, blank=True, help_text="Empty: every other severity."
    )
    steps = models.JSONField(
        default=list,
        blank=True,
        validators=[check_steps],
        help_text='[{"after_seconds": 0, "channels": ["Anna"]}, {"after_seconds": 600, "channels": '
        '["Anna", "Team"]}]. No steps: the log alone.',
    )
    repeats = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(10)],
        help_text="How often all steps are gone through again, until somebody acknowledges.",
    )
    repeat_after_seconds = models.PositiveIntegerField(
        default=900,
        validators=[MinValueValidator(60), MaxValueValidator(DAY_SECONDS)],
        help_text="The pause before they are.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "severity"], name="escalation_policy_one")
        ]
        verbose_name_plural = "escalation policies"

    def __str__(self) -> str:
        return self.get_severity_display() if self.severity else "every other severity"

    def read(self) -> Policy:
        """The row as `schedule` takes it."""
        return Policy(read_steps(self.steps), self.repeats, self.repeat_after_seconds)


class Page(models.Model):
    """One notice to one channel: work row of the stage `page`, and its line in the ledger.

    The id is the key that the receiver tells repetitions by. Without an incident it is a test.
    `escalation`: the action that tells people, an escalation or the `notify` step of a plan.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, null=True, related_name="pages"
    )
    escalation = models.ForeignKey(
        "actions.Action", on_delete=models.CASCADE, null=True, db_index=False, related_name="pages"
    )
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="pages")
    step = models.PositiveSmallIntegerField(default=0)
    round = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=10, choices=PageStatus, default=PageStatus.PENDING)
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # What the last call came to, or why there was none.
    detail = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    correlation_id = models.CharField(max_length=128, blank=True)

    class Meta:
        constraints = [
            # De-duplication: an escalation calls a channel once for a step and round.
            models.UniqueConstraint(
                fields=["escalation", "step", "round", "channel"], name="page_once"
            ),
            models.CheckConstraint(condition=Q(status__in=PageStatus.values), name="page_status"),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="page_due", condition=Q(status=PageStatus.PENDING)
            ),
            models.Index(
                fields=["leased_until"], name="page_lease", condition=Q(status=PageStatus.SENDING)
            ),
            models.Index(fields=["tenant", "-id"], name="page_by_time"),
        ]

    def __str__(self) -> str:
        return f"page to {self.channel_id}"

    @property
    def is_notice(self) -> bool:
        """It informs: nobody has to answer, so no answer stops it."""
        return self.escalation is not None and self.escalation.kind == NOTIFY
