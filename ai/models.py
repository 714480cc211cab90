"""What we think: one immutable Decision per analysis [D4]."""

from __future__ import annotations

from django.db import models

from ai.record import tried
from awfdrs_site.kernel.ids import uuid7
from incidents.models import Incident
from safety.policy_models import TrustRung
from tenants.models import Tenant


class DecisionType(models.TextChoices):
    RETRY = "retry", "Retry"
    ESCALATE = "escalate", "Escalate"
    PLAN = "plan", "Run a recovery plan"
    NONE = "none", "Do nothing"


class Decision(models.Model):
    """A conclusion with everything it was drawn from; a trigger refuses UPDATE and DELETE.

    `inputs` is the whole `ai.decide.Case`: deciding from it again gives this row again.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="decisions")
    type = models.CharField(max_length=10, choices=DecisionType)
    category = models.CharField(max_length=64)
    severity = models.CharField(max_length=10)
    confidence = models.FloatField()
    confidence_parts = models.JSONField()
    hypotheses = models.JSONField()
    similar = models.JSONField()
    reasoning = models.TextField()
    recommended_action = models.CharField(max_length=300)
    parameters = models.JSONField()
    model = models.CharField(max_length=40)
    inputs = models.JSONField()
    created_at = models.DateTimeField()
    correlation_id = models.CharField(max_length=128, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confidence__gte=0, confidence__lte=1), name="decision_confidence"
            ),
            models.CheckConstraint(
                condition=models.Q(type__in=DecisionType.values), name="decision_type"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="decision_by_time")]

    def __str__(self) -> str:
        return f"{self.type} at {self.confidence:.2f}"

    @property
    def tried(self) -> str:
        """Under which name it is remembered what it brought about (`Outcome.action`)."""
        return tried(self.parameters.get("plan", ""))


class TrustSetting(models.Model):
    """A rung that a person has set: what is earned or lost counts from then on. Never changed; the
    newest holds."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False)
    signature = models.CharField(max_length=32)
    action = models.CharField(max_length=80)
    rung = models.CharField(max_length=10, choices=TrustRung)
    set_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rung__in=TrustRung.values), name="trust_setting_rung"
            )
        ]
        indexes = [
            models.Index(
                fields=["tenant", "signature", "action", "-at"], name="trust_setting_by_at"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rung} for {self.action} of {self.signature}"


class OutcomeResult(models.TextChoices):
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    RECURRED = "recurred", "Came back after it had worked"
    REJECTED = "rejected", "Rejected by a person"
    REVERSED = "reversed", "Taken back by a person"


class Outcome(models.Model):
    """What became of one try: what the next decision on the same signature learns from [D5].

    `action`: what was tried, `retry` or `plan:` and its name; `wait` where the case was held back
    to see whether it heals alone. `ends_recovery` is False for a failed attempt that a further one
    follows: only how the whole recovery ended says whether trying helps. A success is turned once,
    into what came back or was taken back.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="outcomes")
    signature = models.CharField(max_length=32)
    action = models.CharField(max_length=80)
    result = models.CharField(max_length=10, choices=OutcomeResult)
    ends_recovery = models.BooleanField()
    seconds_to_recover = models.FloatField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(result__in=OutcomeResult.values), name="outcome_result"
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "signature", "action", "-at"], name="outcome_by_action"),
            # What is learnt looks at the newest thousands: in the index alone.
            models.Index(
                fields=["tenant", "-at"],
                name="outcome_newest",
                include=["id", "signature", "action", "result", "ends_recovery"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.result} for {self.incident_id}"
