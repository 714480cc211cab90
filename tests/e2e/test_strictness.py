"""No page breaks the policy or logs an error, and what people and senders write stays text."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import PAGES, Visit, draw_charts, is_live
from tests.e2e.world import World

pytestmark = pytest.mark.e2e

IMAGE = '<img src=x onerror="alert(1)">'
SCRIPT = "<script>alert(2)</script>"
BREAK = "\"'></textarea></script><svg onload=alert(3)>"
JSON_BREAK = '</script><script>alert(4)</script>{{7*7}}{% now "Y" %}'
WORD = "<svg/onload=alert(5)>"

MORE_PAGES = (
    "/reports/?span=7d",
    "/audit/",
    "/audit/?actor=automation&kind=actions.action",
    "/?range=7d",
    "/incidents/",
    "/incidents/?status=resolved&resolved=24h",
    "/incidents/?q=severity:<svg/onload=alert(8)>&sort=-events",
    "/incidents/?q=%3Cscript%3Ealert(6)%3C%2Fscript%3E",
    "/approvals/?sort=severity",
    "/actions/?status=blocked&type=retry",
    "/recoveries/?state=failed%2Crolled_back&since=7d",
)
ERRORS = {
    "/incidents/00000000-0000-0000-0000-000000000000/": 404,
    f"/nothing/{WORD}": 404,
    "/incidents/?sort=<svg/onload=alert(7)>": 400,
}


def _post_hostile(world: World) -> None:
    """One failure with markup wherever a sender may write any text."""
    world.post_event(
        payload={
            "error_code": BREAK,
            "error_message": IMAGE,
            "vendor": WORD,
            "stack": SCRIPT,
            IMAGE: {BREAK: [SCRIPT, JSON_BREAK, {"__proto__": WORD}]},
            "amount": 1,
        },
        resource_type=SCRIPT,
        resource_id=IMAGE,
        correlation_id=WORD,
        idempotency_key=BREAK,
    )


def _has_no_markup_of_theirs(page: Page) -> None:
    planted = "[onerror], [onload], img[src=x], script:not([src]):not([type='application/json'])"
    assert page.locator(planted).count() == 0


def test_it_shows_hostile_text_as_text(world: World, sign_in: SignIn, alice: Visit) -> None:
    """Pushed into open pages, loaded anew, written by people: no dialog, no report, just text.

    Seen red with a title that was marked as safe.
    """
    lists, overview = alice.open("/incidents/"), alice.open("/")
    _post_hostile(world)
    incident = world.await_incident("escalated")
    row = lists.locator(f"#incident-{incident['id']}")
    expect(row).to_contain_text(IMAGE)
    expect(row).to_contain_text(WORD)
    expect(overview.locator("#feed")).to_contain_text("INC-1")

    page = alice.open(f"/incidents/{incident['id']}/")
    for text in (IMAGE, WORD):
        expect(page.locator("#incident-head")).to_contain_text(text)
    page.locator("details.event summary").first.click()
    for text in (SCRIPT, "__proto__", "{{7*7}}"):
        expect(page.locator("details.event pre").first).to_contain_text(text)
    page.locator("#comment").fill(IMAGE + SCRIPT)
    page.get_by_role("button", name="Comment").click()
    expect(page.locator("#timeline")).to_contain_text(IMAGE + SCRIPT)

    safety = alice.open("/safety/")
    safety.get_by_role("link", name="Stop something else").click()
    safety.locator("dialog[open]").get_by_role("button", name="Show what it means").click()
    dialog = safety.locator("dialog[open]")
    dialog.get_by_label("Reason, shown to everyone").fill(BREAK + IMAGE)
    dialog.get_by_role("button", name="Stop all of").click()
    for one in (overview, safety):
        expect(one.locator("main")).to_contain_text(IMAGE)

    anna = sign_in("anna").open("/")
    for path in PAGES:
        anna.goto(alice.url + path)
        is_live(anna)
        _has_no_markup_of_theirs(anna)
    for tab in (lists, overview, page, safety):
        _has_no_markup_of_theirs(tab)


def test_it_shows_every_page_without_a_mistake(world: World, sign_in: SignIn) -> None:
    """Every page with life on it, in all themes and for all roles: nothing refused, no error."""
    world.fail("payment-timeout", recovers_after=1)
    world.fail("lock-contention")
    world.fail("expired-credential")
    world.await_incident("escalated")
    details = [f"/incidents/{row['id']}/" for row in world.get("/incidents")]
    details.insert(0, f"/workflows/{world.workflows['payments.capture']}/")
    details.insert(0, f"/recoveries/{world.get('/recoveries')[0]['id']}/")
    for name, theme, paths in (
        ("anna", "dark", (*PAGES, *MORE_PAGES, *details)),
        ("alice", "light", (*PAGES, *details[:2])),
        ("vera", "auto", (*PAGES, *details[:2])),
    ):
        visit = sign_in(name)
        visit.context.add_cookies([{"name": "theme", "value": theme, "url": visit.url}])
        page = visit.context.new_page()
        for path in paths:
            answer = page.goto(visit.url + path)
            assert answer
            assert answer.status == 200, path
            is_live(page)
            draw_charts(page)


def test_it_answers_errors_without_a_mistake(world: World, sign_in: SignIn) -> None:
    """400, 403 and 404 are pages too; what was asked for is not played back as markup."""
    visit = sign_in("vera")
    page = visit.context.new_page()
    for path, status in {**ERRORS, "/admin/": None}.items():
        answer = page.goto(visit.url + path)
        assert answer
        if status:
            assert answer.status == status, path
            _has_no_markup_of_theirs(page)
    # The browser itself logs an answer of 400 and more; nothing else may be in the log.
    visit.provoke("Failed to load resource: the server responded with a status of 4")


def test_it_shows_the_login_and_the_api_docs_without_a_mistake(
    world: World, sign_in: SignIn
) -> None:
    """Pages of others (Swagger UI, ReDoc) run under a policy of their own, which they keep too."""
    visit = sign_in("anna")
    page = visit.context.new_page()
    page.goto(f"{visit.url}/api/docs/")
    expect(page.locator("#swagger-ui")).to_contain_text("/api/v1/events")
    page.goto(f"{visit.url}/api/redoc/")
    expect(page.locator("redoc")).to_contain_text("AWFDRS API")
    # ReDoc's own footer asks for its maker's logo, which the policy rightly refuses.
    visit.provoke("cdn.redoc.ly")
    visit.context.clear_cookies()
    page.goto(f"{visit.url}/login")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_it_shows_the_admin_without_a_mistake(world: World, sign_in: SignIn) -> None:
    """Every list of the admin, and a form; hostile text of senders is text there too."""
    _post_hostile(world)
    world.await_incident("escalated")
    visit = sign_in("anna")
    page = visit.context.new_page()
    page.goto(f"{visit.url}/admin/")
    found = page.locator("#content a, main a").evaluate_all("all => all.map(a => a.pathname)")
    lists = sorted({path for path in found if re.fullmatch(r"/admin/\w+/\w+/", path)})
    assert lists
    for path in lists:
        answer = page.goto(visit.url + path)
        assert answer
        assert answer.status == 200, path
        planted = page.locator("[onerror*=alert], [onload*=alert], img[src=x]")
        assert planted.count() == 0, path
