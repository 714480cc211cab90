"""The kill switch: it asks, it stops, every open page says so, and nothing leaves."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import Visit, is_live
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


def ask(page: Page, name: str) -> Locator:
    """Open the question of that link; the focus is on the choice that does no harm."""
    page.get_by_role("link", name=name).click()
    dialog = page.locator("dialog[open]")
    expect(dialog.locator("[data-dialog-close]")).to_be_focused()
    return dialog


def test_it_stops_a_workflow(world: World, sign_in: SignIn, alice: Visit) -> None:
    """The banner appears in another person's open page; a failure is blocked and nothing reaches
    the engine, while another workflow's recovery does. Resumed with a reason, what was skipped is
    offered, and runs once it is chosen."""
    world.post_event()
    world.await_incident("escalated")
    overview, safety = sign_in("vera").open("/"), alice.open("/safety/")
    expect(overview.locator(".hazard")).to_have_count(0)

    dialog = ask(safety, "Stop automation for payments.capture")
    expect(dialog).to_contain_text("New recoveries of payments.capture")
    dialog.get_by_role("link", name="Keep running").click()
    expect(dialog).to_have_count(0)
    dialog = ask(safety, "Stop automation for payments.capture")
    dialog.get_by_role("button", name="Stop workflow payments.capture").click()
    banner = "Automation is stopped for workflow payments.capture."
    expect(overview.locator(".hazard")).to_contain_text(banner)
    expect(overview.locator("#autostate")).to_contain_text("Automation limited")
    expect(safety.locator("#safety-state")).to_contain_text("Automation is running, with 1 stop")
    is_live(safety)

    incidents = alice.open("/incidents/")
    world.fail("payment-timeout", recovers_after=1)
    blocked = world.await_incident("blocked")
    row = incidents.locator(f"#incident-{blocked['id']}")
    incidents.locator("[data-live-new]").click()
    expect(row).to_contain_text("Blocked")
    expect(safety.locator("#safety-state")).to_contain_text("1 action held")
    expect(safety.locator("#switch-list")).to_contain_text("1 held")
    world.fail("connection-reset", recovers_after=1)
    world.await_incident("resolved")
    asked = {entry["request"]["workflow"] for entry in world.engine.ledger()["requests"]}
    assert asked == {"crm.contact-sync"}

    dialog = ask(safety, "Resume payments.capture")
    expect(dialog).to_contain_text("1 recovery was skipped.")
    dialog.get_by_label("Reason, shown to everyone").fill("Ledger is balanced again")
    dialog.get_by_role("button", name="Resume").click()
    expect(overview.locator(".hazard")).to_have_count(0)
    expect(safety.locator("h1")).to_have_text("Workflow payments.capture was stopped")
    expect(safety.locator("main")).to_contain_text("Ledger is balanced again")
    box = safety.get_by_role("checkbox", name=blocked["label"])
    expect(box).not_to_be_checked()
    safety.get_by_role("checkbox", name="All shown").check()
    expect(box).to_be_checked()
    safety.get_by_role("button", name="Run selected").click()
    expect(safety.locator("main")).to_contain_text("All were decided on.")
    page = alice.open(f"/incidents/{blocked['id']}/")
    expect(page.locator("#incident-head")).to_contain_text("Resolved")
    assert "stopped" not in world.engine.ledger()["verdicts"]


def test_it_stops_everything_of_the_tenant(world: World, sign_in: SignIn, alice: Visit) -> None:
    """The phone's bar says so too, and an approval given meanwhile does not run."""
    world.fail("lock-contention", recovers_after=1)
    world.await_incident("waiting")
    bob = sign_in("bob").open("/approvals/")
    expect(bob.locator("#alert")).to_have_text("")
    page = alice.open("/safety/")
    dialog = ask(page, "Stop everything")
    expect(dialog).to_contain_text("1 approval is kept")
    dialog.get_by_role("button", name="Stop all of").click()
    banner = f"Automation is stopped for all of {world.tenant_name}."
    expect(bob.locator(".hazard")).to_contain_text(banner)
    expect(bob.locator("#alert")).to_have_text(banner)
    expect(bob.locator("#autostate")).to_contain_text("Automation stopped")
    bob.get_by_role("button", name="Approve", exact=True).click()
    expect(bob.locator(".toast")).to_be_visible()
    world.await_incident("blocked")
    assert world.engine.ledger()["received"] == 0


def test_it_says_everywhere_what_is_stopped(world: World, sign_in: SignIn, alice: Visit) -> None:
    """Several stops are one line with a count, live in another browser; on the safety page itself
    each row changes where it stands."""
    bob, safety = sign_in("bob").open("/incidents/"), sign_in("bob").open("/safety/")
    rows = "rows => rows.map(row => row.id)"
    before = safety.locator("#switch-list > li").evaluate_all(rows)
    page = alice.open("/safety/")
    for name in ("email.receipt-send", "payments.capture"):
        dialog = ask(page, f"Stop automation for {name}")
        dialog.get_by_role("button", name=f"Stop workflow {name}").click()
        expect(bob.locator(".hazard")).to_have_count(1)
        stopped = safety.locator("#switch-list > li[data-on]", has_text=name)
        expect(stopped).to_contain_text("Stopped")
        is_live(page)
    expect(bob.locator(".hazard")).to_contain_text("and 1 more.")
    expect(bob.locator("#alert")).to_have_text("")  # not a word at once for less than all
    expect(bob.locator("#autostate")).to_contain_text("2 switches on")
    assert safety.locator("#switch-list > li").evaluate_all(rows) == before
    for name in ("payments.capture", "email.receipt-send"):
        dialog = ask(page, f"Resume {name}")
        dialog.get_by_label("Reason, shown to everyone").fill("Over")
        dialog.get_by_role("button", name="Resume").click()
        expect(page.locator(".toast").last).to_contain_text(f"Resumed: workflow {name}")
        is_live(page)
    expect(bob.locator(".hazard")).to_have_count(0)
    expect(safety.locator("#safety-state h1")).to_have_text("Automation is running")
