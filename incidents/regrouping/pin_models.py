"""Where a person overrules the grouper; part of models.py."""

from __future__ import annotations

from django.db import models

from awfdrs_site.kernel.ids import uuid7
from incidents.detecting.pins import TRAITS
from tenants.models import Tenant


class GroupingPin(models.Model):
    """Failures of signature `splits` whose `trait` has this `value` are of `signature` (pins.py).

    `root` is the grouper's own signature at the start of a chain of pins: detection knows that one
    alone and reads the chain by it. `text` is what the new signature says, `shown` the value.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False)
    root = models.CharField(max_length=32)
    splits = models.CharField(max_length=32)
    trait = models.CharField(max_length=16, choices=list(TRAITS.items()))
    value = models.TextField()
    shown = models.TextField()
    signature = models.CharField(max_length=32)
    text = models.TextField()
    reason = models.TextField(blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "signature"], name="pin_once_per_value")
        ]
        indexes = [models.Index(fields=["tenant", "root"], name="pin_by_root")]

    def __str__(self) -> str:
        return self.words

    @property
    def words(self) -> str:
        """`vendor: stripe`."""
        return f"{TRAITS[self.trait]}: {self.shown}"
