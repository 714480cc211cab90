"""Every URL there is, read from the URL table itself, with ids of Meridian's things in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from rest_framework.views import APIView

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Url:
    """One route, such as `api/v1/events/<uuid:pk>`; `view` is its class if it is an API view."""

    route: str
    view: type[APIView] | None
    public: bool

    @property
    def parameters(self) -> list[str]:
        """What each parameter names: the word of the path before it (`events`, `vendors`)."""
        return re.findall(r"([\w-]+)/<", self.route)

    def fill(self, ids: Mapping[str, Any]) -> str:
        """The path with `ids` by those words; KeyError for one that nobody gave an id."""
        nouns = iter(self.parameters)
        return "/" + _PARAMETER.sub(lambda _: str(ids[next(nouns)]), self.route)

    def methods(self) -> list[str]:
        """The methods the view answers; for a page all, for it alone knows which."""
        if self.view is None:
            return ["GET", "POST"]
        return [method for method in METHODS if hasattr(self.view, method.lower())]


def every_url() -> list[Url]:
    """All of them but the admin site's, which has its own wall (tests/admin)."""
    return list(_walk(get_resolver(), ""))


def _walk(resolver: URLResolver, prefix: str) -> Iterator[Url]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver) and entry.namespace == "admin":
            continue
        if isinstance(entry, URLResolver):
            yield from _walk(entry, prefix + str(entry.pattern))
            continue
        assert isinstance(entry, URLPattern)
        if not isinstance(entry.pattern, RoutePattern):
            # The one regular expression: everything else below /api/, which is a 404.
            assert str(entry.pattern) == r"^api/(?P<rest>.*)$", entry.pattern
            continue
        callback: Any = entry.callback
        view = getattr(callback, "cls", None)
        public = not getattr(callback, "login_required", True)
        yield Url(prefix + str(entry.pattern), view, public)
