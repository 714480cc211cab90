"""Reading who is in a tenant and which keys it has; the first argument is always the tenant."""

from __future__ import annotations

from django.db.models import QuerySet

from awfdrs_site.kernel.problem import not_found
from tenants.models import ApiKey, Membership, Role, Tenant


def keys_for(tenant: Tenant) -> QuerySet[ApiKey]:
    """Every key the tenant ever had; order them yourself."""
    return ApiKey.objects.filter(tenant=tenant).defer("hash")


def get_key_for(tenant: Tenant, prefix: str) -> ApiKey:
    """The tenant's key, or the same 404 that an unknown prefix gets."""
    key = keys_for(tenant).filter(prefix=prefix).first()
    if key is None:
        raise not_found("No such key.")
    return key


def members_for(tenant: Tenant) -> QuerySet[Membership]:
    """The tenant's people, by the name they sign in with."""
    rows = Membership.objects.filter(tenant=tenant).select_related("user", "tenant")
    return rows.order_by("user__username")


def get_member_for(tenant: Tenant, username: str) -> Membership:
    """That person's place in the tenant, or the same 404 that an unknown name gets."""
    membership = members_for(tenant).filter(user__username=username).first()
    if membership is None:
        raise not_found("No such member.")
    return membership


def admins_of(tenant: Tenant) -> list[str]:
    """Who can give a viewer another role, by name."""
    rows = Membership.objects.filter(tenant=tenant, role=Role.ADMIN, user__is_active=True)
    users = [row.user for row in rows.select_related("user").order_by("user__username")[:5]]
    return [user.get_full_name() or user.get_username() for user in users]
