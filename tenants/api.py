"""Tokens for people's programs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from awfdrs_site.kernel.problem import FieldError, invalid
from awfdrs_site.kernel.strict_json import document_of
from tenants import tokens
from tenants.authentication import CHALLENGE

MAX_CHARS = 4_096
_PAIR = inline_serializer(
    "TokenPair", {"access": serializers.CharField(), "refresh": serializers.CharField()}
)


class _SignIn(APIView):
    """Base: nobody is signed in yet, and what is wrong is answered with a challenge."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class TokenView(_SignIn):
    """Sign in with username and password."""

    @extend_schema(
        summary="Get tokens",
        request=inline_serializer(
            "Credentials",
            {"username": serializers.CharField(), "password": serializers.CharField()},
        ),
        responses={200: _PAIR},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        username, password = _texts(document_of(request), "username", "password")
        # The django request: axes counts there, and keeps the lock there.
        django_request = request._request  # noqa: SLF001  (DRF names no public way)
        user = authenticate(django_request, username=username, password=password)
        if not isinstance(user, User):
            raise AuthenticationFailed("No account with this name and password.")
        return Response(tokens.issue(user))


class TokenRefreshView(_SignIn):
    """Exchange a refresh token for a new pair; it cannot be used again."""

    @extend_schema(
        summary="Refresh tokens",
        request=inline_serializer("RefreshToken", {"refresh": serializers.CharField()}),
        responses={200: _PAIR},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        (refresh,) = _texts(document_of(request), "refresh")
        return Response(tokens.rotate(refresh, timezone.now()))


def _texts(document: Any, *names: str) -> list[str]:
    """The strings of these names, none empty; Problem 400 for anything else in the document."""
    if not isinstance(document, dict):
        raise invalid([FieldError("body", "type", "Send an object.")])
    errors = [
        FieldError(name, "required", f"A string of 1 to {MAX_CHARS} characters.")
        for name in names
        if not isinstance(document.get(name), str) or not 1 <= len(document[name]) <= MAX_CHARS
    ]
    if errors:
        raise invalid(errors)
    return [document[name] for name in names]
