"""Every key on every kind of page, where keys rest, where the focus is after a swap [U4 U5]."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.browser import new_page

pytestmark = pytest.mark.e2e

LIST, INCIDENT, APPROVALS = "incidents", "incident", "approvals"
ROWS = "#incident-rows > tr"
LOST = "document.activeElement === document.body || document.activeElement === null"


@pytest.fixture(scope="module")
def _shared(browser: Browser) -> Iterator[Page]:
    with new_page(browser, reduced_motion="reduce") as page:
        yield page


@pytest.fixture
def page(_shared: Page) -> Iterator[Page]:
    """A desk; it must end without an error and without a refused request."""
    _shared.unroute_all()
    yield _shared
    assert _shared.mistakes == []  # type: ignore[attr-defined]
    assert _shared.evaluate("window.__refused") == []


def keeps_focus(page: Page) -> None:
    """Something has the focus, and still once the browser has drawn."""
    page.wait_for_function(f"!({LOST})")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert not page.evaluate(LOST)


@pytest.mark.parametrize(
    ("name", "key", "opened"),
    [
        (INCIDENT, "m", "#dialog-assign[open]"),
        (INCIDENT, "d", "#dialog-resolve[open]"),
        (INCIDENT, "z", "#dialog-snooze[open]"),
        (INCIDENT, "c", "#comment:focus"),
        (INCIDENT, "?", "#keys-help[open]"),
        (INCIDENT, "/", "#palette[open]"),
        (LIST, "j", f"{ROWS}:first-child.is-cursor"),
        (APPROVALS, "j", "#approval-list > article:first-of-type:focus"),
        ("recoveries", "j", "#recovery-rows > tr:first-child.is-cursor"),
        ("actions", "j", "#action-rows > tr:first-child.is-cursor"),
        (LIST, "f", "#query-text:focus"),
        ("actions", "f", "#filters .chip:first-of-type select:focus"),
        ("recoveries", "f", "#filters .chip:first-of-type select:focus"),
        ("audit", "f", "#filters .chip:first-of-type select:focus"),
        ("workflows", "j", ".table tbody > tr:first-child.is-cursor"),
    ],
)
def test_a_key_does_what_it_says(page: Page, base: str, name: str, key: str, opened: str) -> None:
    """But not with a modifier, not while a word is composed, and not once keys are off."""
    page.goto(f"{base}/{name}.dark.html")
    for modifier in ("Control", "Alt", "Meta"):
        page.evaluate(
            "([key, held]) => document.body.dispatchEvent(new KeyboardEvent('keydown',"
            " {key, bubbles: true, [held]: true}))",
            [key, {"Control": "ctrlKey", "Alt": "altKey", "Meta": "metaKey"}[modifier]],
        )
    page.evaluate(
        "key => document.body.dispatchEvent(new KeyboardEvent('keydown',"
        " {key, bubbles: true, isComposing: true}))",
        key,
    )
    page.evaluate("document.documentElement.dataset.keys = 'off'")
    page.keyboard.press(key)
    assert page.locator(opened).count() == 0
    page.evaluate("document.documentElement.dataset.keys = 'on'")
    page.keyboard.press(key)
    expect(page.locator(opened)).to_have_count(1)
    keeps_focus(page)


def test_keys_rest_in_fields(page: Page, base: str) -> None:
    """What is typed is text, and escape leaves the field."""
    page.goto(f"{base}/{INCIDENT}.dark.html")
    page.keyboard.press("c")
    page.keyboard.type("emdzc?/[].gojkx")
    expect(page.locator("#comment")).to_have_value("emdzc?/[].gojkx")
    assert page.locator("dialog[open]").count() == 0
    page.keyboard.press("Escape")
    expect(page.locator("#comment")).not_to_be_focused()


def test_a_list_is_worked_by_keys(page: Page, base: str) -> None:
    """j and k to a row, x ticks it, shift extends, enter opens what has the focus."""
    page.goto(f"{base}/{LIST}.dark.html")
    for key in ("j", "j", "k", "x", "Shift+J"):
        page.keyboard.press(key)
    expect(page.locator("[data-select]:checked")).to_have_count(2)
    row = page.locator(ROWS).nth(1)
    expect(row).to_have_class(re.compile("is-cursor"))
    keeps_focus(page)
    href = row.locator("[data-key-open]").get_attribute("href")
    with page.expect_navigation(url=f"**{href}"):
        page.keyboard.press("Enter")


@pytest.mark.parametrize("name", [LIST, "actions", "recoveries"])
def test_a_dot_shows_what_is_new(page: Page, base: str, name: str) -> None:
    """Where rows wait, and only then; the help says so, and names the filter's key."""
    page.goto(f"{base}/{name}.dark.html")
    help_of_dot = page.locator("#keys-help dd", has_text="Show what is new")
    page.locator("tbody > tr").first.evaluate("row => row.remove()")
    left = page.locator("tbody > tr").count()
    for key in (".", "?"):
        page.keyboard.press(key)
    expect(page.locator("#keys-help dd").first).to_be_visible()
    expect(help_of_dot).to_have_count(0)
    expect(page.locator("#keys-help dd", has_text="Filter")).to_have_count(1)
    page.keyboard.press("Escape")
    assert page.locator("tbody > tr").count() == left
    page.locator("[data-live-new]").evaluate("one => { one.hidden = false; }")
    page.keyboard.press("?")
    expect(help_of_dot).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press(".")
    expect(page.locator("tbody > tr")).to_have_count(left + 1)
    expect(page.locator("[data-live-new]")).to_be_hidden()


def test_neighbours_follow_the_list(page: Page, base: str) -> None:
    """`[` and `]` go through what the list showed, in its order, on to its next page; elsewhere
    neither is there. Seen red with rows of the page alone."""
    page.goto(f"{base}/{INCIDENT}.dark.html")
    page.evaluate("sessionStorage.clear()")
    page.reload()
    expect(page.locator("[data-neighbours] a:visible")).to_have_count(0)
    older = '<div data-key-list><a data-key-open href="/incident-viewer.dark.html">x</a></div>'
    page.route("**/older", lambda route: route.fulfill(body=older, content_type="text/html"))
    page.evaluate(
        "kept => sessionStorage.setItem('awf:list', JSON.stringify(kept))",
        {
            "hrefs": ["/incident-hostile.dark.html", f"/{INCIDENT}.dark.html"],
            "older": f"{base}/older",
        },
    )
    page.reload()
    expect(page.locator("[data-neighbours] a:visible")).to_have_count(2)
    page.keyboard.press("]")
    page.wait_for_url("**/incident-viewer.dark.html")
    expect(page.locator("[data-neighbours] a:visible")).to_have_count(1)
    for expected in (INCIDENT, "incident-hostile"):
        page.keyboard.press("[")
        page.wait_for_url(f"**/{expected}.dark.html")
        expect(page.locator("[data-neighbours] a[href]:visible").first).to_be_visible()


def test_opening_a_row_keeps_the_order_of_the_list(page: Page, base: str) -> None:
    page.goto(f"{base}/{LIST}.dark.html")
    shown = page.locator(f"{ROWS} [data-key-open]").evaluate_all(
        "all => all.map(one => one.getAttribute('href'))"
    )
    page.locator(f"{ROWS} [data-key-open]").nth(2).click()
    page.goto(f"{base}/{INCIDENT}.dark.html")
    assert page.evaluate("JSON.parse(sessionStorage.getItem('awf:list')).hrefs") == shown


@pytest.mark.parametrize("name", [LIST, INCIDENT, APPROVALS, "overview", "incident-viewer"])
def test_the_help_names_the_keys_of_the_page(page: Page, base: str, name: str) -> None:
    """Those that have something to hit, no others, each with words."""
    page.goto(f"{base}/{name}.dark.html")
    page.keyboard.press("?")
    lines = dict(
        page.locator("#keys-help dl").evaluate(
            "list => [...list.querySelectorAll('dt')].map(one =>"
            " [one.textContent.trim(), one.nextElementSibling.textContent.trim()])"
        )
    )
    assert all(lines.values()), lines
    special = {
        LIST: {"j", "k", "x", "shift j", "↵"},
        INCIDENT: {"m", "d", "z", "c", "ctrl ↵"},
        APPROVALS: {"a", "r", "e", "j", "k", "↵"},
        "overview": set(),
        "incident-viewer": set(),
    }
    common = {"/", "?", "ctrl k", "esc", "g o", "g i", "g a", "g h", "g s"}
    assert common | special[name] <= lines.keys()
    for key in "emdcar":
        assert (key in lines) == (key in special[name]), key
    assert (lines["g i"], lines["/"]) == ("Incidents", "Search and commands")


def test_control_enter_alone_confirms(page: Page, base: str) -> None:
    """In a text enter is a new line; with control the dialog's form is sent."""
    page.goto(f"{base}/{INCIDENT}.dark.html")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.keyboard.press("d")
    text = page.locator("#dialog-resolve textarea")
    text.fill("Done")
    page.keyboard.press("Enter")
    expect(text).to_have_value("Done\n")
    assert "POST" not in sent
    with page.expect_request(lambda request: request.method == "POST"):
        page.keyboard.press("Control+Enter")


def test_a_dialog_from_a_menu_gives_focus_to_the_menu(page: Page, base: str) -> None:
    """Its button is folded away by then. Red while the menu was closed after the dialog opened."""
    page.goto(f"{base}/{LIST}.dark.html")
    menu = page.locator(".rail__foot summary")
    menu.click()
    page.get_by_role("button", name="Keyboard").click()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()


@pytest.mark.parametrize(
    ("name", "held", "happens"),
    [
        (LIST, "[data-live-new]", "one => { one.hidden = true; }"),
        (LIST, f"{ROWS}:nth-child(2) a", "one => one.closest('tr').remove()"),
        (INCIDENT, "[data-key=z]", "one => { one.disabled = true; }"),
        (INCIDENT, "[data-key=d]", "one => one.remove()"),
        (
            INCIDENT,
            "[data-key=m]",
            "one => document.getElementById('incident-head').replaceChildren()",
        ),
        (APPROVALS, "#approval-list > article", "one => one.remove()"),
        (APPROVALS, "[data-key=a]", "one => one.closest('article').remove()"),
        (LIST, ".rail__foot .menu__item", "one => { one.closest('details').open = false; }"),
    ],
)
def test_focus_goes_on_when_its_place_is_gone(
    page: Page, base: str, name: str, held: str, happens: str
) -> None:
    """To the nearest that is left. Seen red without focus.js, each but the button in a card, which
    keys.js follows with the next card."""
    page.goto(f"{base}/{name}.dark.html")
    one = page.locator(held).first
    one.evaluate(
        "one => { one.hidden = false; const menu = one.closest('details');"
        " if (menu) menu.open = true; one.focus(); }"
    )
    assert not page.evaluate(LOST)
    one.evaluate(happens)
    keeps_focus(page)


@pytest.mark.parametrize(
    ("name", "press"),
    [(INCIDENT, ".composer button"), (INCIDENT, "[data-key=d]"), (APPROVALS, "[data-key=a]")],
)
def test_focus_stays_after_the_answer_to_a_form(
    page: Page, base: str, name: str, press: str
) -> None:
    """The main part of the page is another one then; dialogs that were open are closed."""
    page.goto(f"{base}/{name}.dark.html")
    page.evaluate("document.getElementById('main').dataset.old = ''")
    if "composer" in press:
        page.locator("#comment").fill("Seen")
    page.locator(press).first.focus()
    page.keyboard.press("Enter")
    if page.locator("dialog[open]").count():
        page.locator("dialog[open] textarea").fill("Done")
        page.keyboard.press("Control+Enter")
    expect(page.locator("#main:not([data-old])")).to_have_count(1)
    keeps_focus(page)


def test_focus_stays_when_a_message_is_closed(page: Page, base: str) -> None:
    page.goto(f"{base}/{LIST}.dark.html")
    page.route("**/bulk", lambda route: route.abort())
    for key in ("j", "x", "e"):
        page.keyboard.press(key)
    page.locator("[data-toast-close]").click()
    expect(page.locator("[data-toast]")).to_have_count(0)
    keeps_focus(page)


def test_a_press_beside_everything_takes_the_focus_away(page: Page, base: str) -> None:
    """That is what the person meant; nothing takes it back at the next change of the page."""
    page.goto(f"{base}/{LIST}.dark.html")
    page.locator("[data-palette-open]").focus()
    page.mouse.click(700, 20)
    page.evaluate("document.querySelector('#incident-rows > tr').remove()")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert page.evaluate("!document.activeElement.matches('a, button, input')")
