"""Who is calling, for which tenant, and what they may do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.sessions.backends.base import SessionBase

from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import Problem
from tenants.models import Membership, Role, Scope, Tenant

SESSION_KEY = "tenant_id"

SCOPES_OF: Mapping[str, frozenset[str]] = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.RESPONDER: frozenset({Scope.READ, Scope.ACT}),
    Role.ADMIN: frozenset({Scope.READ, Scope.ACT, Scope.ADMIN, Scope.INGEST}),
}


# What reaches every tenant: only people who run the installation (superusers), never a key.
OPERATE = "operate"


@dataclass(frozen=True)
class Identity:
    """One caller in one tenant. `user` and `membership_role` are a person's; a key has neither."""

    tenant: Tenant
    actor: Actor
    scopes: frozenset[str]
    user: User | None = None
    membership_role: str | None = None


def require(identity: Identity | None, scope: str) -> Identity:
    """The identity, if it has `scope`; raises Problem 401 or 403 `permission_denied`."""
    if identity is None:
        raise Problem(401, "not_authenticated", "Sign in first.")
    if scope not in identity.scopes:
        detail = f"This needs the scope `{scope}`; yours: {', '.join(sorted(identity.scopes))}."
        raise Problem(403, "permission_denied", detail)
    return identity


def identity_of(membership: Membership) -> Identity:
    """What a person is in one of their tenants; reads `membership.user` and `.tenant`."""
    user = membership.user
    scopes = SCOPES_OF.get(membership.role, frozenset())
    return Identity(
        tenant=membership.tenant,
        actor=Actor("person", user.get_full_name() or user.get_username(), user.pk),
        scopes=scopes | {OPERATE} if user.is_superuser else scopes,
        user=user,
        membership_role=membership.role,
    )


def memberships_of(user: AbstractBaseUser | AnonymousUser) -> list[Membership]:
    """The person's places in active tenants, by the tenants' names. One query."""
    if user.pk is None:
        return []
    rows = Membership.objects.filter(user_id=user.pk, tenant__is_active=True)
    return list(rows.select_related("tenant", "user__preferences").order_by("tenant__name"))


def identity_of_session(
    user: AbstractBaseUser | AnonymousUser, session: SessionBase
) -> Identity | None:
    """The signed-in person in the tenant they chose last, else in their first; None without one.

    Read anew for each request, so a lost role or membership ends at once.
    """
    if not user.is_authenticated:
        return None
    memberships = memberships_of(user)
    chosen = session.get(SESSION_KEY)
    for membership in memberships:
        if str(membership.tenant_id) == chosen:
            return identity_of(membership)
    return identity_of(memberships[0]) if memberships else None


def tenant_of_session(scope: Mapping[str, Any]) -> UUID | None:
    """The tenant a websocket's session may listen to (Channels' scope); None: refuse it."""
    user, session = scope.get("user"), scope.get("session")
    if user is None or session is None:
        return None
    identity = identity_of_session(user, session)
    return identity.tenant.pk if identity else None
