"""The three ways to call the API: a tenant's key, a person's token, a browser's session.

Each gives `request.auth` an Identity. A way that does not apply passes on to the next; one that
applies and fails answers 401 and no other is tried.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from awfdrs_site.kernel import correlation
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, invalid
from tenants import keys, tokens
from tenants.access import Identity, identity_of, identity_of_session, memberships_of
from tenants.models import ApiKey
from tenants.services import touch_key

CHALLENGE = 'Bearer realm="awfdrs"'
TENANT_HEADER = "X-Tenant-ID"


def _bearer(request: Request) -> str | None:
    """What `Authorization: Bearer` carries; None without such a header."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer awf_…` or `X-API-Key: awf_…`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Identity] | None:
        text = _bearer(request)
        if text is None:
            text = request.headers.get("X-API-Key")
        elif not keys.looks_like_key(text):
            return None
        if text is None:
            return None
        identity = _identity_of_key(text)
        correlation.bind_tenant(identity.tenant.pk)
        return AnonymousUser(), identity

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _identity_of_key(text: str) -> Identity:
    key = keys.parse(text)
    row = None
    if key is not None:
        row = ApiKey.objects.select_related("tenant").filter(prefix=key.prefix).first()
    now = timezone.now()
    if key is None or row is None or not key.matches(row.hash) or not row.is_usable(now):
        # One answer for all: which of them it was is nobody's business.
        raise AuthenticationFailed("The API key is not known, or not valid any more.")
    touch_key(api_key=row, now=now)
    return Identity(row.tenant, Actor("sender", row.name), frozenset(row.scopes))


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <JWT>`, and `X-Tenant-ID` where the person is in several tenants."""

    def authenticate(self, request: Request) -> tuple[User, Identity] | None:
        text = _bearer(request)
        if text is None:
            return None
        user = tokens.user_of_access(text)
        identity = _identity_in(user, request.headers.get(TENANT_HEADER))
        correlation.bind_tenant(identity.tenant.pk)
        return user, identity

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _identity_in(user: User, wanted: str | None) -> Identity:
    memberships = memberships_of(user)
    if wanted is None and len(memberships) > 1:
        detail = "You are in several tenants; name one by this header."
        raise invalid([FieldError(TENANT_HEADER, "required", detail)])
    for membership in memberships:
        if wanted is None or _same_id(membership.tenant_id, wanted):
            return identity_of(membership)
    raise PermissionDenied("You are not a member of this tenant.")


def _same_id(tenant_id: UUID, text: str) -> bool:
    return str(tenant_id) == text.strip().lower()


class BrowserAuthentication(SessionAuthentication):
    """The session of a signed-in browser, with CSRF, in the tenant it has chosen."""

    def authenticate(self, request: Request) -> tuple[User, Identity] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        identity = identity_of_session(user, request.session)
        if identity is None:
            raise PermissionDenied("You are not a member of any tenant.")
        correlation.bind_tenant(identity.tenant.pk)
        return user, identity
