"""Plan templates, and recoveries: one try to end an incident under one decision [A2 A3]."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from actions.plans.document import Plan
from actions.plans.states import SETTLED, RecoveryState
from ai.models import Decision
from ai.record import tried
from awfdrs_site.kernel.ids import uuid7
from incidents.models import Incident
from tenants.models import Tenant


class RecoveryPlan(models.Model):
    """One version of a plan template. Never edited: an edit is the next version.

    Without a tenant it is everybody's; a tenant's own plan of the same name goes before it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True)
    name = models.SlugField(max_length=64)
    version = models.PositiveIntegerField()
    source = models.TextField(help_text="The plan as YAML.")
    document = models.JSONField(editable=False)
    # A retired plan is chosen no more; recoveries that run keep their own copy.
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name", "version"],
                name="recovery_plan_version",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def plan(self) -> Plan:
        return Plan.from_json(self.document)


class Recovery(models.Model):
    """How one recovery goes: its state, its plan as it was when it began, and its attempts.

    The attempts are rows of `Action`; the state follows from them (see `plans.engine`). A plain
    retry is a recovery without a plan: `document` is empty, and the state follows its actions.
    `facts`: what references may name of the incident and the decision, as it was then: what a step
    acts on does not change under it. `history`: every state with its time and reason, the first
    ones from before this row.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="recoveries")
    decision = models.ForeignKey(
        Decision, on_delete=models.PROTECT, related_name="recoveries", null=True
    )
    template = models.ForeignKey(RecoveryPlan, on_delete=models.PROTECT, null=True)
    document = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=RecoveryState, default=RecoveryState.PLANNING)
    reason = models.CharField(max_length=500, blank=True)
    history = models.JSONField(default=list)
    approved_by_name = models.CharField(max_length=150, blank=True)
    # What the approval binds to (`previewing.Shown.calls_hash`); kept when it has lapsed.
    approved_hash = models.CharField(max_length=64, blank=True)
    undo_asked_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    correlation_id = models.CharField(max_length=128, blank=True)

    class Meta:
        verbose_name_plural = "recoveries"
        constraints = [
            models.UniqueConstraint(
                fields=["incident"],
                condition=~Q(status__in=[str(state) for state in SETTLED]),
                name="recovery_one_under_way",
            ),
            models.CheckConstraint(
                condition=Q(status__in=RecoveryState.values), name="recovery_status"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "status", "-id"], name="recovery_by_status"),
            models.Index(fields=["tenant", "-id"], name="recovery_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.title} of {self.incident.label}"

    @property
    def title(self) -> str:
        return str(self.document.get("title") or "Retry")

    @property
    def tried(self) -> str:
        """Under which name its outcome is remembered."""
        return tried(str(self.document.get("name") or ""))

    def plan(self) -> Plan | None:
        """The plan it runs; None for a plain retry."""
        return Plan.from_json(self.document) if self.document else None
