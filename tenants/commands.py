"""What management commands share: the tenant an operator names."""

from __future__ import annotations

from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Q

from tenants.models import Tenant


def tenant_named(text: str) -> Tenant:
    """The tenant of that id or name; raises CommandError if there is none."""
    try:
        wanted = Q(pk=UUID(text))
    except ValueError:
        wanted = Q(name=text)
    tenant = Tenant.objects.filter(wanted).first()
    if tenant is None:
        raise CommandError(f"There is no tenant {text!r}.")
    return tenant
