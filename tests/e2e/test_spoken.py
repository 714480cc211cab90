"""What a screen reader is told, and when: rarely, and at once only what cannot wait [U5]."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.browser import new_page

pytestmark = pytest.mark.e2e

# Every text that a region had, in order.
_LISTEN = """
window.__said = [];
new MutationObserver((records) => {
  for (const { target } of records)
    if (["announce", "alert"].includes(target.id) && target.textContent)
      window.__said.push([target.id, target.textContent]);
}).observe(document, { subtree: true, childList: true });
"""
_ANNOUNCE = "text => import('/static/js/announce.js').then(({ announce }) => announce(text))"
# Two rows leave the page, a critical and another; then the page hears of a change to rows it lacks.
_LACK = """async () => {
  const rows = [...document.querySelectorAll("#incident-rows > tr")];
  for (const row of [rows[0], rows.at(-1)]) row.remove();
  const { receive } = await import("/static/js/push.js");
  receive("incidents", '<table id="incident-x"></table>');
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own, with a clock that the test moves, and no websocket of its own accord."""
    with new_page(browser) as page:
        page.add_init_script(_LISTEN)
        page.route_web_socket("**/ws/live/", lambda _: None)
        page.clock.install(time=datetime.now(UTC) - timedelta(hours=1))
        yield page
        assert page.mistakes == []  # type: ignore[attr-defined]


def _said(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate("window.__said")
    return found


def test_a_countdown_is_seen_each_second_and_said_three_times(page: Page, base: str) -> None:
    """5 min, 1 min and 10 s before its end, of the focused card alone; at once only the minute."""
    page.goto(f"{base}/approvals.dark.html")
    card = page.locator("#approval-list > article").first
    shown = card.locator("[data-countdown]")
    until = datetime.fromisoformat(str(shown.get_attribute("data-countdown")))
    card.focus()
    page.clock.pause_at(until - timedelta(seconds=333.5))
    page.clock.run_for(30_000)
    before = len(_said(page))  # that the connection is lost
    for left in ("5:02", "5:01", "5:00", "4:59"):
        page.clock.run_for(1_000)
        expect(shown).to_have_text(left)
    assert _said(page)[before:] == [["announce", "Expires in 5 minutes"]]
    page.clock.pause_at(until - timedelta(seconds=61.5))
    page.clock.run_for(3_000)
    assert _said(page)[before + 1 :] == [["alert", "Expires in 1 minute"]]
    page.clock.pause_at(until - timedelta(seconds=11.5))
    page.clock.run_for(3_000)
    assert _said(page)[before + 2 :] == [["announce", "Expires in 10 seconds"]]


@pytest.mark.parametrize("focused", [False, True])
def test_a_minute_is_said_when_its_second_was_left_out(
    page: Page, base: str, focused: bool
) -> None:
    """And never of a card without the focus. Red while only the very second was looked for."""
    page.goto(f"{base}/approvals.dark.html")
    card = page.locator("#approval-list > article").first
    until = str(card.locator("[data-countdown]").get_attribute("data-countdown"))
    if focused:
        card.focus()
    page.clock.pause_at(datetime.fromisoformat(until) - timedelta(seconds=70))
    page.clock.run_for(1_000)
    before = len(_said(page))
    page.clock.fast_forward(15_000)
    said = [(place, words[:12]) for place, words in _said(page)[before:]]
    assert said == ([("alert", "Expires in 5")] if focused else [])  # 5x seconds


def test_the_polite_region_speaks_every_ten_seconds_at_most(page: Page, base: str) -> None:
    """What waited is then said together."""
    page.goto(f"{base}/incidents.dark.html")
    page.clock.pause_at(datetime.now(UTC))
    page.clock.run_for(20_000)
    before = len(_said(page))
    page.evaluate(_ANNOUNCE, "one")
    page.clock.run_for(10)
    for text in ("two", "three"):
        page.evaluate(_ANNOUNCE, text)
    page.clock.run_for(9_900)
    assert _said(page)[before:] == [["announce", "one"]]
    page.clock.run_for(200)
    assert _said(page)[before:] == [["announce", "one"], ["announce", "two. three"]]


def test_new_rows_are_said_with_how_many_are_critical(page: Page, base: str) -> None:
    page.goto(f"{base}/incidents.dark.html")
    page.evaluate(_LACK)
    page.clock.run_for(2_000)
    expect(page.locator("[data-live-new]")).to_have_text("2 new")
    page.clock.run_for(10_000)
    assert _said(page)[-1] == ["announce", "2 new incidents, 1 critical"]


@pytest.mark.parametrize(("code", "words"), [(4401, "Signed out"), (4403, "Not live")])
def test_the_end_of_the_session_is_said_at_once(
    page: Page, base: str, code: int, words: str
) -> None:
    page.route_web_socket("**/ws/live/", lambda socket: socket.close(code=code))
    page.goto(f"{base}/incidents.dark.html")
    expect(page.locator("#alert")).to_contain_text(words)


def test_a_stop_of_everything_is_said_at_once_and_once(page: Page, base: str) -> None:
    """Not one that was there already, nor the same again when its banner is drawn anew."""
    page.goto(f"{base}/incidents.dark.html")
    for html in ("<b>Stopped for stripe.</b>", *2 * ['<b data-alarm="1">Stopped everywhere.</b>']):
        page.locator("#hazard").evaluate("(place, html) => (place.innerHTML = html)", html)
    expect(page.locator("#alert")).to_have_text("Stopped everywhere.")
    assert [words for place, words in _said(page) if place == "alert"] == ["Stopped everywhere."]


@pytest.mark.parametrize("name", ["overview", "incidents", "incident", "approvals", "safety"])
def test_nothing_else_may_interrupt(page: Page, base: str, name: str) -> None:
    page.goto(f"{base}/{name}.dark.html")
    loud = page.locator("[role=alert], [aria-live=assertive]")
    assert loud.evaluate_all("all => all.map(one => one.id)") == ["alert"]
