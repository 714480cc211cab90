"""Pages, API and websockets in one server (daphne)."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "awfdrs_site.settings")
django_application = get_asgi_application()

# Everything below needs the apps to be loaded.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import WebsocketDenier  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from awfdrs_site.checks import require_valid_environment  # noqa: E402
from awfdrs_site.consumers import live  # noqa: E402
from awfdrs_site.live.direct import offering  # noqa: E402
from awfdrs_site.origin import SameOrigin  # noqa: E402

require_valid_environment()

sockets = URLRouter(
    [
        path("ws/live/", live),  # type: ignore[arg-type]
        re_path("", WebsocketDenier.as_asgi()),
    ]
)
application = ProtocolTypeRouter(
    {"http": django_application, "websocket": offering(SameOrigin(AuthMiddlewareStack(sockets)))}
)
