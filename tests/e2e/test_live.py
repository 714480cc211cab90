"""A failure becomes an incident and ends, and every open page shows it without being loaded."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.stagehand import PASSWORD
from tests.e2e.visit import Visit, is_live, visiting
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


def test_it_signs_in_and_shows_the_first_event(browser: Browser, world: World) -> None:
    """A person signs in by the form; a tenant without events waits live for its first."""
    with visiting(browser, world.site.url) as visit:
        page = visit.open("/incidents/", live=False)
        page.get_by_label("User name").fill(world.people["alice"])
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/incidents/")
        page.goto(f"{world.site.url}/")
        is_live(page)
        expect(page.locator("main")).to_contain_text("Send your first failure")
        world.post_event()
        expect(page.locator("#kpis .fig").first).to_have_text("1")
        expect(page.locator("#feed")).to_contain_text("Opened by expired_key")


def test_it_shows_an_incident_from_opening_to_recovery(world: World, alice: Visit) -> None:
    """A row waits behind "1 new", is shown on request, turns to recovering, then to resolved."""
    world.post_event()
    world.await_incident("escalated")
    page = alice.open("/incidents/")
    expect(page.locator("#incident-rows tr")).to_have_count(1)
    world.hold_reruns()
    run = world.fail("payment-timeout")
    expect(page.locator("[data-live-new]")).to_have_text("1 new")
    expect(page.locator("#incident-rows tr")).to_have_count(1)
    page.keyboard.press(".")
    incident = world.await_incident("recovering")
    row = page.locator(f"#incident-{incident['id']}")
    expect(row).to_contain_text("Verifying")
    expect(row.locator(".c-count")).to_have_text("2")
    world.engine.mend(run.trouble)
    expect(row).to_contain_text("Resolved")
    expect(row).to_contain_text("Recovered")
    assert alice.loads_of("/incidents/") == 1


def test_it_moves_figures_and_feed_of_the_overview(world: World, alice: Visit) -> None:
    """The open incidents are counted up and down again, and the feed says what happened."""
    world.post_event()
    world.await_incident("escalated")
    page = alice.open("/")
    open_incidents, feed = page.locator("#kpis .fig").first, page.locator("#feed")
    expect(open_incidents).to_have_text("1")
    world.hold_reruns()
    run = world.fail("payment-timeout")
    expect(open_incidents).to_have_text("2")
    expect(feed).to_contain_text("Opened by payment_timeout")
    expect(feed).to_contain_text("sent to payments.capture")
    world.engine.mend(run.trouble)
    expect(open_incidents).to_have_text("1")
    expect(feed.locator("li").first).to_contain_text("Verified: retry 1 worked")
    expect(page.locator("#kpis")).to_contain_text("1 of 1 incidents")
    assert alice.loads_of("/") == 1


def test_it_updates_the_page_of_an_incident_in_place(world: World, alice: Visit) -> None:
    """Badge, plan, facts and timeline follow; a comment being written and its focus stay."""
    world.hold_reruns()
    run = world.fail("payment-timeout")
    # Mended before the retry is out, the incident would be over by itself.
    incident = world.await_incident("recovering", recovery="verifying")
    path = f"/incidents/{incident['id']}/"
    page = alice.open(path)
    head, plan = page.locator("#incident-head"), page.locator("#incident-plan")
    expect(head).to_contain_text("Recovering")
    comment = page.locator("#comment")
    comment.fill("half a sent")
    world.engine.mend(run.trouble)
    expect(head).to_contain_text("Resolved")
    expect(plan).to_contain_text("Verified")
    expect(page.locator("#timeline")).to_contain_text("succeeded again after a retry")
    expect(page.locator("#timeline li").first).to_contain_text("Verified: retry 1 worked")
    expect(comment).to_have_value("half a sent")
    expect(comment).to_be_focused()
    assert alice.loads_of(path) == 1
