"""Search and commands in one dialog: by keys and by mouse, the last answer alone, text as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.template import Context, engines
from django.test import RequestFactory, override_settings
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.test_accessible import put_engine, violations
from tests.ui import cast, contexts
from tests.ui.browser import new_page

pytestmark = pytest.mark.e2e

OPTION = "#palette-found [role=option]"
HERE = "/incidents.dark.html"


def part(hostile: bool = False, empty: bool = False) -> str:
    """What the server answers the palette."""
    context = contexts.search(hostile, empty, palette=True)
    with override_settings(ROOT_URLCONF="tests.ui.urls"):
        request = RequestFactory().get("/search")
        template = engines["django"].engine.get_template("search/_found.html")  # type: ignore[attr-defined]
        return str(template.render(Context({"request": request, "user": cast.ALICE, **context})))


def line(href: str, text: str) -> str:
    """One option."""
    return f'<a class="found__line" role="option" href="{href}"><span>{text}</span></a>'


@pytest.fixture(scope="module")
def _shared(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


@pytest.fixture
def page(_shared: Page, base: str) -> Iterator[Page]:
    """The list of incidents, with a search that finds the same for every word."""
    _shared.unroute_all()
    _shared.route(
        "**/search?**", lambda route: route.fulfill(body=part(), content_type="text/html")
    )
    _shared.goto(base + HERE)
    _shared.evaluate("sessionStorage.clear()")
    yield _shared
    assert _shared.mistakes == []  # type: ignore[attr-defined]
    assert _shared.evaluate("window.__refused") == []


def answer_with(page: Page, html: str) -> None:
    """From now the search answers that."""
    page.unroute("**/search?**")
    page.route("**/search?**", lambda route: route.fulfill(body=html, content_type="text/html"))


@pytest.mark.parametrize("key", ["/", "Control+k", "Meta+k"])
def test_it_opens_by_key_and_gives_the_focus_back(page: Page, key: str) -> None:
    row = page.locator("#incident-rows [data-key-open]").first
    row.focus()
    page.keyboard.press(key)
    expect(page.locator("#palette [name=q]")).to_be_focused()
    expect(page.locator(OPTION).first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    expect(row).to_be_focused()


def test_it_opens_by_mouse_and_closes_beside_it(page: Page) -> None:
    page.locator("[data-palette-open]").click()
    expect(page.locator("#palette [name=q]")).to_be_focused()
    page.mouse.click(5, 5)
    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator("[data-palette-open]")).to_be_focused()


def test_single_keys_off_leaves_the_one_with_control(page: Page) -> None:
    page.evaluate("document.documentElement.dataset.keys = 'off'")
    page.keyboard.press("/")
    expect(page.locator("#palette")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()


def test_it_chooses_by_arrows_while_the_field_keeps_the_focus(page: Page) -> None:
    """The first fits best and is marked; around the ends; a composed word is not sent by enter."""
    page.keyboard.press("/")
    page.keyboard.type("warehouse")
    field, options = page.locator("#palette [name=q]"), page.locator(OPTION)
    expect(options.first).to_have_attribute("aria-selected", "true")
    for key, nth in (("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", -1), ("ArrowDown", 0)):
        page.keyboard.press(key)
        marked = options.nth(nth) if nth >= 0 else options.last
        expect(marked).to_have_attribute("aria-selected", "true")
        expect(field).to_have_attribute("aria-activedescendant", str(marked.get_attribute("id")))
        expect(page.locator(f"{OPTION}[aria-selected=true]")).to_have_count(1)
    expect(field).to_be_focused()
    field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/")


def test_it_shows_the_last_answer_alone(page: Page) -> None:
    """Seen red without the count of questions: the slow answer took the place of the newer one."""
    slow: list[Route] = []

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query).get("q", [""])[0]
        if query == "a":
            slow.append(route)
        else:
            route.fulfill(body=line("/x", f"fits {query}"), content_type="text/html")

    page.unroute("**/search?**")
    page.route("**/search?**", answer)
    page.keyboard.press("/")
    with page.expect_request("**/search?q=a"):
        page.keyboard.type("a")
    page.keyboard.type("b")
    expect(page.locator(OPTION)).to_have_text("fits ab")
    with page.expect_response("**/search?q=a"):
        slow[0].fulfill(body=line("/y", "fits a"), content_type="text/html")
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    expect(page.locator(OPTION)).to_have_text("fits ab")


def test_it_says_when_nothing_is_found_or_nobody_answers(page: Page) -> None:
    answer_with(page, part(empty=True))
    page.keyboard.press("/")
    page.keyboard.type("xyz")
    expect(page.locator("#palette-found")).to_contain_text("Nothing is called")
    expect(page.locator("[data-palette-said]")).to_have_text("Nothing found")
    page.keyboard.press("Enter")
    expect(page.locator("#palette")).to_be_visible()
    page.unroute("**/search?**")
    page.route("**/search?**", lambda route: route.abort())
    page.keyboard.type("z")
    expect(page.locator("#palette-found")).to_contain_text("cannot be reached")


def test_it_remembers_what_was_opened_for_that_person_alone(page: Page, base: str) -> None:
    """As text, and only ways within the site. Seen red without the look at whose it is.

    Enter comes before the answer here, and is meant for it: red while it hit what was listed.
    """
    answer_with(page, line(HERE, "&lt;img src=x onerror=alert(1)&gt; INC-1"))
    page.keyboard.press("/")
    page.keyboard.type("inc")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    answer_with(page, line("/other", "Other"))
    page.keyboard.press("/")
    group = page.get_by_role("group", name="Opened lately")
    expect(group.locator("[role=option]")).to_have_text("<img src=x onerror=alert(1)> INC-1")
    page.keyboard.press("Escape")
    kept = json.loads(page.evaluate("sessionStorage.getItem('awf:opened')"))
    for lines in (
        [["javascript:alert(1)", "a"]],
        [["//evil.invalid/", "b"]],
        [["/\\evil.invalid", "c"]],
    ):
        page.evaluate(
            "kept => sessionStorage.setItem('awf:opened', kept)",
            json.dumps(kept | {"lines": lines}),
        )
        page.keyboard.press("/")
        expect(page.locator(OPTION)).to_have_text(["Other"])
        page.keyboard.press("Escape")
    other = json.dumps({"who": "another", "lines": kept["lines"]})
    page.evaluate("kept => sessionStorage.setItem('awf:opened', kept)", other)
    page.keyboard.press("/")
    expect(page.locator(OPTION)).to_have_text(["Other"])


def test_a_command_changes_the_theme_at_once(page: Page) -> None:
    page.keyboard.press("/")
    page.locator(OPTION, has_text="Theme: light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator("#palette")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 390])
def test_it_keeps_nobody_out(page: Page, width: int) -> None:
    """axe on the open palette: full of hits, full of hostile ones, and empty."""
    page.set_viewport_size({"width": width, "height": 900})
    put_engine(page)
    page.locator("[data-palette-open]").click()
    for html in (part(), part(hostile=True), part(empty=True)):
        answer_with(page, html)
        with page.expect_response("**/search?**"):
            page.keyboard.type("w")
        expect(page.locator("#palette-found > *").first).to_be_visible()
        for theme in ("dark", "light"):
            assert violations(page, theme, "#palette") == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.set_viewport_size({"width": 1440, "height": 900})
