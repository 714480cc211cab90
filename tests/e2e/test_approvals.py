"""What automation is not sure of waits for a person, in every open browser at once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import Visit
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


def _card(page: Page) -> Locator:
    return page.locator("#approval-list > article")


def test_it_recovers_after_a_click(world: World, sign_in: SignIn, alice: Visit) -> None:
    """The card appears live, one click approves it, the incident recovers; and the other person's
    card gives way too, with who decided beside it."""
    page, others = alice.open("/approvals/"), sign_in("bob").open("/approvals/")
    incidents = alice.open("/incidents/")
    expect(_card(page)).to_have_count(0)
    run = world.fail("lock-contention", recovers_after=1)
    for one in (page, others):
        expect(_card(one)).to_have_count(1)
        expect(_card(one)).to_contain_text("Retry the failed records one after the other.")
    assert world.engine.ledger()["received"] == 0
    _card(page).get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Approved: INC-1")
    expect(_card(page)).to_have_count(0)
    expect(_card(others)).to_have_count(0)
    expect(others.locator("#approval-side")).to_contain_text("INC-1, Alice")
    expect(incidents.locator("#incident-rows tr")).to_contain_text("Resolved")
    expect(page.locator("#approval-side")).to_contain_text("Verified")
    healed = {item.resource.id for item in run.items if item.healed}
    assert healed == {resource.id for resource in run.resources}
    assert alice.loads_of("/approvals/") == 1


def test_it_tells_who_was_first(world: World, sign_in: SignIn, alice: Visit) -> None:
    """A page that was not told (no script) and decides again learns who decided, and how."""
    world.hold_reruns()
    world.fail("lock-contention", recovers_after=1)
    world.await_incident("waiting")
    late = sign_in("bob", java_script_enabled=False).open("/approvals/", live=False)
    page = alice.open("/approvals/")
    _card(page).get_by_role("button", name="Reject").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_text("Too risky now").click()
    dialog.get_by_role("button", name="Reject").click()
    expect(page.locator(".toast")).to_contain_text("Rejected: nothing runs for INC-1")
    _card(late).get_by_role("button", name="Approve", exact=True).click()
    expect(late.locator(".toast")).to_contain_text("Alice decided first: rejected")
    world.await_incident("open")
    assert world.engine.ledger()["received"] == 0


def test_it_decides_by_keys(world: World, alice: Visit) -> None:
    """j marks the card, a approves it once it has been in view for a moment."""
    page = alice.open("/approvals/")
    world.fail("lock-contention", recovers_after=1)
    expect(_card(page)).to_have_count(1)
    page.keyboard.press("j")
    expect(_card(page)).to_be_focused()
    toast = page.locator(".toast").first
    for _ in range(100):
        # Nothing happens before the card has stood in view; then one key press is enough.
        page.keyboard.press("a")
        page.wait_for_timeout(100)
        if toast.is_visible():
            break
    expect(toast).to_contain_text("Approved: INC-1")
    world.await_incident("resolved")
    assert len(world.engine.ledger()["executions"]) == 1


def test_it_asks_nothing_of_who_may_only_read(world: World, sign_in: SignIn) -> None:
    """A viewer sees the card and its evidence, no buttons, and who can give the role."""
    world.fail("lock-contention")
    world.await_incident("waiting")
    page = sign_in("vera").open("/approvals/")
    expect(_card(page)).to_contain_text("auto line")
    expect(page.locator("main")).to_contain_text("Anna can give you the responder role")
    expect(_card(page).get_by_role("button")).to_have_count(0)
