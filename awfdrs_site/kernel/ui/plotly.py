"""The browser library inside the installed plotly wheel."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

FILE = "plotly.min.js"
GLOBAL_STYLE_ID = "plotly.js-style-global"
# Some style sheets are put into the page as soon as the library is read, each guarded by this.
_STYLE_GUARD = re.compile(r'if\(!document\.getElementById\("([0-9a-f]{64})"\)\)')


def folder() -> Path:
    """The folder of the wheel that holds the library."""
    return Path(str(files("plotly"))) / "package_data"


@lru_cache(maxsize=1)
def style_ids() -> tuple[str, ...]:
    """Ids of the style elements Plotly would put into the page by itself.

    A strict `style-src 'self'` refuses those elements. Plotly leaves one out when an element with
    its id is there already, so a page creates these ids first (static/js/chart.js).
    """
    source = (folder() / FILE).read_text(encoding="utf-8")
    return (GLOBAL_STYLE_ID, *dict.fromkeys(_STYLE_GUARD.findall(source)))
