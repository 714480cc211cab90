"""In: every event as it was received, once and for ever."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Upper

from awfdrs_site.kernel.ids import uuid7
from safety.models import EventKind
from tenants.models import Tenant, Workflow


class VendorOutcome(models.TextChoices):
    """How the call to its vendor ended, as far as an event tells."""

    NONE = "", "Says nothing"
    SUCCESS = "success", "Success"
    FAILURE = "failure", "Failure"


class Event(models.Model):
    """Immutable and append-only: a trigger refuses UPDATE, and DELETE outside retention [E5].

    `kind` is what the event type meant when it came in; `payload` is scrubbed of secrets.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, db_index=False)
    event_type = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=EventKind)
    payload = models.JSONField()
    idempotency_key = models.CharField(max_length=255)
    # SHA-256 over the sender's document, scrubbed: same key with other content is a conflict.
    content_hash = models.BinaryField(max_length=32)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    clock_skew = models.BooleanField(
        default=False, help_text="occurred_at was over 5 min ahead or 30 d behind."
    )
    schema_version = models.CharField(max_length=10)
    correlation_id = models.CharField(max_length=128)
    resource_type = models.CharField(max_length=100, blank=True)
    resource_id = models.CharField(max_length=255, blank=True)
    fingerprint = models.CharField(max_length=255, blank=True)
    # Copied out of the payload, because detection and pages filter by them.
    error_code = models.CharField(max_length=100, blank=True)
    vendor = models.CharField(max_length=100, blank=True)
    # What its breaker counts; decided when it came in, as `kind` is.
    vendor_outcome = models.CharField(
        max_length=7, choices=VendorOutcome, default=VendorOutcome.NONE, blank=True
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "idempotency_key"], name="event_once_per_key"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=EventKind.values), name="event_kind"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-received_at"], name="event_by_time"),
            models.Index(fields=["tenant", "workflow", "-received_at"], name="event_by_workflow"),
            models.Index(fields=["tenant", "correlation_id"], name="event_by_correlation"),
            # Upper, as iexact asks.
            models.Index(
                "tenant",
                Upper("vendor"),
                "vendor_outcome",
                "received_at",
                name="event_by_vendor_call",
                condition=~models.Q(vendor_outcome=""),
            ),
            # The few markers of a chart, among events that are nearly all of other kinds.
            models.Index(
                fields=["tenant", "-received_at"],
                name="event_changes",
                condition=models.Q(kind=EventKind.CHANGE),
            ),
            models.Index(
                fields=["workflow", "-received_at"],
                name="event_changes_of_workflow",
                condition=models.Q(kind=EventKind.CHANGE),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.id}"

    @property
    def error_message(self) -> str:
        value = self.payload.get("error_message", "")
        return value if isinstance(value, str) else ""


class EventCount(models.Model):
    """How many events a workflow sent in one step of time; derived from the events, see counts.

    `step_minutes` is one of counts.STEPS; a step starts on a round time of UTC.
    """

    pk = models.CompositePrimaryKey("tenant_id", "step_minutes", "at", "workflow_id")
    # No foreign keys: what is derived may outlive its origin for a moment, and locks nothing of it.
    tenant_id = models.UUIDField()
    step_minutes = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    workflow_id = models.UUIDField()
    events = models.IntegerField()
    failures = models.IntegerField()
    successes = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.events} from {self.at}"


class FreshCount(models.Model):
    """What a statement added to a minute and `counts.fold` has not put into EventCount yet.

    Written by a trigger beside the events, whoever inserts them (or removes them: then negative).
    """

    tenant_id = models.UUIDField()
    at = models.DateTimeField()
    workflow_id = models.UUIDField()
    events = models.IntegerField()
    failures = models.IntegerField()
    successes = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.events:+} from {self.at}"
