"""Plotly's browser library comes out of its wheel."""

from __future__ import annotations

from pathlib import Path

from django.contrib.staticfiles import finders

from awfdrs_site.assets import PlotlyFinder
from awfdrs_site.kernel.ui import plotly


def test_it_finds_the_library_and_nothing_else() -> None:
    """One file is exposed; the rest of the wheel is not."""
    path = finders.find("plotly/plotly.min.js")
    assert path
    assert "plotly.js v" in Path(path).read_text(encoding="utf-8")[:200]
    assert finders.find("plotly/widgetbundle.js") is None
    assert finders.find("plotly/../plotly.min.js") is None


def test_it_lists_the_one_file_for_collecting() -> None:
    """`collectstatic` and WhiteNoise read this list."""
    listed = list(PlotlyFinder().list([]))
    assert [path for path, _ in listed] == ["plotly.min.js"]
    assert listed[0][1].exists("plotly.min.js")


def test_it_knows_the_style_elements_plotly_would_make() -> None:
    """Read out of the installed file, so that an upgrade cannot bring one in unseen."""
    ids = plotly.style_ids()
    assert ids[0] == "plotly.js-style-global"
    assert all(len(one) == 64 for one in ids[1:])
    source = (plotly.folder() / plotly.FILE).read_text(encoding="utf-8")
    assert source.count('createElement("style")') == len(ids)
