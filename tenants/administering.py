"""Which tenants a staff user administers on the admin's pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from tenants.models import Membership, Role


def administered(request: HttpRequest) -> frozenset[UUID] | None:
    """Ids of the tenants whose rows this staff user may change; None for all (a superuser)."""
    user: Any = request.user
    if user.is_active and user.is_superuser:
        return None
    known: frozenset[UUID] | None = getattr(request, "administered_tenants", None)
    if known is None:
        mine = Membership.objects.filter(user_id=user.pk, role=Role.ADMIN, tenant__is_active=True)
        allowed = user.is_active and user.is_staff
        known = frozenset(mine.values_list("tenant_id", flat=True)) if allowed else frozenset()
        request.administered_tenants = known  # type: ignore[attr-defined]
    return known
