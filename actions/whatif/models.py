"""A replay that a person asked for; part of models.py."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from awfdrs_site.kernel.ids import uuid7
from tenants.models import Tenant


class RunStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class WhatIfRun(models.Model):
    """Work row of the `replay` stage, its progress, and in the end its report [S10].

    A run is taken by raising `attempts`; whoever holds the latest number writes, and says so at
    `touched_at`. `draft`: what `actions.whatif.drafts.draft_of` reads.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False)
    asked_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    days = models.PositiveSmallIntegerField()
    draft = models.JSONField()
    status = models.CharField(max_length=8, choices=RunStatus, default=RunStatus.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    touched_at = models.DateTimeField()
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    report = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=RunStatus.values), name="what_if_run_status"
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="what_if_run_by_time"),
            models.Index(
                fields=["created_at"], name="what_if_run_due",
                condition=Q(status__in=["waiting", "running"]),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"replay of {self.days} days"

    @property
    def is_over(self) -> bool:
        return self.status in (RunStatus.DONE, RunStatus.FAILED)
