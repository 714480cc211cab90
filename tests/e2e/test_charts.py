"""Charts in a real browser: drawn, read, refreshed, printed, and done without [U2].

`make e2e`. Most of it on the previewed pages under the strict policy, with a websocket we play.
"""

# ruff: noqa: F401, F811, PLW0108 (fixtures by import; Playwright takes no built-in as a handler)
from __future__ import annotations

import gzip
import re
from itertools import combinations

import pytest
from playwright.sync_api import Browser, Locator, Page, Response, Route, expect

from tests.e2e.conftest import SignIn
from tests.e2e.test_preview import Socket, _shared, page, socket
from tests.e2e.world import World
from tests.ui.browser import new_page

pytestmark = pytest.mark.e2e

CHARTS = {
    "overview": ["rate"],
    "workflow": ["rate"],
    "incident": ["curve"],
    "incident-hostile": ["curve"],
    "reports": ["recovery", "saved"],
    "rules": ["days"],
}
FIRST_PAGE_BYTES = 150_000
LOWEST = 180
BOX = """text => {
  const { left, top, right, bottom } = text.closest(".annotation").getBoundingClientRect();
  return [left, top, right, bottom];
}"""


def drawn(page: Page, kind: str) -> Locator:
    """The chart, once it is drawn; it begins only when it comes near the view."""
    chart = page.locator(f"[data-chart={kind}]")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".main-svg").first).to_be_attached()
    return chart


def words_in(chart: Locator) -> list[str]:
    """The texts that are written into the drawing."""
    return chart.locator(".annotation-text").all_text_contents()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", sorted(CHARTS))
def test_it_draws_each_kind_under_the_policy(page: Page, base: str, name: str, theme: str) -> None:
    """In its place and nowhere else: what stands below does not move when it is drawn.

    Nothing is refused (the fixture looks). Seen red without a height of its own.
    """
    held: list[Route] = []
    page.route("**/plotly.min.js", lambda route: held.append(route))
    page.goto(f"{base}/{name}.{theme}.html")
    for kind in CHARTS[name]:
        page.locator(f"[data-chart={kind}]").scroll_into_view_if_needed()
    place = "() => document.querySelector('main').scrollHeight"
    before = page.evaluate(place)
    expect(page.locator("[data-chart-first]").first).to_be_visible()
    for route in held:
        route.continue_()
    page.unroute("**/plotly.min.js")
    for kind in CHARTS[name]:
        chart = drawn(page, kind)
        assert chart.get_attribute("aria-label")
        expect(chart.locator("[data-chart-first]")).to_have_count(0)
        box = chart.bounding_box()
        assert box
        assert box["height"] >= LOWEST
    assert page.evaluate(place) == before
    assert page.evaluate("window.__refused") == []


def test_it_reads_all_panes_at_one_time(page: Page, base: str) -> None:
    """The pointer on one pane shows the figures of both. Seen red with a hover of one pane."""
    page.goto(f"{base}/overview.dark.html")
    box = drawn(page, "rate").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.3, steps=3)
    hover = page.locator("#rate-plot .hoverlayer")
    for words in ("Events", "Share failing", "Recovered by itself", "a minute"):
        expect(hover).to_contain_text(words)


def test_it_lays_no_flag_on_another(page: Page, base: str) -> None:
    """Three things within half a minute have a flag each, one above the other.

    Seen red with all flags in one lane.
    """
    page.goto(f"{base}/incident.dark.html")
    chart = drawn(page, "curve")
    labels = ["Opened", "Decided", "Attempt 1 failed", "Acknowledged", "Attempt 2"]
    assert words_in(chart)[: len(labels)] == labels
    texts = chart.locator(".annotation-text").all()[: len(labels)]
    flags = [one.evaluate(BOX) for one in texts]
    for (left, top, right, bottom), other in combinations(flags, 2):
        beside = right <= other[0] or other[2] <= left
        assert beside or bottom <= other[1] + 1 or other[3] <= top + 1, flags


def _slower(route: Route) -> None:
    """The page as it would be with other figures: the same counts over twice the time."""
    answer = route.fetch()
    body = answer.text().replace('"step_seconds": 300', '"step_seconds": 600')
    route.fulfill(response=answer, body=body.replace("4.1% failing", "9.9% failing"))


def test_it_takes_new_figures_once_nobody_reads_it(page: Page, base: str, socket: Socket) -> None:
    """The drawing waits while the pointer is on it; then it changes in place, not anew.

    Seen red without the wait, and with a drawing that is made anew.
    """
    page.goto(f"{base}/overview.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    chart = drawn(page, "rate")
    before = words_in(chart)
    chart.locator(".main-svg").first.evaluate("svg => (svg.isTheSame = true)")
    page.route("**/overview.dark.html", _slower)
    chart.hover(position={"x": 300, "y": 80})
    socket.send(topic="overview", data={})
    expect(chart).to_have_attribute("aria-label", re.compile("9.9% failing"))
    assert words_in(chart) == before
    page.mouse.move(2, 2)
    expect(chart.locator(".annotation-text").filter(has_text=before[-4])).to_have_count(0)
    assert chart.locator(".main-svg").first.evaluate("svg => svg.isTheSame")
    page.unroute("**/overview.dark.html")


@pytest.mark.parametrize("kind", ["recovery", "saved"])
def test_it_draws_again_in_the_other_theme(page: Page, base: str, kind: str) -> None:
    page.goto(f"{base}/reports.dark.html")
    chart = drawn(page, kind)
    mark = chart.locator(".js-line, .point path").first
    paint = "e => getComputedStyle(e)[e.matches('.js-line') ? 'stroke' : 'fill']"
    assert mark.evaluate(paint) == "rgb(128, 181, 255)"
    page.locator(".rail__foot summary").click()
    page.locator(".rail [data-theme-form] [value=light]").click()
    expect(chart.locator(".js-line, .point path").first).to_have_css(
        "stroke" if kind == "recovery" else "fill", "rgb(26, 86, 196)"
    )


@pytest.mark.parametrize(
    ("name", "table"),
    [("overview", "rate"), ("incident", "curve"), ("reports", "recovery"), ("reports", "saved")],
)
def test_it_shows_the_same_figures_as_a_table(page: Page, base: str, name: str, table: str) -> None:
    """By keys; a row for each point of the drawing, under a caption."""
    page.goto(f"{base}/{name}.dark.html")
    found = page.locator(f"#{table}-table")
    expect(found.locator("table")).to_be_hidden()
    found.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(found.locator("table")).to_be_visible()
    assert found.locator("caption").text_content()
    points = page.evaluate(
        f"JSON.parse(document.getElementById('{table}-data').textContent).points"
    )
    expect(found.locator("tbody tr")).to_have_count(len(points))


def test_it_does_without_script(browser: Browser, base: str) -> None:
    """The sentence stands where the drawing would, the curve is there, and the tables open."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{base}/reports.dark.html")
        expect(page.locator("#recovery-plot")).to_contain_text("recovered without a person")
        page.locator("#recovery-table summary").click()
        expect(page.locator("#recovery-table table")).to_be_visible()
        page.goto(f"{base}/incident.dark.html")
        expect(page.locator("#curve-plot svg path").first).to_be_attached()


def test_it_chooses_another_span_by_keys(page: Page, base: str) -> None:
    page.goto(f"{base}/reports.dark.html")
    page.get_by_role("link", name="24 hours").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="7 days")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**?span=7d")


def test_it_prints_light_and_as_wide_as_paper(page: Page, base: str) -> None:
    """And is what it was when that is done."""
    page.goto(f"{base}/reports.dark.html")
    chart = drawn(page, "recovery")
    line, sheet = chart.locator(".js-line").first, chart.locator(".main-svg").first
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(line).to_have_css("stroke", "rgb(26, 86, 196)")
    expect(sheet).to_have_attribute("width", "660")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(line).to_have_css("stroke", "rgb(128, 181, 255)")
    expect(sheet).not_to_have_attribute("width", "660")


def test_it_is_not_paid_for_where_there_is_no_chart(browser: Browser, base: str) -> None:
    """A page without one fetches no Plotly, and at most 150 KB packed."""
    with new_page(browser) as page:
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))
        page.goto(f"{base}/incidents.dark.html", wait_until="networkidle")
        assert not [one.url for one in answers if "plotly" in one.url]
        assert sum(len(gzip.compress(one.body())) for one in answers) < FIRST_PAGE_BYTES


def test_it_goes_on_drawing_as_events_come(world: World, sign_in: SignIn) -> None:
    """The real thing: counts of the overview and of the incident's curve follow, in place."""
    world.post_event()
    incident = world.await_incident("escalated")
    alice = sign_in("alice")
    overview, page = alice.open("/"), alice.open(f"/incidents/{incident['id']}/")
    reports = alice.open("/reports/")
    rate, curve = drawn(overview, "rate"), page.locator("[data-chart=curve]")
    expect(rate).to_have_attribute("aria-label", re.compile(r"^1 event in the last hour, 100.0%"))
    rate.locator(".main-svg").first.evaluate("svg => (svg.isTheSame = true)")
    for _ in range(3):
        world.post_event()
    expect(rate).to_have_attribute("aria-label", re.compile(r"^4 events in the last hour"))
    expect(curve).to_have_attribute("aria-label", re.compile(r"^4 failures from"))
    drawn(page, "curve")
    assert "Opened" in " ".join(words_in(curve))
    assert rate.locator(".main-svg").first.evaluate("svg => svg.isTheSame")
    expect(reports.locator("#report-kpis")).to_contain_text("of 1 opened")
