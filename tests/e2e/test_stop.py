"""The kill switch: one click stops, every open page says so, and nothing leaves."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import Visit
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


def test_it_stops_a_workflow_with_one_click(world: World, sign_in: SignIn, alice: Visit) -> None:
    """The banner appears in another person's open page; a failure is blocked and nothing reaches
    the engine, while another workflow's recovery does; resumed with a reason, it can run."""
    world.post_event()
    world.await_incident("escalated")
    overview, safety = sign_in("vera").open("/"), alice.open("/safety/")
    expect(overview.locator(".hazard")).to_have_count(0)

    safety.get_by_role("button", name="Stop automation for payments.capture").click()
    banner = "Automation is stopped for workflow payments.capture."
    expect(overview.locator(".hazard")).to_contain_text(banner)
    expect(overview.locator("#autostate")).to_contain_text("Automation limited")
    expect(safety.locator("#safety-state")).to_contain_text("Automation is running, with 1 stop")

    incidents = alice.open("/incidents/")
    world.fail("payment-timeout", recovers_after=1)
    blocked = world.await_incident("blocked")
    row = incidents.locator(f"#incident-{blocked['id']}")
    incidents.locator("[data-live-new]").click()
    expect(row).to_contain_text("Blocked")
    expect(safety.locator("#safety-state")).to_contain_text("1 action held")
    world.fail("connection-reset", recovers_after=1)
    world.await_incident("resolved")
    asked = {entry["request"]["workflow"] for entry in world.engine.ledger()["requests"]}
    assert asked == {"crm.contact-sync"}

    safety.get_by_role("button", name="Resume").click()
    dialog = safety.locator("dialog[open]")
    dialog.get_by_label("Reason, shown to everyone").fill("Ledger is balanced again")
    dialog.get_by_role("button", name="Resume").click()
    expect(overview.locator(".hazard")).to_have_count(0)
    expect(safety.locator("#safety-history")).to_contain_text("Ledger is balanced again")
    expect(safety.locator("#safety-state h1")).to_have_text("Automation is running")

    page = alice.open(f"/incidents/{blocked['id']}/")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#incident-head")).to_contain_text("Resolved")
    assert "stopped" not in world.engine.ledger()["verdicts"]


def test_it_stops_everything_of_the_tenant(world: World, sign_in: SignIn, alice: Visit) -> None:
    """One click; the phone's bar says so too, and an approval given meanwhile does not run."""
    world.fail("lock-contention", recovers_after=1)
    world.await_incident("waiting")
    bob = sign_in("bob").open("/approvals/")
    page = alice.open("/safety/")
    page.get_by_role("button", name="Stop everything").click()
    banner = f"Automation is stopped for all of {world.tenant_name}."
    expect(bob.locator(".hazard")).to_contain_text(banner)
    expect(bob.locator("#autostate")).to_contain_text("Automation stopped")
    bob.get_by_role("button", name="Approve", exact=True).click()
    expect(bob.locator(".toast")).to_be_visible()
    world.await_incident("blocked")
    assert world.engine.ledger()["received"] == 0
