"""People with colours of their own, with more contrast, and at 200 % of the size [U5]."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.ui.browser import new_page

pytestmark = pytest.mark.e2e

PAGES = ("overview", "incidents", "incident-open", "approvals", "safety")
# What is drawn with the element's colour in less than 3:1 to what lies behind it.
_WEAK = """all => all.filter((one) => one.checkVisibility()).filter((element) => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => numbers(text).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = element;
  const isClear = (one) => numbers(getComputedStyle(one).backgroundColor)[3] === 0;
  while (behind !== document.body && isClear(behind)) behind = behind.parentElement;
  const colours = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
  const [a, b] = colours.map(light);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 3;
}).map((one) => one.outerHTML)"""
_EDGES = """all => all.filter((one) => one.checkVisibility()).filter((one) => {
  const { borderTopWidth, borderTopStyle, borderTopColor } = getComputedStyle(one);
  const hidden = borderTopStyle === "none" || borderTopColor === "rgba(0, 0, 0, 0)";
  return borderTopWidth === "0px" || hidden;
}).map((one) => one.outerHTML)"""
_RING = """() => {
  const ring = document.activeElement.closest(".query") ?? document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(ring);
  return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
}"""
# Words that do not fit and are cut off without a sign of it.
_CLIPPED = """() => [...document.querySelectorAll("main *, header *, nav *")].filter((one) =>
  one.checkVisibility() && !one.childElementCount && one.textContent.trim()
  && !one.closest("svg, .vh")
  && one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1
  && ["hidden", "clip"].includes(getComputedStyle(one).overflowX)
  && getComputedStyle(one).textOverflow !== "ellipsis").map((one) => one.outerHTML)"""


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_hangs_on_our_colours(browser: Browser, base: str, name: str, theme: str) -> None:
    """Glyphs of states, where one is, edges of buttons, and the ring around what has the focus.

    Seen red by icons in our colours on theirs, and by the query's ring, which was a colour alone.
    """
    with new_page(browser, forced_colors="active") as page:
        page.goto(f"{base}/{name}.{theme}.html")
        assert page.locator(".btn").evaluate_all(_EDGES) == []
        for selector in (".nav .i, main .i", "[aria-current], [aria-current] .n, .btn, .badge"):
            assert page.locator(selector).evaluate_all(_WEAK) == []
        for _ in range(12):
            page.keyboard.press("Tab")
            assert page.evaluate(_RING), page.evaluate("document.activeElement.outerHTML")
        if name == "incidents":
            page.keyboard.press("f")
            assert page.evaluate(_RING)


@pytest.mark.parametrize("how", ["contrast", "zoom"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off(browser: Browser, base: str, name: str, how: str) -> None:
    """Nor does the page scroll sideways."""
    options = {"contrast": "more"} if how == "contrast" else {"device_scale_factor": 2}
    width, height = (1440, 900) if how == "contrast" else (720, 450)
    with new_page(browser, width, height, **options) as page:
        page.goto(f"{base}/{name}.dark.html")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.evaluate(_CLIPPED) == []
