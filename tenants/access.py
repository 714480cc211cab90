"""Who is calling, for which tenant, and what they may do there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.utils.crypto import constant_time_compare

from awfdrs_site.kernel import audit
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
    """One caller in one tenant. `user` and `membership_role` are a person's; a key has neither.

    `tenants`: those that a session's person may switch between, by name.
    """

    tenant: Tenant
    actor: Actor
    scopes: frozenset[str]
    user: User | None = None
    membership_role: str | None = None
    tenants: tuple[Tenant, ...] = ()


def require(identity: Identity | None, scope: str) -> Identity:
    """The identity, if it has `scope`; raises Problem 401 or 403 `permission_denied`."""
    if identity is None:
        raise Problem(401, "not_authenticated", "Sign in first.")
    if scope not in identity.scopes:
        detail = f"This needs the scope `{scope}`; yours: {', '.join(sorted(identity.scopes))}."
        raise Problem(403, "permission_denied", detail)
    return identity


def note(
    identity: Identity,
    verb: str,
    subject: Model,
    now: datetime,
    before: object = None,
    after: object = None,
) -> None:
    """Write into the audit log what the identity did to a row of its tenant."""
    audit.record(
        tenant_id=identity.tenant.pk,
        actor=identity.actor,
        verb=verb,
        subject=subject,
        now=now,
        before=before,
        after=after,
    )


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
    return _chosen(memberships_of(user), session.get(SESSION_KEY))


def _chosen(memberships: Sequence[Membership], tenant_id: str | None) -> Identity | None:
    if not memberships:
        return None
    chosen = next((m for m in memberships if str(m.tenant_id) == tenant_id), memberships[0])
    return replace(identity_of(chosen), tenants=tuple(m.tenant for m in memberships))


def identities_of_sessions(keys: Collection[str], now: datetime) -> dict[str, Identity | None]:
    """Who the sessions of these keys are now, by the same rules as a request's; None: a member of
    nothing any more. A session that is over, or whose person may not sign in, is left out.

    Three queries, however many sessions.
    """
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=now)
    opened = {row.session_key: row.get_decoded() for row in rows}
    ids = {data[USER_KEY] for data in opened.values() if USER_KEY in data}
    users = {str(u.pk): u for u in User.objects.filter(pk__in=ids, is_active=True)}
    memberships: dict[str, list[Membership]] = {pk: [] for pk in users}
    places = Membership.objects.filter(user__in=users.values(), tenant__is_active=True)
    for place in places.select_related("tenant", "user__preferences").order_by("tenant__name"):
        memberships[str(place.user_id)].append(place)
    found = {}
    for key, data in opened.items():
        user = users.get(data.get(USER_KEY, ""))
        if user and is_signed_in(user, data):
            found[key] = _chosen(memberships[str(user.pk)], data.get(SESSION_KEY))
    return found


def is_signed_in(user: User, session: Mapping[str, Any]) -> bool:
    """Whether the session was begun with the person's present password, see `auth.get_user`."""
    seal = session.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(seal, known) for known in hashes)


def identity_of_scope(scope: Mapping[str, Any]) -> Identity | None:
    """Who opens a websocket (Channels' scope); None: refuse it."""
    user, session = scope.get("user"), scope.get("session")
    if user is None or session is None:
        return None
    return identity_of_session(user, session)
