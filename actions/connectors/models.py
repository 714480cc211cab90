"""Connectors, and the log of every call that went over one."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from awfdrs_site.kernel import sealing
from awfdrs_site.kernel.ids import uuid7
from tenants.models import Tenant


class Connector(models.Model):
    """A system that plans may call, of one of the kinds in `actions/connectors/kinds`.

    `sealed`: its secret, which opens only for this row and only with a key that is not in the
    database. Written, never shown.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="connectors")
    kind = models.CharField(max_length=20)
    name = models.CharField(
        max_length=64,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9._-]*$", "Lower-case, dotted.")],
        help_text="What a plan's step calls it: connector: name.",
    )
    settings = models.JSONField(default=dict, blank=True)
    sealed = models.BinaryField(default=b"", editable=False)
    dry_run = models.BooleanField(
        default=True, help_text="Nothing leaves: what would have been called is logged."
    )
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="connector_name_per_tenant")
        ]

    def __str__(self) -> str:
        return self.name

    def keep_secret(self, secret: str) -> None:
        """Seal `secret` for this row; nothing is saved."""
        self.sealed = sealing.seal(secret, self.tenant_id, self.pk)

    def secret(self) -> str:
        """The secret itself; empty if there is none. Raises SealBrokenError."""
        sealed = bytes(self.sealed)
        return sealing.unseal(sealed, self.tenant_id, self.pk) if sealed else ""


class Certainty(models.TextChoices):
    ACCEPTED = "accepted", "Accepted"
    REFUSED = "refused", "Refused"
    UNKNOWN = "unknown", "Unknown"
    DRY_RUN = "dry_run", "Dry run"


class Delivery(models.Model):
    """One call that went out, or would have: who was called and what came back, no bodies.

    `action`: none where a person tested the connection.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    connector = models.ForeignKey(
        Connector, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    action = models.ForeignKey(
        "actions.Action", on_delete=models.CASCADE, null=True, related_name="deliveries"
    )
    at = models.DateTimeField()
    method = models.CharField(max_length=40)
    host = models.CharField(max_length=255)
    status = models.PositiveSmallIntegerField(default=0, help_text="Of the reply; 0: none.")
    certainty = models.CharField(max_length=10, choices=Certainty)
    duration_ms = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(certainty__in=Certainty.values), name="delivery_certainty"
            )
        ]
        indexes = [
            models.Index(fields=["connector", "-id"], name="delivery_by_connector"),
            models.Index(fields=["tenant", "-id"], name="delivery_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.host}: {self.get_certainty_display()}"
