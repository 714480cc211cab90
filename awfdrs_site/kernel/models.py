"""The two tables every app shares: work to be done, and the audit log."""

from __future__ import annotations

from django.db import models


class Work(models.Model):
    """One thing for one stage to look at: the row is the queue.

    It is written in the transaction that makes the work necessary and deleted in the transaction
    that does it, so a crash anywhere leaves it to the next worker. `attempts` counts failures.
    A subject may have several rows (a unique key would make writers wait for workers, and workers
    for writers): handlers look at the subject, not at the row, and find nothing left to do.
    """

    stage = models.CharField(max_length=16)
    tenant_id = models.UUIDField()
    subject_id = models.UUIDField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(default="", blank=True)
    correlation_id = models.CharField(max_length=128, default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["stage", "due_at", "id"], name="work_due")]
        verbose_name_plural = "work"

    def __str__(self) -> str:
        return f"{self.stage} {self.subject_id}"


class AuditEntry(models.Model):
    """Who changed what, from what to what. Append-only: a trigger refuses UPDATE and DELETE."""

    tenant_id = models.UUIDField(null=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    verb = models.CharField(max_length=64)
    subject_type = models.CharField(max_length=64)
    subject_id = models.CharField(max_length=64)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    comment = models.TextField(default="", blank=True)
    correlation_id = models.CharField(max_length=128, default="", blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id", "-at"], name="audit_by_time"),
            models.Index(fields=["subject_type", "subject_id"], name="audit_by_subject"),
            # What somebody rare did, without a walk through what everybody did.
            models.Index(fields=["tenant_id", "actor", "-at", "-id"], name="audit_by_actor"),
            models.Index(fields=["tenant_id", "verb", "-at", "-id"], name="audit_by_verb"),
        ]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.subject_type} {self.subject_id}"
