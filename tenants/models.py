"""Who: tenants, their workflows, the people and keys that may act for them."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models


class Tenant(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    is_active = models.BooleanField(default=True)
    events_per_minute = models.PositiveIntegerField(
        default=60_000,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text="Quota for event ingestion; over it the API answers 429.",
    )
    # The last incident number given out; bumped under the row's lock.
    last_incident_number = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Engine(models.TextChoices):
    """Which of a workflow's engines is meant."""

    PRIMARY = "primary", "Own engine"
    STANDBY = "standby", "Standby engine"


class Workflow(models.Model):
    """A workflow of a tenant's engine, and where to ask that engine for a retry.

    While it is failed over its standby engine is asked; `engines` alone writes those columns.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="workflows")
    name = models.CharField(
        max_length=100,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9._-]*$", "Lower-case, dotted.")],
    )
    description = models.CharField(max_length=300, blank=True)
    is_active = models.BooleanField(default=True)
    retry_url = models.URLField(
        blank=True,
        help_text="The engine's retry endpoint; empty: AWFDRS cannot retry, it escalates.",
    )
    retry_secret = models.CharField(
        max_length=200,
        blank=True,
        help_text="whsec_… shared with the engine; signs every call (Standard Webhooks).",
    )
    standby_retry_url = models.URLField(
        blank=True,
        help_text="The same of an engine that can stand in; a plan may fail over to it.",
    )
    standby_retry_secret = models.CharField(
        max_length=200, blank=True, help_text="whsec_… shared with the standby engine."
    )
    failed_over_at = models.DateTimeField(null=True, editable=False)
    failed_over_by = models.CharField(max_length=150, blank=True, editable=False)
    failover_action_id = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="workflow_name_per_tenant")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def engine(self) -> Engine:
        """The one that is asked for retries; without a standby there is only its own."""
        failed_over = self.failed_over_at is not None and self.standby_retry_url
        return Engine.STANDBY if failed_over else Engine.PRIMARY

    def endpoint(self, engine: str) -> tuple[str, str]:
        """The engine's retry address and its secret."""
        if engine == Engine.STANDBY:
            return self.standby_retry_url, self.standby_retry_secret
        return self.retry_url, self.retry_secret


class Role(models.TextChoices):
    """What a person may do in a tenant; each includes the ones before it."""

    VIEWER = "viewer", "Viewer"
    RESPONDER = "responder", "Responder"
    ADMIN = "admin", "Admin"


class Membership(models.Model):
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}: {self.role}"


class Theme(models.TextChoices):
    DARK = "dark", "Dark"
    LIGHT = "light", "Light"
    AUTO = "auto", "As the system"


class Density(models.TextChoices):
    COMFORTABLE = "comfortable", "Comfortable"
    COMPACT = "compact", "Compact"


class Preferences(models.Model):
    """How one person's pages look, in every browser. Without a row: these defaults."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="preferences",
    )
    # Empty: the browser's, and UTC where it says none.
    time_zone = models.CharField(max_length=64, blank=True)
    # Empty: what was chosen in the browser.
    theme = models.CharField(max_length=5, choices=Theme, blank=True)
    density = models.CharField(max_length=11, choices=Density, default=Density.COMFORTABLE)
    single_keys = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"pages of {self.user}"


class Scope(models.TextChoices):
    INGEST = "ingest", "Post events"
    READ = "read", "Read"
    ACT = "act", "Act and approve"
    ADMIN = "admin", "Configure"


class ApiKey(models.Model):
    """A tenant's key for integrations. Only its hash is stored; the key is shown once."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    hash = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} (awf_{self.prefix}_…)"

    def is_usable(self, now: Any) -> bool:
        """Neither revoked nor expired at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class SpentToken(models.Model):
    """A refresh token that was exchanged for the next one. Kept until it expires."""

    jti = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.jti
