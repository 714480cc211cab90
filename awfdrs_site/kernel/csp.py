"""One strict Content Security Policy: nothing inline, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# Unfold's admin, Swagger UI and ReDoc put styles inline (and Alpine evaluates its attributes);
# they show no sender's text as markup and stay on their own paths.
VENDOR_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self' data:; worker-src 'self' blob:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
VENDOR_PATHS = ("/admin/", "/api/docs/", "/api/redoc/")


def csp_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        vendor = request.path.startswith(VENDOR_PATHS)
        response.headers["Content-Security-Policy"] = VENDOR_POLICY if vendor else POLICY
        return response

    return middleware
