"""Vendors and their circuit breakers; part of models.py."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import cast

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from awfdrs_site.kernel.ids import uuid7
from safety.breaker import Breaker, BreakerPolicy, State, half_open_at
from safety.throttle import Throttle, holding, strictest
from tenants.models import Tenant

_FROM_1, _AN_HOUR = MinValueValidator(1), MaxValueValidator(3600)


class BreakerState(models.TextChoices):
    CLOSED = "closed", "Closed"
    OPEN = "open", "Open"
    HALF_OPEN = "half_open", "Half-open"
    FORCED_OPEN = "forced_open", "Forced open"
    DISABLED = "disabled", "Disabled"


class OnOpen(models.TextChoices):
    """What becomes of events of a vendor whose breaker is open."""

    REFUSE = "refuse", "Refuse them with 503"
    RECORD = "record", "Record them, hold actions"


class Vendor(models.Model):
    """An outside service that workflows of one tenant call, with its breaker and rate limit.

    The breaker's columns are written by `breakers` alone, under the row's lock; `breaker_state` is
    what was last written: what time has made of it since says `breaker().state`.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="vendors")
    name = models.CharField(max_length=100)
    requests_per_minute = models.PositiveIntegerField(
        default=600,
        validators=[_FROM_1, MaxValueValidator(1_000_000)],
        help_text="Events that name it, and as many calls: recoveries and permits.",
    )
    failure_threshold = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1)],
        help_text="Failures in the window that open the breaker.",
    )
    window_seconds = models.PositiveIntegerField(default=60, validators=[_FROM_1, _AN_HOUR])
    minimum_calls = models.PositiveIntegerField(
        default=1, help_text="With fewer calls in the window it never opens."
    )
    failure_ratio = models.FloatField(
        default=0.5,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="The share of the window's calls that must have failed, too.",
    )
    slow_call_ms = models.PositiveIntegerField(
        default=0, help_text="A call this slow counts as a failure; 0: none does."
    )
    open_seconds = models.PositiveIntegerField(default=300)
    half_open_probes = models.PositiveSmallIntegerField(
        default=3, validators=[_FROM_1, MaxValueValidator(100)]
    )
    probe_seconds = models.PositiveIntegerField(
        default=120, validators=[_FROM_1, _AN_HOUR], help_text="How long a probe's lease lasts."
    )
    on_open = models.CharField(max_length=10, choices=OnOpen, default=OnOpen.REFUSE)
    release_per_second = models.PositiveSmallIntegerField(
        default=5,
        validators=[_FROM_1],
        help_text="How many held recoveries start each second once it is closed again.",
    )
    breaker_state = models.CharField(
        max_length=12, choices=BreakerState, default=BreakerState.CLOSED
    )
    breaker_changed_at = models.DateTimeField(null=True, blank=True)
    breaker_data = models.JSONField(default=dict, editable=False)
    calls_saved = models.PositiveBigIntegerField(
        default=0, help_text="Events and calls that an open breaker kept back."
    )
    # What slows our calls to it for a time (`throttle.Throttle`); written by `throttling` alone.
    throttles = models.JSONField(default=list, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="vendor_name_per_tenant"),
            models.CheckConstraint(
                condition=Q(breaker_state__in=BreakerState.values), name="vendor_breaker_state"
            ),
            # Without its time an open breaker would never half-open.
            models.CheckConstraint(
                condition=Q(breaker_state="closed") | Q(breaker_changed_at__isnull=False),
                name="vendor_breaker_since",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def breaker(self) -> Breaker:
        """The breaker as it was last written; `breaker.as_of` brings it to an instant."""
        state = cast(State, self.breaker_state)
        return Breaker.from_json(state, self.breaker_changed_at, self.breaker_data)

    def policy(self) -> BreakerPolicy:
        names = (field.name for field in fields(BreakerPolicy))
        return BreakerPolicy(**{name: getattr(self, name) for name in names})

    def throttle(self, now: datetime) -> Throttle | None:
        """What holds the calls below the vendor's own limit at `now`, if anything does."""
        found = strictest(holding(self.throttles, now))
        return found if found and found.per_minute < self.requests_per_minute else None

    def calls_per_minute(self, now: datetime) -> int:
        """As many calls as may be made to it: its limit, or a throttle's."""
        found = self.throttle(now)
        return found.per_minute if found else self.requests_per_minute

    def half_open_at(self) -> datetime | None:
        """When an open breaker lets probes through; None unless it is open."""
        return half_open_at(self.breaker(), self.policy())


class SavedCalls(models.Model):
    """How many events and calls a vendor's open breaker kept back in one quarter of an hour.

    Every zone's days begin on such a quarter. Written by `breakers.count_saved` alone.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    calls = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "at", "vendor"], name="saved_calls_once")
        ]
        verbose_name_plural = "saved calls"

    def __str__(self) -> str:
        return f"{self.calls} of {self.vendor}"


class BreakerChange(models.Model):
    """One step of a vendor's breaker: by the reports, by the clock or by a person. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="breaker_changes")
    at = models.DateTimeField()
    before = models.CharField(max_length=12, choices=BreakerState)
    after = models.CharField(max_length=12, choices=BreakerState)
    why = models.CharField(max_length=300)
    actor = models.CharField(max_length=150)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["tenant", "-at"], name="breaker_change_newest")]

    def __str__(self) -> str:
        return f"{self.vendor}: {self.before} to {self.after}"
