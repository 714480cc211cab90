"""What automation is not sure of waits for a person, in every open browser at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.stagehand import Stagehand
from tests.e2e.visit import Visit
from tests.e2e.world import World, await_

pytestmark = pytest.mark.e2e

# Waits for a person whatever it thinks, calls nobody, and lets its approver change how long.
HOLD = """\
name: hold
title: Hold the workflow
approval: always
steps:
  - parallel:
      - key: pause
        kind: pause_workflow
        with: {seconds: 1800}
        editable: {seconds: {min: 60, max: 3600}}
      - {key: also, kind: pause_workflow, with: {seconds: 60}}
"""
CODES = ["hold_a", "hold_b", "hold_c"]


def _card(page: Page) -> Locator:
    return page.locator("#approval-list > article")


@pytest.fixture
def wait_for(world: World, stagehand: Stagehand) -> Callable[..., list[str]]:
    """Let failures with these codes happen, in this order; the ids of their cards."""
    stagehand("ask_before", tenant_id=world.tenant_id, source=HOLD, codes=CODES)

    def happen(*codes: str) -> list[str]:
        for code in codes:
            before = len(world.get("/approvals"))
            world.post_event(payload={"error_code": code, "error_message": f"Held by {code}"})
            await_(lambda n=before: len(world.get("/approvals")) > n, f"a card for {code}")
        return [f"approval-{row['id']}" for row in world.get("/approvals")]

    return happen


def _approve_key_until(page: Page, told: Locator) -> None:
    """Press `a` until it is heard: nothing happens before the card has stood in view."""
    for _ in range(100):
        page.keyboard.press("a")
        page.wait_for_timeout(100)
        if told.is_visible():
            return


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
    _approve_key_until(page, toast)
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


def test_it_edits_by_key_and_takes_back_by_key(
    world: World, wait_for: Callable[..., list[str]], alice: Visit
) -> None:
    """e opens the fields inside the card, enter alone sends nothing, ctrl enter approves; one card
    for the plan's two first steps; u takes it back, and what was changed stays."""
    wait_for("hold_a")
    page = alice.open("/approvals/")
    expect(_card(page)).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("e")
    seconds = page.get_by_label("Pause: seconds")
    expect(seconds).to_be_focused()
    expect(_card(page)).to_contain_text("was 1,800, allowed 60 to 3,600")
    seconds.fill("600")
    expect(_card(page).get_by_role("button", name="Approve with 1 change")).to_be_visible()
    page.keyboard.press("Escape")
    expect(seconds).to_be_hidden()
    expect(_card(page)).to_be_focused()
    page.keyboard.press("e")
    expect(seconds).to_be_focused()
    page.get_by_label("Start after, in seconds").fill("3000")
    page.keyboard.press("Enter")
    expect(_card(page).get_by_role("button", name="Approve with 2 changes")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toast").first).to_contain_text("Approved: INC-1")
    expect(page.locator("[data-key=u]")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(".toast").last).to_contain_text("Taken back: INC-1 waits again")
    expect(_card(page)).to_have_count(1)
    held = {(row["status"], row["parameters"]["seconds"]) for row in world.get("/actions")}
    assert held == {("waiting", 600), ("waiting", 60)}


def test_it_goes_on_to_the_next_card(
    wait_for: Callable[..., list[str]], world: World, alice: Visit
) -> None:
    """r asks for a reason; then the focus is on the next card, or on the one before the last."""
    first, second, third = wait_for(*CODES)
    page = alice.open("/approvals/")
    expect(_card(page)).to_have_count(3)
    for key, card in (("j", first), ("j", second), ("j", third), ("k", second)):
        page.keyboard.press(key)
        expect(page.locator(f"#{card}")).to_be_focused()
    for card, left in ((third, [first, third]), (first, [first])):
        page.keyboard.press("r")
        page.locator("dialog[open]").get_by_role("button", name="Reject").click()
        expect(_card(page)).to_have_count(len(left))
        expect(page.locator(f"#{card}")).to_be_focused()


def test_it_approves_no_card_that_is_out_of_view(
    wait_for: Callable[..., list[str]], world: World, alice: Visit
) -> None:
    """The focused card was scrolled away: the key does nothing. Back in view it is heard.

    Seen red without `hasSettled` in keys.js: approved while out of view.
    """
    wait_for(*CODES)
    page = alice.open("/approvals/")
    expect(_card(page)).to_have_count(3)
    page.keyboard.press("j")
    first = _card(page).first
    expect(first).to_be_focused()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(first).not_to_be_in_viewport(ratio=0.9)
    for _ in range(20):
        page.keyboard.press("a")
        page.evaluate("new Promise(requestAnimationFrame)")
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_visible()
    page.keyboard.press("Escape")
    assert len(world.get("/approvals")) == 3
    page.evaluate("scrollTo(0, 0)")
    toast = page.locator(".toast").first
    _approve_key_until(page, toast)
    expect(toast).to_contain_text("Approved: INC-1")


def test_nothing_moves_under_the_reader(
    wait_for: Callable[..., list[str]], stagehand: Stagehand, alice: Visit
) -> None:
    """What is over leaves a line of its height, what is new comes last, the focused card stays.

    Seen red without `hold` in swap.js: the focused card went up.
    """
    first, second = wait_for("hold_a", "hold_b")
    page = alice.open("/approvals/")
    expect(_card(page)).to_have_count(2)
    page.locator(f"#{second}").focus()
    before = page.locator(f"#{second}").bounding_box()
    stagehand("expire", action_id=first.removeprefix("approval-"))
    expect(page.locator(f"p#{first}")).to_contain_text("Decided meanwhile")
    *_, third = wait_for("hold_c")
    expect(page.locator("#approval-list > *").last).to_have_id(third)
    assert page.locator(f"#{second}").bounding_box() == before
    expect(page.locator(f"#{second}")).to_be_focused()
