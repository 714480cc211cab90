"""Which scope each method of an API view needs; a view that does not say is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from awfdrs_site.kernel.problem import Problem
from tenants.access import Identity, require
from tenants.models import Scope

if TYPE_CHECKING:
    # Loading DRF's views loads this class.
    from rest_framework.views import APIView

log = structlog.get_logger(__name__)


class Scoped(BasePermission):
    """A view declares `scopes = {"GET": Scope.READ, "POST": Scope.ACT}`.

    No caller → 401; a missing scope → 403; an inactive tenant → 403 `tenant_inactive`, except for
    the methods in the view's `looks_at_tenant_itself`. HEAD is GET; OPTIONS needs `read`.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        identity = request.auth
        if not isinstance(identity, Identity):
            return False
        method = str(request.method)
        if method not in getattr(view, "looks_at_tenant_itself", ()):
            require_active(identity)
        if method != "OPTIONS" and not hasattr(view, method.lower()):
            # On to the 405.
            return True
        scope = scope_for(view, method)
        if scope is None:
            log.error("view_declares_no_scope", view=type(view).__qualname__, method=method)
            return False
        require(identity, scope)
        return True


def require_active(identity: Identity) -> None:
    """Problem 403 `tenant_inactive` where the caller's tenant is switched off."""
    if not identity.tenant.is_active:
        raise Problem(403, "tenant_inactive", "The tenant is inactive.")


def scope_for(view: object, method: str) -> str | None:
    """The scope `method` needs at this view, or None where it declares none."""
    scopes = getattr(view, "scopes", {})
    if method == "OPTIONS":
        return Scope.READ if scopes else None
    scope: str | None = scopes.get("GET" if method == "HEAD" else method)
    return scope
