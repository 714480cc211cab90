"""Every page and every act by plain requests, in a browser with scripts off."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.stagehand import PASSWORD
from tests.e2e.visit import visiting
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(sign_in: SignIn) -> Page:
    """Alice's tab, without scripts."""
    return sign_in("alice", java_script_enabled=False).open("/", live=False)


def test_it_signs_in_and_out(browser: Browser, world: World) -> None:
    """A wrong password is said, the right one leads to the page asked for, signing out leaves."""
    with visiting(browser, world.site.url, java_script_enabled=False) as visit:
        page = visit.open("/safety/", live=False)
        for password in ("wrong", PASSWORD):
            page.get_by_label("User name").fill(world.people["alice"])
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            if password == "wrong":
                expect(page.locator("#login-error")).to_be_visible()
        expect(page).to_have_url(re.compile("/safety/$"))
        page.locator(".rail__foot summary").click()
        page.get_by_role("button", name="Sign out").first.click()
        expect(page).to_have_url(re.compile("/login"))
        page.goto(f"{world.site.url}/incidents/")
        expect(page).to_have_url(re.compile("/login"))


def test_it_lists_filters_and_shows(world: World, page: Page) -> None:
    """The list, a filter with its button, a saved view, words searched for, and the detail."""
    world.post_event()
    world.fail("lock-contention")
    world.await_incident("waiting")
    page.locator("#nav").get_by_role("link", name="Incidents").click()
    rows = page.locator("#incident-rows tr")
    expect(rows).to_have_count(2)
    page.get_by_label("Query").fill("status:open workflow:crm.contact-sync")
    page.locator("#filters").get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    page.get_by_label("Query").fill("status:opne")
    page.keyboard.press("Enter")
    expect(page.locator("#query-mistakes")).to_contain_text("Did you mean open?")
    expect(rows).to_have_count(1)
    page.locator("#chip-workflow > summary").click()
    page.locator("[data-option='workflow:crm.contact-sync']").click()
    expect(rows).to_have_count(2)
    page.get_by_role("link", name=re.compile("Needs approval")).click()
    expect(rows).to_contain_text("UNABLE_TO_LOCK_ROW")
    page.get_by_role("link", name="Search and commands").click()
    page.get_by_role("searchbox").fill("API key expired")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=re.compile("API key expired")).click()
    expect(page.locator("h1")).to_contain_text("API key expired")
    incident = page.url
    page.get_by_role("link", name="Show events").click()
    page.locator("details.event summary").first.click()
    expect(page.locator("details.event pre").first).to_contain_text('"error_code"')
    page.goto(incident)
    page.locator("#comment").fill("Vault rotated it")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator("#timeline")).to_contain_text("Vault rotated it")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".toast")).to_contain_text("acknowledged")


def test_it_approves(world: World, page: Page) -> None:
    """The card's button posts; the next look at the incident shows it resolved."""
    world.fail("lock-contention", recovers_after=1)
    waiting = world.await_incident("waiting")
    page.goto(f"{world.site.url}/approvals/")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Approved: INC-1")
    world.await_incident("resolved")
    page.goto(f"{world.site.url}/incidents/{waiting['id']}/")
    expect(page.locator("#incident-head")).to_contain_text("Resolved")


def test_it_stops_and_resumes(world: World, page: Page) -> None:
    """Each asks on a page of its own; what was skipped is shown after it was resumed."""
    page.goto(f"{world.site.url}/safety/")
    page.get_by_role("link", name="Stop automation for email.receipt-send").click()
    expect(page.locator(".consequences")).to_contain_text("Goes on")
    page.get_by_role("link", name="Keep running").click()
    expect(page.locator("#safety-state h1")).to_have_text("Automation is running")
    page.get_by_role("link", name="Stop something else").click()
    page.get_by_label("What to stop").select_option("email.receipt-send")
    page.get_by_role("button", name="Show what it means").click()
    page.get_by_role("button", name="Stop workflow email.receipt-send").click()
    expect(page.locator("#safety-state")).to_contain_text("with 1 stop")
    page.goto(f"{world.site.url}/approvals/")
    expect(page.locator(".hazard")).to_contain_text("workflow email.receipt-send")
    page.get_by_role("link", name="Review switch").click()
    page.get_by_role("link", name="Resume email.receipt-send").click()
    page.get_by_label("Reason, shown to everyone").fill("Checked by hand")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#safety-state h1")).to_have_text("Automation is running")
    expect(page.locator("#safety-history")).to_contain_text("Checked by hand")


def test_it_changes_the_theme(page: Page, world: World) -> None:
    """The form's answer is the same page in the other theme."""
    page.goto(f"{world.site.url}/actions/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator(".rail__foot summary").click()
    page.locator(".rail [data-theme-form] [value=light]").click()
    expect(page).to_have_url(re.compile("/actions/$"))
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
