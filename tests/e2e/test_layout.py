"""Nothing on a page jumps while it loads: charts, fonts and scripts find their place kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.visit import draw_charts
from tests.ui.browser import new_page
from tests.ui.pages import PAGES

pytestmark = pytest.mark.e2e

# What web vitals call good is ten times as much.
MOST = 0.01
_WATCH = """
window.__shifts = [];
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries()) {
    const moved = sources.map(({ node }) => node?.id || node?.className || node?.nodeName);
    if (!hadRecentInput) window.__shifts.push([value, moved.join(", ")]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module", params=[1440, 390])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of that width with a socket that stays silent."""
    with new_page(browser, width=request.param, reduced_motion="reduce") as page:
        page.add_init_script(_WATCH)
        page.route_web_socket("**/ws/live/", lambda route: None)
        yield page


@pytest.mark.parametrize("name", PAGES)
def test_it_stays_where_it_was_painted_first(page: Page, base: str, name: str) -> None:
    """Red where a chart's height is not kept."""
    page.goto(f"{base}/{name}.dark.html")
    draw_charts(page)
    page.evaluate(_PAINTED)
    shifts = page.evaluate("window.__shifts")
    assert sum(value for value, _ in shifts) < MOST, shifts


# Whatever comes above them, these must not move.
_STEADY = ["incident-plan", "timeline", "incident-side", "incident-related"]
_TOPS = """ids => ids.map((id) =>
  [id, Math.round(document.getElementById(id).getBoundingClientRect().top)])"""


def test_what_comes_later_finds_its_room(page: Page, base: str) -> None:
    """The parts of an incident's page: by themselves, once, where space was kept for them.

    Seen red without the curve's height, and without the rows that stand for the similar ones.
    """
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/incidents/*/*", hold)
    page.goto(f"{base}/incident-first.dark.html")
    page.wait_for_function("() => document.querySelectorAll('[data-live-later]').length === 5")
    while len(held) < 3:
        page.evaluate(_PAINTED)
    before = page.evaluate(_TOPS, _STEADY)
    for route in held:
        part = route.request.url.rsplit("/", 1)[1]
        route.fulfill(response=page.request.get(f"{base}/incident-{part}.dark.html"))
    expect(page.locator("[data-live-later]")).to_have_count(0)
    for words in ("peak 356 per min", "Similar incidents", "Split off", "All 1,284"):
        expect(page.locator("#main")).to_contain_text(words)
    page.evaluate(_PAINTED)
    assert page.evaluate(_TOPS, _STEADY) == before
    shifts = page.evaluate("window.__shifts")
    assert sum(value for value, _ in shifts) < MOST, shifts
    assert len(held) == 3
    page.unroute("**/incidents/*/*")
