"""Every previewed page before axe-core: the rules of WCAG 2.2 A and AA, and good practice [U5].

A new page is taken up by standing in tests/ui/pages.py. The engine is put into the page past its
policy, by the browser's own debugging protocol; the page itself stays under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.browser import new_page
from tests.ui.pages import PAGES

pytestmark = pytest.mark.e2e

# On top of every rule for WCAG's A and AA: order of headings, landmarks, names of table heads.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What is another question in another theme.
COLOURS = ["color-contrast", "link-in-text-block"]
DESK, PHONE = {"width": 1440, "height": 900}, 390
# One answer a rule: which element, and what is wrong with it.
_RUN = """async ([part, theme, runOnly]) => {
  document.documentElement.dataset.theme = theme;
  const { violations } = await axe.run(part ? document.querySelector(part) : document, {
    runOnly, resultTypes: ["violations"], preload: false, iframes: false,
  });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
    `${id}: ${target.join(" ")} ${failureSummary.replaceAll(/\\s+/g, " ")}`));
}"""
# What opens on a page; what reads like one that was looked at is not looked at again.
_PARTS = """() => [...document.querySelectorAll("dialog, details")].map((part, index) => {
  part.dataset.part = index;
  return [`[data-part="${index}"]`, part.textContent.replaceAll(/\\s+/g, " ")];
})"""
_OPEN = "part => part.tagName === 'DIALOG' ? part.showModal() : (part.open = true)"
_CLOSE = "part => part.tagName === 'DIALOG' ? part.close() : (part.open = false)"


@cache
def _engine() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One page for all, on which nothing moves, and nothing is fetched anew."""
    with new_page(browser, reduced_motion="reduce") as page:
        page.add_init_script("window.fetch = () => new Promise(() => {})")
        yield page


@pytest.fixture(scope="module")
def looked_at() -> set[str]:
    """The texts of dialogs and menus that were looked at."""
    return set()


def put_engine(page: Page) -> None:
    """Make axe known to the page."""
    page.evaluate(_engine())


def violations(page: Page, theme: str, part: str = "", rules: str = "") -> list[str]:
    """What axe finds wrong with the page, or with one part of it."""
    only = {"type": "rule", "values": COLOURS} if rules else {"type": "tag", "values": TAGS}
    found: list[str] = page.evaluate(_RUN, [part, theme, only])
    width = (page.viewport_size or DESK)["width"]
    return [f"{width} {theme} {part}: {one}" for one in found]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_it_keeps_nobody_out(page: Page, base: str, name: str, looked_at: set[str]) -> None:
    """No violation at desk and phone width, in both themes, with every dialog and menu open.

    Seen red by lines of the feed in a list that was none, by targets of 22 pixels, by table heads
    without a word.
    """
    page.set_viewport_size(DESK)
    page.goto(f"{base}/{name}.dark.html")
    put_engine(page)
    found = violations(page, "dark") + violations(page, "light", rules="colours")
    for selector, text in page.evaluate(_PARTS):
        if text in looked_at:
            continue
        looked_at.add(text)
        page.eval_on_selector(selector, _OPEN)
        found += violations(page, "dark", selector)
        found += violations(page, "light", selector, rules="colours")
        page.eval_on_selector(selector, _CLOSE)
    # As high as the page: what a bar covers for the moment can be scrolled from under it.
    page.set_viewport_size({"width": PHONE, "height": 900})
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": PHONE, "height": 200 + height})
    found += violations(page, "light") + violations(page, "dark", rules="colours")
    assert found == []
