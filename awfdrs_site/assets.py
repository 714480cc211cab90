"""Static files that come inside Python wheels and not from `static/`.

Plotly's wheel carries the browser library as package data, where no finder of Django looks. This
finder shows that one file as `plotly/plotly.min.js`; nothing is copied into the repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

from awfdrs_site.kernel.ui import plotly

PREFIX = "plotly"


class PlotlyFinder(BaseFinder):
    """Finds `plotly/plotly.min.js` in the plotly wheel, and nothing else of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.storage = FileSystemStorage(location=plotly.folder())
        self.storage.prefix = PREFIX  # type: ignore[attr-defined]

    def check(self, **kwargs: Any) -> list[Any]:
        """No settings of its own, so nothing to check."""
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """The file's absolute path (a list with `find_all`), or an empty list."""
        all_wanted = bool(find_all or kwargs.get("all"))
        if path != f"{PREFIX}/{plotly.FILE}":
            return []
        found = str(plotly.folder() / plotly.FILE)
        return [found] if all_wanted else found

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        """What `collectstatic` and WhiteNoise copy: (path inside the storage, storage)."""
        yield plotly.FILE, self.storage
