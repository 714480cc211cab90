"""JSON Web Tokens for people's programs: access for 15 minutes, refresh for a day, used once.

A token names only the person; tenant and role are read anew for each request. It carries a mark of
the password, so that changing the password ends every token.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils.crypto import constant_time_compare
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from tenants.services import spend_token

_PASSWORD_MARK = "pwd"  # noqa: S105  (a claim's name)


class Access(AccessToken):
    lifetime = timedelta(minutes=15)


class Refresh(RefreshToken):
    lifetime = timedelta(days=1)
    access_token_class = Access


def _mark(user: User) -> str:
    return user.get_session_auth_hash()[:32]


def issue(user: User) -> dict[str, str]:
    """A pair of tokens for `user`, as the API answers it."""
    refresh = Refresh.for_user(user)
    refresh[_PASSWORD_MARK] = _mark(user)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def user_of_access(text: str) -> User:
    """Whose access token this is; AuthenticationFailed where it does not hold (any more)."""
    return _user(_read(Access, text))


def rotate(text: str, now: datetime) -> dict[str, str]:
    """A new pair for a refresh token, which is used up by this. Raises AuthenticationFailed."""
    token = _read(Refresh, text)
    user = _user(token)
    if not spend_token(jti=token["jti"], expires=token["exp"], now=now):
        raise AuthenticationFailed("This refresh token was used before.")
    return issue(user)


def _read(kind: type[Token], text: str) -> Token:
    try:
        # The package's annotation names its own type; it decodes text.
        return kind(text)  # type: ignore[arg-type]
    except TokenError:
        raise AuthenticationFailed(f"Not a valid {kind.token_type} token, or expired.") from None


def _user(token: Token) -> User:
    user = User.objects.filter(pk=_user_id(token), is_active=True).first()
    if user is None or not constant_time_compare(str(token.get(_PASSWORD_MARK)), _mark(user)):
        raise AuthenticationFailed("The token's person may not sign in with it any more.")
    return user


def _user_id(token: Token) -> int:
    try:
        return int(token["user_id"])
    except (KeyError, ValueError):
        raise AuthenticationFailed("The token names nobody.") from None
