"""The query bar offers filters and values while one types, and is never in the way [U4 U5]."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.test_accessible import put_engine, violations
from tests.ui.browser import new_page

pytestmark = pytest.mark.e2e

LIST, OPTION = "#query-offers", "#query-offers:visible [role=option]"
CHOSEN = f"{LIST} [aria-selected=true]"


@pytest.fixture(scope="module")
def _shared(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


@pytest.fixture
def page(_shared: Page, base: str) -> Iterator[Page]:
    """The list of incidents, the focus in its emptied query."""
    _shared.set_viewport_size({"width": 1440, "height": 900})
    _shared.goto(f"{base}/incidents.dark.html")
    _shared.keyboard.press("f")
    _shared.locator("#query-text").fill("")
    _shared.keyboard.press("Escape")
    yield _shared
    assert _shared.mistakes == []  # type: ignore[attr-defined]
    assert _shared.evaluate("window.__refused") == []


def test_it_offers_filters_then_their_values_with_counts(page: Page) -> None:
    """By keys alone: the field keeps the focus and says what is chosen; how many is announced."""
    field = page.locator("#query-text")
    page.keyboard.type("s")
    expect(page.locator(f"{OPTION} code")).to_have_text(["status:", "severity:", "seen:"])
    expect(page.locator("[data-complete-said]")).to_have_text("3 suggestions")
    expect(field).to_have_attribute("aria-expanded", "true")
    assert field.get_attribute("aria-activedescendant") is None
    for key, nth in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", 2)):
        page.keyboard.press(key)
        option = page.locator(OPTION).nth(nth)
        expect(option).to_have_attribute("aria-selected", "true")
        expect(field).to_have_attribute("aria-activedescendant", str(option.get_attribute("id")))
        expect(page.locator(CHOSEN)).to_have_count(1)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(field).to_have_value("severity:")
    expect(page.locator(OPTION).first).to_have_text("critical2")
    page.keyboard.type("lo")
    expect(page.locator(OPTION)).to_have_text("low7")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value("severity:low ")
    expect(field).to_be_focused()
    expect(page.locator(LIST)).to_be_hidden()
    expect(field).to_have_attribute("aria-expanded", "false")


@pytest.mark.parametrize(
    ("typed", "offered", "becomes"),
    [
        ("-ven", ["vendor:"], "-vendor:"),
        ("vendor:str", ["stripe"], "vendor:stripe "),
        ("severity:high,cri", ["critical"], "severity:high,critical "),
        ("severity:high,low,", ["critical", "medium"], "severity:high,low,critical "),
        ("status:open wor", ["workflow:"], "status:open workflow:"),
        ('"exact words" own', ["owner:"], '"exact words" owner:'),
        ('workflow:"pay', ["payments.capture"], "workflow:payments.capture "),
        ("workflow:sync", ["crm.contact-sync"], "workflow:crm.contact-sync "),
        ("owner:anna", ["anna"], "owner:anna "),
        ("resolved:2", ["24h"], "resolved:24h "),
        ("SEVERITY:LO", ["low"], "SEVERITY:low "),
    ],
)
def test_it_completes_the_condition_at_the_caret(
    page: Page, typed: str, offered: list[str], becomes: str
) -> None:
    page.keyboard.type(typed)
    if typed == "owner:anna":  # there is nothing left to complete, until one takes a letter back
        expect(page.locator(LIST)).to_be_hidden()
        page.keyboard.press("Backspace")
    expect(page.locator(f"{OPTION} code")).to_have_text(offered)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#query-text")).to_have_value(becomes)


@pytest.mark.parametrize("typed", ["zzz", "zzz:", '"status:', "declined", "status:zz", ",", "-"])
def test_it_offers_nothing_where_nothing_fits(page: Page, typed: str) -> None:
    """A dash alone is the beginning of any filter."""
    page.keyboard.type(typed)
    expect(page.locator(OPTION)).to_have_count(9 if typed == "-" else 0)


def test_a_value_with_spaces_is_put_in_quotes(page: Page) -> None:
    page.locator("[data-option^='workflow:']").first.evaluate(
        "(link, option) => { link.dataset.option = option; }", 'workflow:a "b" c'
    )
    page.keyboard.type("workflow:a")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#query-text")).to_have_value('workflow:"a \\"b\\" c" ')
    page.keyboard.type("sev")
    expect(page.locator(f"{OPTION} code")).to_have_text(["severity:"])


def test_a_word_in_the_middle_is_replaced_as_a_whole(page: Page) -> None:
    page.keyboard.type("severity:high,low vendor:stripe")
    for _ in range(len("gh,low vendor:stripe")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    expect(page.locator(CHOSEN)).to_have_text("high5")
    page.keyboard.press("Enter")
    expect(page.locator("#query-text")).to_have_value("severity:high,low vendor:stripe")


def test_escape_closes_it_and_keeps_what_was_typed(page: Page) -> None:
    """Once more leaves the field. Seen red without it: the browser clears a search field."""
    field = page.locator("#query-text")
    page.keyboard.type("stat")
    page.keyboard.press("Escape")
    expect(page.locator(LIST)).to_be_hidden()
    expect(field).to_have_value("stat")
    expect(field).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(CHOSEN)).to_have_text("status:Status")


def test_enter_and_tab_are_its_own_only_where_one_is_chosen(page: Page) -> None:
    """Enter sends the query as it was typed, tab leaves the field."""
    page.keyboard.type("s")
    expect(page.locator(OPTION)).to_have_count(3)
    page.keyboard.press("Tab")
    expect(page.locator("#query-text")).not_to_be_focused()
    expect(page.locator(LIST)).to_be_hidden()
    page.locator("#query-text").focus()
    page.keyboard.type("t")
    with page.expect_request(lambda request: "q=st&" in request.url):
        page.keyboard.press("Enter")


def test_the_mouse_takes_one_and_the_field_keeps_the_focus(page: Page) -> None:
    page.keyboard.type("sev")
    page.locator(OPTION).click()
    page.locator(OPTION, has_text="critical").click()
    expect(page.locator("#query-text")).to_have_value("severity:critical ")
    expect(page.locator("#query-text")).to_be_focused()
    page.keyboard.type("o")
    page.mouse.click(700, 600)
    expect(page.locator(LIST)).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_and_keeps_nobody_out(page: Page, width: int) -> None:
    """Within the window at both widths, and nothing for axe in either theme."""
    page.set_viewport_size({"width": width, "height": 900})
    put_engine(page)
    for typed in ("s", "tatus:"):
        page.keyboard.type(typed)
        box = page.locator(LIST).bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        for theme in ("dark", "light"):
            assert violations(page, theme, "#filters") == []
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
