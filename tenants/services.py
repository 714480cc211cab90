"""Every write of the tenants app."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError, transaction
from django.db.models import Q

from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, invalid, not_found
from tenants import access, keys
from tenants.models import ApiKey, Membership, Role, Scope, SpentToken, Tenant

# `last_used_at` is for people: to the minute is enough, and spares a write a request.
TOUCH_SECONDS = 60


@transaction.atomic
def create_tenant(
    *, name: str, actor: Actor, now: datetime, events_per_minute: int = 60_000
) -> Tenant:
    """A new active tenant. Raises Problem 400 for a name that is empty, too long or taken."""
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise invalid([FieldError("name", "length", "1 to 100 characters.")])
    try:
        with transaction.atomic():
            tenant = Tenant.objects.create(name=name, events_per_minute=events_per_minute)
    except IntegrityError:
        raise invalid([FieldError("name", "taken", "There is such a tenant already.")]) from None
    audit.record(
        tenant_id=tenant.pk, actor=actor, verb="created", subject=tenant, now=now, after=name
    )
    return tenant


@transaction.atomic
def set_member(
    *, tenant: Tenant, user: User, role: str, actor: Actor, now: datetime, comment: str = ""
) -> Membership:
    """Give `user` the role in `tenant`, whatever they had before. Idempotent."""
    if role not in Role.values:
        raise invalid([FieldError("role", "invalid_choice", ", ".join(Role.values))])
    before = Membership.objects.filter(tenant=tenant, user=user).values_list("role", flat=True)
    old = before.first()
    membership, _ = Membership.objects.update_or_create(
        tenant=tenant, user=user, defaults={"role": role}
    )
    if old != role:
        audit.record(
            tenant_id=tenant.pk,
            actor=actor,
            verb="role",
            subject=membership,
            now=now,
            before=old,
            after={"user": user.get_username(), "role": role},
            comment=comment,
        )
    return membership


@transaction.atomic
def issue_key(
    *,
    tenant: Tenant,
    name: str,
    scopes: Iterable[str],
    actor: Actor,
    now: datetime,
    expires_at: datetime | None = None,
    key: keys.Key | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which exists nowhere else from here on: show it once.

    `key` fixes the text (the demo's). Raises Problem 400 for bad scopes, name or expiry.
    """
    wanted = sorted(set(scopes))
    errors = []
    if not wanted or set(wanted) - set(Scope.values):
        errors.append(FieldError("scopes", "invalid_choice", "Of " + ", ".join(Scope.values)))
    if not 1 <= len(name.strip()) <= 100:
        errors.append(FieldError("name", "length", "1 to 100 characters."))
    if expires_at is not None and expires_at <= now:
        errors.append(FieldError("expires_at", "past", "Must be in the future."))
    if errors:
        raise invalid(errors)
    key = key or keys.make()
    row = ApiKey.objects.create(
        tenant=tenant,
        name=name.strip(),
        prefix=key.prefix,
        hash=key.hash(),
        scopes=wanted,
        expires_at=expires_at,
    )
    after = {"name": row.name, "prefix": row.prefix, "scopes": wanted}
    audit.record(tenant_id=tenant.pk, actor=actor, verb="issued", subject=row, now=now, after=after)
    return row, str(key)


@transaction.atomic
def revoke_key(*, api_key: ApiKey, actor: Actor, now: datetime, comment: str = "") -> ApiKey:
    """End the key: the next call with it answers 401. Idempotent; the first revocation stands."""
    changed = ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=now)
    api_key.refresh_from_db(fields=["revoked_at"])
    if changed:
        audit.record(
            tenant_id=api_key.tenant_id,
            actor=actor,
            verb="revoked",
            subject=api_key,
            now=now,
            comment=comment,
        )
    return api_key


def touch_key(*, api_key: ApiKey, now: datetime) -> None:
    """Note that the key was used, at most once a minute."""
    stale = now - timedelta(seconds=TOUCH_SECONDS)
    if api_key.last_used_at is None or api_key.last_used_at < stale:
        unseen = Q(last_used_at=None) | Q(last_used_at__lt=stale)
        ApiKey.objects.filter(unseen, pk=api_key.pk).update(last_used_at=now)


def choose_tenant(*, user: User, session: SessionBase, tenant_id: UUID) -> Tenant:
    """Make `tenant_id` the session's tenant; Problem 404 unless the person is in it."""
    for membership in access.memberships_of(user):
        if membership.tenant_id == tenant_id:
            session[access.SESSION_KEY] = str(tenant_id)
            return membership.tenant
    raise not_found()


def spend_token(*, jti: str, expires: int, now: datetime) -> bool:
    """Use up a refresh token; False where it was used before. `expires`: Unix seconds.

    The unique constraint decides between two uses at once. Also forgets what has expired.
    """
    SpentToken.objects.filter(expires_at__lt=now).delete()
    try:
        with transaction.atomic():
            SpentToken.objects.create(jti=jti, expires_at=datetime.fromtimestamp(expires, UTC))
    except IntegrityError:
        return False
    return True
