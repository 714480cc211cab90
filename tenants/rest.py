"""The REST views' bases: they know their caller."""

from __future__ import annotations

from typing import Any

from awfdrs_site.kernel.problem import Problem
from awfdrs_site.kernel.rest import StrictList, StrictView
from tenants.access import Identity
from tenants.models import Tenant


class _Called:
    """`identity` and `tenant` of the request at hand (the permission has let it in)."""

    request: Any

    @property
    def identity(self) -> Identity:
        identity = getattr(self.request, "auth", None)
        if not isinstance(identity, Identity):
            raise Problem(401, "not_authenticated", "Sign in first.")
        return identity

    @property
    def tenant(self) -> Tenant:
        return self.identity.tenant


class TenantView(_Called, StrictView):
    """A view inside the caller's tenant."""


class TenantList(_Called, StrictList):
    """A list inside the caller's tenant."""
