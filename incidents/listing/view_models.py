"""A query that somebody kept; part of models.py."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from awfdrs_site.kernel.ids import uuid7
from incidents.listing.query import MOST_CHARS
from tenants.models import Tenant

NAME_CHARS = 60


class SavedView(models.Model):
    """`text` is a query as `incidents.listing.query` writes it, `sort` an order of the list.

    A deleted one stays for a day, so that it can be taken back.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=NAME_CHARS)
    text = models.CharField(max_length=MOST_CHARS, blank=True)
    sort = models.CharField(max_length=20)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "owner", "name"],
                condition=Q(deleted_at=None),
                name="saved_view_name_per_owner",
            )
        ]

    def __str__(self) -> str:
        return self.name
