"""The reference of G8: the smallest Django + DRF app on daphne that answers a POST with 201."""

from __future__ import annotations

import django
from django.conf import settings
from django.http import HttpRequest

settings.configure(
    SECRET_KEY="bench-only-" + "0" * 50,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DATABASES={},
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.decorators import api_view, permission_classes  # noqa: E402
from rest_framework.response import Response  # noqa: E402


@api_view(["POST"])
@permission_classes([])
def accept(request: HttpRequest) -> Response:
    return Response({"status": "accepted"}, status=201)


urlpatterns = [path("api/v1/events", accept)]
application = get_asgi_application()
