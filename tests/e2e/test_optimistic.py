"""What can be taken back is shown at once, and goes back where the server refuses [U4]."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import Visit
from tests.e2e.world import World
from tests.ui.browser import new_page

pytestmark = pytest.mark.e2e

INSIDE = "all => all.map(one => one.innerHTML)"
# A loaded machine may need longer for a test's next step than the page waits for an answer.
_PATIENT = "document.addEventListener('htmx:configRequest', ({ detail }) => (detail.timeout = 0))"
REFUSAL = '{"detail": "Your role reads only."}'


class Held:
    """The posts of a page: none arrives before it is let go, or refused, or its line is cut."""

    def __init__(self, page: Page) -> None:
        self.routes: list[Route] = []
        self._page = page
        page.route("**/*", self._keep)
        page.evaluate(_PATIENT)

    def _keep(self, route: Route) -> None:
        if route.request.method == "POST":
            self.routes.append(route)
        else:
            route.fallback()

    @property
    def one(self) -> Route:
        """The only post since the last one, once the page shows what it is for."""
        self._page.wait_for_function("document.querySelector('[data-pending]')")
        (route,) = self.routes
        self.routes.clear()
        return route

    def refuse(self) -> None:
        """Answer that the role is not enough."""
        self.one.fulfill(status=403, content_type="application/problem+json", body=REFUSAL)


@pytest.fixture(scope="module")
def _shared(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


@pytest.fixture
def page(_shared: Page, base: str) -> Iterator[Page]:
    """A browser on the previewed pages."""
    _shared.unroute_all()
    yield _shared
    assert _shared.mistakes == []  # type: ignore[attr-defined]
    assert _shared.evaluate("window.__refused") == []


def _acknowledge(page: Page) -> None:
    page.keyboard.press("e")
    expect(page.locator("#button-acknowledge")).to_have_text("Acknowledged")
    expect(page.locator("#incident-state")).to_have_text("Acknowledged")
    page.keyboard.press("e")  # it is sent once


def _assign(page: Page) -> None:
    page.keyboard.press("m")
    page.locator("#dialog-assign").get_by_label("Anna").check()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#dialog-assign")).to_be_hidden()
    expect(page.locator("#button-assign")).to_contain_text("Anna")
    expect(page.locator("#button-assign .avatar")).to_have_text(re.compile("^A"))


def _comment(page: Page) -> None:
    page.keyboard.press("c")
    page.keyboard.type("<b>Called</b> the bank")
    page.keyboard.press("Enter")
    line = page.locator("#timeline > li").first
    expect(line.locator(".quote")).to_have_text("<b>Called</b> the bank")
    expect(page.locator("#comment")).to_have_value("")


DEEDS = {
    "Not acknowledged": (_acknowledge, "#incident-head"),
    "Not assigned": (_assign, "#button-assign"),
    "Comment not saved": (_comment, "#timeline"),
}


@pytest.mark.parametrize("why", ["refused", "cut"])
@pytest.mark.parametrize("title", DEEDS)
def test_it_goes_back_with_a_word_why(page: Page, base: str, title: str, why: str) -> None:
    """Exactly what was there; a comment is in its field again, with what was added meanwhile."""
    do, place = DEEDS[title]
    page.goto(f"{base}/incident-open.dark.html")
    before = page.locator(place).inner_html()
    held = Held(page)
    do(page)
    assert page.locator(place).inner_html() != before
    if title.startswith("Comment"):
        page.locator("#comment").press_sequentially("again")
    if why == "refused":
        held.refuse()
    else:
        held.one.abort("connectionfailed")
    toast = page.locator("#toasts [data-toast=error]")
    expect(toast.locator("b")).to_have_text(title)
    expect(toast.locator("p")).to_have_text(
        "Your role reads only."
        if why == "refused"
        else "The server cannot be reached. Nothing was changed."
    )
    assert page.locator(place).inner_html() == before
    assert page.locator("[data-pending]").count() == 0
    if title.startswith("Comment"):
        expect(page.locator("#comment")).to_have_value("<b>Called</b> the bank again")


def test_nothing_is_waited_for_without_end(page: Page, base: str) -> None:
    """After a while without an answer it goes back, and says that this is not known."""
    page.goto(f"{base}/incident-open.dark.html")
    page.evaluate(
        "document.addEventListener('htmx:configRequest', ({ detail }) => (detail.timeout /= 50))"
    )
    page.route("**/acknowledge", lambda _: None)
    page.keyboard.press("e")
    expect(page.locator("#toasts b")).to_have_text("Not acknowledged")
    expect(page.locator("#toasts p")).to_contain_text("did not answer in time")
    expect(page.locator("#button-acknowledge")).to_have_text("Acknowledgee")  # and its key


def test_a_list_shows_it_of_what_is_ticked(page: Page, base: str) -> None:
    """Open rows alone; and back, the ticks too."""
    page.goto(f"{base}/incidents.dark.html")
    rows = page.locator("#incident-rows")
    for key in ("j", "x", "Shift+J", "Shift+J"):
        page.keyboard.press(key)
    cells = page.locator("#incident-rows :is(.c-status, .c-owner)")
    before = cells.evaluate_all(INSIDE)
    assert "".join(before).count("#i-st-open") > 1
    held = Held(page)
    page.keyboard.press("e")
    for nth in range(3):
        expect(rows.locator(".c-status").nth(nth)).to_have_text("Acknowledged")
    held.refuse()
    expect(page.locator("#toasts b")).to_have_text("Not acknowledged")
    assert cells.evaluate_all(INSIDE) == before
    page.locator("#bulk [name=assignee]").select_option(index=1)
    page.locator("#bulk").get_by_role("button", name="Assign").click()
    expect(rows.locator(".c-owner").nth(1)).not_to_have_text("")
    held.refuse()
    expect(page.locator("#toasts b").last).to_have_text("Not assigned")
    assert cells.evaluate_all(INSIDE) == before
    expect(page.locator("[data-select]:checked")).to_have_count(3)


def test_the_truth_takes_its_place(world: World, alice: Visit, sign_in: SignIn) -> None:
    """Once, however the page is told in the meantime; and what was begun to be written stays."""
    world.post_event()
    incident = world.await_incident("escalated")
    page = alice.open(f"/incidents/{incident['id']}/")
    other = sign_in("bob").open(f"/incidents/{incident['id']}/")
    held = Held(page)
    _comment(page)
    other.locator("#comment").fill("From the other side")
    other.get_by_role("button", name="Comment").click()
    expect(other.locator("#timeline .quote")).to_have_text("From the other side")
    expect(page.locator("#timeline-tabs .n").last).to_have_text("1")
    expect(page.locator("#timeline .quote")).to_have_text("<b>Called</b> the bank")
    page.locator("#comment").press_sequentially("and wr")
    held.one.continue_()
    quotes = ["<b>Called</b> the bank", "From the other side"]
    expect(page.locator("#timeline .quote")).to_have_text(quotes)
    expect(page.locator("#toasts")).to_contain_text("Comment saved")
    expect(page.locator("#comment")).to_have_value("and wr")
    expect(page.locator("[data-pending]")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator("#button-acknowledge")).to_have_text("Acknowledged")
    assert not world.get("/incidents")[0]["acknowledged_by"]
    held.one.continue_()
    expect(page.locator("#toasts")).to_contain_text("is acknowledged")
    expect(page.get_by_role("button", name="Take back")).to_be_visible()


def test_two_at_once_keep_both_answers(world: World, alice: Visit) -> None:
    """The first one's answer does not take the second one's form away."""
    world.post_event()
    page = alice.open(f"/incidents/{world.await_incident('escalated')['id']}/")
    held = Held(page)
    page.keyboard.press("e")
    first = held.one
    _comment(page)
    second = held.one
    first.continue_()
    expect(page.locator("#toasts")).to_contain_text("is acknowledged")
    expect(page.locator("#incident-head")).to_contain_text("Acknowledged")
    expect(page.locator("#timeline .quote")).to_have_count(1)
    second.continue_()
    expect(page.locator("#toasts")).to_contain_text("Comment saved")
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    expect(page.locator("#timeline .quote")).to_have_text("<b>Called</b> the bank")


def test_a_comment_that_is_begun_outlives_the_answer_to_something_else(
    world: World, alice: Visit
) -> None:
    """With what is offered for the name in it. Seen red without draft.js: the field was empty."""
    world.post_event()
    page = alice.open(f"/incidents/{world.await_incident('escalated')['id']}/")
    held = Held(page)
    page.keyboard.press("e")
    comment = page.locator("#comment")
    comment.press_sequentially("Ask @an")
    expect(comment).to_have_attribute("aria-expanded", "true")
    held.one.continue_()
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    expect(comment).to_be_focused()
    expect(comment).to_have_value("Ask @an")
    page.get_by_role("option", name="Anna").click()
    expect(comment).to_have_value(f"Ask @{world.people['anna']} ")
