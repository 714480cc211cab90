"""Nothing on a page jumps while it loads: charts, fonts and scripts find their place kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.shifts import WATCH_SHIFTS, shifts_of
from tests.e2e.visit import draw_charts
from tests.ui.browser import new_page
from tests.ui.pages import PAGES

pytestmark = pytest.mark.e2e

# What web vitals call good is ten times as much.
MOST = 0.01


@pytest.fixture(scope="module", params=[1440, 390])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of that width with a socket that stays silent."""
    with new_page(browser, width=request.param, reduced_motion="reduce") as page:
        page.add_init_script(WATCH_SHIFTS)
        page.route_web_socket("**/ws/live/", lambda route: None)
        yield page


@pytest.mark.parametrize("name", PAGES)
def test_it_stays_where_it_was_painted_first(page: Page, base: str, name: str) -> None:
    """Red where a chart's height is not kept."""
    page.goto(f"{base}/{name}.dark.html")
    draw_charts(page)
    shifts = shifts_of(page)
    assert sum(value for value, _ in shifts) < MOST, shifts
