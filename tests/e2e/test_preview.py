"""The previewed pages in a real browser under the strict policy, with a websocket we play.

`make e2e`. The server's side of the pages has tests of its own; here it is what the
script modules do with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.ui.browser import new_page
from tests.ui.pages import PAGES

pytestmark = pytest.mark.e2e


class Socket:
    """The other end of the page's websocket."""

    def __init__(self) -> None:
        self.route: WebSocketRoute | None = None
        self.subscribed: list[str] = []
        self.taken = 0

    def accept(self, route: WebSocketRoute) -> None:
        """Answer as the server does."""
        self.route = route
        route.on_message(self._hear)

    def _hear(self, message: str | bytes) -> None:
        heard = json.loads(message)
        if "subscribe" in heard:
            self.subscribed = heard["subscribe"]
            self.send(live=True)
        else:
            self.taken += 1

    def push(self, topic: str, html: str = "") -> None:
        """Say that something of the topic changed, and which row it has now."""
        self.send(changes=[[topic, html]])

    def send(self, **message: object) -> None:
        """Send one frame to the page."""
        assert self.route
        self.route.send(json.dumps(message))


@pytest.fixture(scope="module")
def _shared(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


@pytest.fixture
def socket() -> Socket:
    """A websocket that answers."""
    return Socket()


@pytest.fixture
def page(_shared: Page, socket: Socket) -> Iterator[Page]:
    """A page at desk size with a live socket; it must end without an error or a refused request."""
    _shared.set_viewport_size({"width": 1440, "height": 900})
    _shared.unroute_all()
    _shared.mistakes.clear()  # type: ignore[attr-defined]
    _shared.route_web_socket("**/ws/live/", socket.accept)
    yield _shared
    assert _shared.mistakes == []  # type: ignore[attr-defined]
    assert _shared.evaluate("window.__refused") == []


def _overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("name", sorted(PAGES))
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_obeys_the_policy_and_fits(page: Page, base: str, name: str, theme: str) -> None:
    """No report of the policy, no script error and no sideways scroll, from 320 (what 1280 is at
    400% zoom) and 720 (1440 at 200%) on."""
    page.goto(f"{base}/{name}.{theme}.html")
    if "overview" in name and "run" not in name:
        expect(page.locator("#rate-plot .main-svg").first).to_be_attached()
    for width in (320, 390, 720, 800, 1024, 1920):
        page.set_viewport_size({"width": width, "height": 844})
        assert _overflow(page) <= 0, width
    assert page.evaluate("window.__refused") == []


def test_it_draws_the_chart_from_the_tokens(page: Page, base: str) -> None:
    """The line has the token's colour, and another one after a change of theme, without reload."""
    page.goto(f"{base}/overview.dark.html")
    line = page.locator("#rate-plot .js-line").first
    expect(line).to_be_attached()
    colour = "element => getComputedStyle(element).stroke"
    expect(line).to_have_css("stroke", "rgb(128, 181, 255)")
    page.locator(".rail__foot summary").click()
    page.locator(".rail [data-theme-form] [value=light]").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    expect(line).to_have_css("stroke", "rgb(26, 86, 196)")
    assert line.evaluate(colour) == "rgb(26, 86, 196)"
    assert "4.1% failing" in str(page.locator("#rate-plot").get_attribute("aria-label"))


def test_it_says_how_live_it_is(page: Page, base: str, socket: Socket) -> None:
    """Live, then lost with its bar and grey values, then live again with a catch-up."""
    page.goto(f"{base}/overview.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    assert {"overview", "feed", "safety", "approvals", "incidents"} <= set(socket.subscribed)
    assert socket.route
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.route_web_socket("**/ws/live/", lambda route: route.close())
    socket.route.close()
    expect(page.locator("[data-net=lost]")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.live") == "lost"
    page.route_web_socket("**/ws/live/", socket.accept)
    fetched.clear()
    page.locator("[data-net-retry]").click()
    expect(page.locator("[data-net=back]")).to_be_visible()
    expect(page.locator("[data-net=lost]")).to_be_hidden()
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    assert [url for url in fetched if url.endswith("overview.dark.html")]


def test_it_changes_a_pushed_row_in_place(page: Page, base: str, socket: Socket) -> None:
    """A known row is replaced where it stands and keeps its trend and the reader's focus."""
    page.goto(f"{base}/incidents.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    row = page.locator("#incident-rows tr").nth(2)
    row.locator("a").focus()
    html = row.evaluate("row => row.outerHTML").replace(">462<", ">999<")
    bare = page.evaluate(
        "html => { const t = document.createElement('template'); t.innerHTML = html;"
        " t.content.querySelector('[data-keep]').replaceChildren(); return t.innerHTML; }",
        html,
    )
    socket.push("incidents", bare)
    expect(row.locator(".c-count b")).to_have_text("999")
    expect(row.locator(".c-count .spark")).to_be_attached()
    expect(row.locator("a")).to_be_focused()


def test_it_holds_new_rows_behind_the_pill(page: Page, base: str, socket: Socket) -> None:
    """A row the page lacks moves nothing; the count is of rows that this list would show."""
    page.goto(f"{base}/incidents.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    first = str(page.locator("#incident-rows tr").first.get_attribute("id"))
    page.evaluate("id => document.getElementById(id).remove()", first)
    shown = page.locator("#incident-rows tr").count()
    socket.push("incidents", f'<tr id="{first}"><td>new</td></tr>')
    pill = page.locator("[data-live-new]")
    expect(pill).to_be_visible()
    expect(pill).to_have_text("1 new")
    assert page.locator("#incident-rows tr").count() == shown
    page.keyboard.press(".")
    expect(page.locator(f"#{first}")).to_be_visible()
    expect(pill).to_be_hidden()


def test_it_ignores_rows_of_other_filters(page: Page, base: str, socket: Socket) -> None:
    """A pushed row that the list would not show is not announced as new."""
    page.goto(f"{base}/incidents.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    with page.expect_request("**/incidents.dark.html"):
        socket.push("incidents", '<tr id="incident-elsewhere"><td>x</td></tr>')
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-live-new]")).to_be_hidden()
    assert page.locator("#incident-elsewhere").count() == 0


def test_it_puts_feed_lines_on_top_unless_held(page: Page, base: str, socket: Socket) -> None:
    """While the reader is in the feed it holds, counts, and then shows what came."""
    page.goto(f"{base}/overview.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    socket.push("feed", '<li id="feed-1"><span>first</span></li>')
    expect(page.locator("#feed > li").first).to_have_id("feed-1")
    page.locator("#feed").hover()
    socket.push("feed", '<li id="feed-2"><span>second</span></li>')
    socket.push("feed", '<li id="feed-3"><span>third</span></li>')
    expect(page.locator("[data-feed-held]")).to_have_text("2 more")
    expect(page.locator("#feed > li").first).to_have_id("feed-1")
    page.mouse.move(5, 5)
    expect(page.locator("#feed > li").first).to_have_id("feed-3")
    expect(page.locator("#feed > li").nth(1)).to_have_id("feed-2")
    expect(page.locator("[data-feed-held]")).to_be_hidden()


def test_it_fetches_again_after_a_hint_and_after_a_gap(
    page: Page, base: str, socket: Socket
) -> None:
    """A change without a row refreshes what shows the topic; what was missed, everything."""
    page.goto(f"{base}/safety.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    heading = "document.querySelector('#safety-state h1').textContent = 'old'"
    for frame in ({"changes": [["safety", ""]]}, {"live": True, "missed": True}):
        page.evaluate(heading)
        socket.send(**frame)
        expect(page.locator("#safety-state h1")).to_have_text("Automation is running, with 1 stop")


def test_it_never_replaces_what_is_being_used(page: Page, base: str, socket: Socket) -> None:
    """An open dialog and a half-written comment outlive a refresh."""
    page.goto(f"{base}/safety.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    page.evaluate("document.querySelector('#switch-list [data-ask]').href = 'ask-stop.dark.html'")
    page.locator("#switch-list [data-ask]").first.click()
    reason = page.locator("dialog[open] textarea")
    reason.fill("half a sent")
    with page.expect_request("**/safety.dark.html"):
        socket.push("safety")
    page.wait_for_load_state("networkidle")
    expect(reason).to_have_value("half a sent")
    expect(page.locator("dialog[open]")).to_be_visible()


def test_it_marks_cards_that_are_gone_and_appends_new_ones(
    page: Page, base: str, socket: Socket
) -> None:
    """The queue never re-sorts: a line stands for a decided card, a new one comes last."""
    page.goto(f"{base}/approvals.dark.html")
    expect(page.locator("[data-live-text]")).to_have_text("Live")
    page.evaluate("""() => {
      const list = document.getElementById('approval-list');
      list.lastElementChild.remove();
      const stranger = list.querySelector('article').cloneNode(true);
      stranger.id = 'approval-decided-elsewhere';
      list.prepend(stranger);
    }""")
    socket.push("approvals")
    gone = page.locator("#approval-decided-elsewhere")
    # The pages may have been written so long ago that the card has expired since.
    expect(gone).to_contain_text(re.compile("Decided meanwhile|Expired"))
    expect(gone.locator("form")).to_have_count(0)
    expect(page.locator("#approval-list > article")).to_have_count(3)
    expect(page.locator("#approval-list > *").first).to_have_id("approval-decided-elsewhere")


def test_it_moves_and_decides_by_keys(page: Page, base: str) -> None:
    """j and k move, r opens the marked card's dialog, / goes to the search, keys rest in fields."""
    page.goto(f"{base}/approvals.dark.html")
    page.keyboard.press("j")
    expect(page.locator("#approval-list > article").first).to_have_class("panel approval is-cursor")
    page.keyboard.press("j")
    expect(page.locator(".is-cursor")).to_have_count(1)
    second = page.locator("#approval-list > article").nth(1)
    expect(second).to_be_focused()
    dialog = second.locator("dialog[open]")
    for _ in range(100):
        # Nothing happens before the card has stood in view; then one key press is enough.
        page.keyboard.press("r")
        page.wait_for_timeout(100)
        if dialog.is_visible():
            break
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("/")
    field = page.locator("#palette [name=q]")
    expect(field).to_be_focused()
    page.keyboard.type("jjk")
    expect(field).to_have_value("jjk")


def test_it_lets_no_key_hit_a_card_that_just_appeared(page: Page, base: str) -> None:
    """`a` at once after a card came into view does nothing."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(f"{base}/approvals.dark.html")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    sent.clear()
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.evaluate("""() => {
      const list = document.getElementById('approval-list');
      const fresh = list.firstElementChild.cloneNode(true);
      fresh.id = 'approval-fresh';
      list.prepend(fresh);
      fresh.focus();
      fresh.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', bubbles: true }));
    }""")
    assert "POST" not in sent


def test_it_opens_dialogs_as_modal_and_gives_focus_back(page: Page, base: str) -> None:
    """The harmless choice has the focus; escape returns it to the button that opened."""
    page.goto(f"{base}/incident.dark.html")
    opener = page.locator("[popovertarget=dialog-ignore]").first
    opener.click()
    dialog = page.locator("#dialog-ignore")
    expect(dialog).to_have_js_property("open", True)
    expect(dialog.locator(".dialog__foot button").first).to_be_focused()
    assert dialog.evaluate("dialog => dialog.matches(':modal')")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_it_posts_forms_without_leaving_the_page(page: Page, base: str, socket: Socket) -> None:
    """A form swaps the main part of the page it comes back to: same document, dialogs closed,
    nothing refused, behaviours attached again, topics asked for again."""
    page.goto(f"{base}/incident.dark.html")
    page.evaluate("window.__same = true")
    page.locator("[popovertarget=dialog-ignore]").first.click()
    page.locator("#dialog-ignore textarea").fill("a reason")
    with page.expect_request(lambda request: request.method == "POST") as posted:
        page.locator("#dialog-ignore .btn--danger").click()
    assert posted.value.post_data
    assert "csrfmiddlewaretoken=preview-token" in posted.value.post_data
    assert "comment=a%20reason" in posted.value.post_data
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("#dialog-ignore textarea")).to_have_value("")
    page.locator("#comment").fill("an update")
    page.keyboard.press("Enter")
    expect(page.locator("#comment")).to_have_value("")
    assert page.evaluate("window.__same") is True
    opener = page.locator("[popovertarget=dialog-resolve]").first
    opener.click()
    assert page.locator("#dialog-resolve").evaluate("dialog => dialog.matches(':modal')")
    assert any(topic.startswith("incident:") for topic in socket.subscribed)


def test_it_says_what_was_not_done(page: Page, base: str) -> None:
    """An answer with an error, and no answer at all, become messages that stay."""
    page.goto(f"{base}/incident.dark.html")
    problem = {"title": "Conflict", "detail": "Anna decided first."}
    page.route(
        "**/comment",
        lambda route: route.fulfill(
            status=409, content_type="application/problem+json", body=json.dumps(problem)
        ),
    )
    page.locator("#comment").fill("late")
    page.keyboard.press("Enter")
    expect(page.locator(".toast[data-toast=error]")).to_contain_text("Anna decided first.")
    expect(page.locator("#comment")).to_have_value("late")
    page.unroute("**/comment")
    page.route("**/comment", lambda route: route.abort())
    page.keyboard.press("Enter")
    expect(page.locator(".toast[data-toast=error]").last).to_contain_text("Nothing was changed")
    page.locator(".toast [data-toast-close]").first.click()
    expect(page.locator(".toast")).to_have_count(1)


def test_it_opens_dialogs_without_script(browser: Browser, base: str) -> None:
    """With scripts off the same button opens the same form, and menus are <details>."""
    with new_page(browser, java_script_enabled=False) as page:
        page.goto(f"{base}/incident.dark.html")
        page.locator("[popovertarget=dialog-ignore]").first.click()
        expect(page.locator("#dialog-ignore textarea")).to_be_visible()
        page.goto(f"{base}/overview.dark.html")
        expect(page.locator("#rate-plot")).to_contain_text("4.1% failing")
        page.locator("#rate-table summary").click()
        expect(page.locator("#rate-table table")).to_be_visible()
        page.locator(".rail__foot summary").click()
        expect(page.locator(".rail__foot button", has_text="Sign out")).to_be_visible()


def test_it_counts_down_and_shows_local_times(page: Page, base: str) -> None:
    """The time left falls each second and the ring with it."""
    page.goto(f"{base}/approvals.dark.html")
    # The last card: the first may have run out, for its end was set when the tests began.
    card = page.locator("#approval-list > article").last
    countdown = card.locator(".countdown")
    before = countdown.text_content()
    expect(countdown).not_to_have_text(str(before))
    ring = card.locator("[data-ring]").get_attribute("stroke-dasharray")
    assert ring
    assert 0 < float(ring.split(" ")[0]) < float(ring.split(" ")[1])


# A control's own height, or that of the invisible area around a small one. Fields of the query bar
# and the lines of the event list are as high as their row.
_SMALL_TARGETS = """() => {
  const kinds = "button, summary, select, .input, .btn, .tabbar a, .tabs a";
  const aside = "dialog:not([open]) *, .event__line, .link";
  const small = [];
  for (const one of document.querySelectorAll(kinds)) {
    const { width, height } = one.getBoundingClientRect();
    if (!width || one.matches(aside)) continue;
    const around = getComputedStyle(one, "::after");
    const hit = around.content !== "none" && around.position === "absolute" ? around.height : 0;
    if (Math.max(height, parseFloat(hit)) < 40) small.push(`${one.className} ${height}`);
  }
  return small;
}"""


@pytest.mark.parametrize(
    "name",
    ["overview", "incidents", "incident", "approvals", "actions", "safety", "ask-stop", "switch"],
)
def test_it_has_targets_for_fingers(page: Page, base: str, name: str) -> None:
    """On a phone every control is 44 px high where a finger lands, links in running text aside."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{base}/{name}.dark.html")
    small = page.evaluate(_SMALL_TARGETS)
    assert small == []


def test_it_stands_still_when_asked(browser: Browser, base: str) -> None:
    """With reduced motion nothing moves by itself."""
    with new_page(browser, reduced_motion="reduce") as page:
        page.route_web_socket("**/ws/live/", Socket().accept)
        page.goto(f"{base}/actions.dark.html")
        moving = page.evaluate(
            "document.getAnimations().filter(a => a.playState === 'running').length"
        )
        assert moving == 0
