"""The OpenAPI document and its two readers, all served from here [U6]."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerView,
)
from rest_framework.permissions import AllowAny

_TEXT = {"type": "string"}
PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457). `code` is stable; some codes add members of their own.",
    "required": ["type", "title", "status", "detail", "code", "correlation_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": _TEXT,
        "correlation_id": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {"field": _TEXT, "code": _TEXT, "detail": _TEXT},
            },
        },
    },
    "additionalProperties": True,
}
_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def document_problems(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Say for every operation that all its errors are problem documents (a spectacular hook)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for path in result.get("paths", {}).values():
        for operation in path.values():
            responses = operation["responses"]
            responses.setdefault("default", {"description": "Any error."})
            for status, response in responses.items():
                if not status.startswith("2"):
                    response.setdefault("content", _CONTENT)
    return result


class _KeyScheme(OpenApiAuthenticationExtension):
    target_class = "tenants.authentication.ApiKeyAuthentication"
    name = ["apiKey", "apiKeyHeader"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "awf_<prefix>_<secret>"}
        return [bearer, {"type": "apiKey", "in": "header", "name": "X-API-Key"}]


class _TokenScheme(OpenApiAuthenticationExtension):
    target_class = "tenants.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = "From `POST /api/v1/auth/token`; `X-Tenant-ID` names one of several tenants."
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": description,
        }


class _SessionScheme(OpenApiAuthenticationExtension):
    target_class = "tenants.authentication.BrowserAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class Schema(SpectacularAPIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class Swagger(SpectacularSwaggerView):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class Redoc(SpectacularRedocView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
