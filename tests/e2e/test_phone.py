"""390 px wide, by thumb: nothing scrolls sideways, and what decides can be hit."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.stagehand import Stagehand
from tests.e2e.visit import PAGES, Visit
from tests.e2e.world import World, await_

pytestmark = pytest.mark.e2e

WIDTH, HEIGHT = 390, 844
FINGER = 44


@pytest.fixture
def phone(sign_in: SignIn) -> Visit:
    """Alice's phone."""
    return sign_in("alice", viewport={"width": WIDTH, "height": HEIGHT}, has_touch=True)


def _fits(page: Page) -> None:
    # An expectation, for charts and counts may still be drawn; page.wait_for_function would poll
    # by a string that the page's policy refuses.
    expect(page.locator("html")).to_have_js_property("scrollWidth", WIDTH)


# Small buttons have an invisible area around them, so what counts is what a touch lands on.
_LANDS = """(control, reach) => {
  control.scrollIntoView({ block: "center" });
  const { x, y, width, height } = control.getBoundingClientRect();
  const [middleX, middleY] = [x + width / 2, y + height / 2];
  const points = [[0, 0], [0, -reach], [0, reach], [-reach, 0], [reach, 0]];
  return points.every(([dx, dy]) => {
    const hit = document.elementFromPoint(middleX + dx, middleY + dy);
    return hit !== null && control.contains(hit);
  });
}"""


def _fits_a_finger(control: Locator) -> None:
    """A finger that misses the middle by half of 44 px, less one for rounding, still hits it."""
    expect(control).to_be_visible()
    for _ in range(100):
        # What was just swapped in or said may lie over it for a moment.
        if control.evaluate(_LANDS, FINGER / 2 - 1):
            return
        control.page.wait_for_timeout(100)
    raise AssertionError(f"a finger misses {control}")


def test_it_approves_by_thumb(world: World, phone: Visit) -> None:
    """The buttons of the first card are on the first screen; one tap recovers the incident."""
    world.fail("lock-contention", recovers_after=1)
    world.await_incident("waiting")
    page = phone.open("/approvals/")
    _fits(page)
    card = page.locator("#approval-list > article")
    approve = card.get_by_role("button", name="Approve", exact=True)
    reject = card.get_by_role("button", name="Reject")
    for control in (approve, reject):
        _fits_a_finger(control)
        expect(control).to_be_in_viewport(ratio=1)
    reject.tap()
    dialog = page.locator("dialog[open]")
    _fits_a_finger(dialog.get_by_role("button", name="Reject"))
    _fits_a_finger(dialog.get_by_role("button", name="Keep it waiting"))
    _fits(page)
    dialog.get_by_role("button", name="Keep it waiting").tap()
    approve.tap()
    expect(page.locator(".toast")).to_contain_text("Approved: INC-1")
    _fits(page)
    world.await_incident("resolved")


def test_it_reads_incidents(world: World, phone: Visit) -> None:
    """From the bar at the bottom to the list, a row, and its page with the buttons to act."""
    world.fail("payment-timeout", recovers_after=1)
    world.fail("expired-credential")
    world.await_incident("escalated")
    page = phone.open("/")
    _fits(page)
    tab = page.locator("#tabbar").get_by_role("link", name="Incidents")
    _fits_a_finger(tab)
    tab.tap()
    row = page.locator("#incident-rows tr").first
    _fits(page)
    _fits_a_finger(row)
    row.get_by_role("link").tap()
    head = page.locator("#incident-head")
    expect(head.locator("h1")).to_contain_text("invalid_grant")
    for name in ("Acknowledge", "Assign", "Resolve"):
        _fits_a_finger(head.get_by_role("button", name=name))
    page.locator("details.event summary").first.tap()
    expect(page.locator("details.event pre").first).to_be_visible()
    _fits(page)
    head.get_by_role("button", name="Acknowledge").tap()
    expect(head).to_contain_text("Acknowledged")


@pytest.mark.parametrize("path", PAGES)
def test_it_fits(world: World, phone: Visit, path: str) -> None:
    """Also with the longest words a sender may choose, and a reason of the longest length."""
    long = "x" * 100
    world.post_event(
        event_type=f"{long[:93]}.failed",
        payload={"error_code": long, "vendor": long, "error_message": "y" * 5_000, "z" * 200: 1},
        resource_type=long,
        resource_id="r" * 255,
    )
    world.await_incident("escalated")
    page = phone.open(path)
    _fits(page)


def test_it_fits_a_recovery(world: World, stagehand: Stagehand, phone: Visit) -> None:
    """The list, and the page with every step and attempt open."""
    world.post_event(resource_type="x" * 100, resource_id="r" * 255)
    world.await_incident("escalated")
    tell = "y" * 500
    source = f"name: tell\nsteps: [{{key: {'k' * 60}, kind: notify, with: {{text: {tell}}}}}]"
    pk = stagehand("begin_recovery", tenant_id=world.tenant_id, source=source)
    await_(lambda: world.get("/recoveries", state="completed"), "a recovery that has ended")
    workflow = world.workflows["payments.capture"]
    for path in ("/recoveries/", f"/recoveries/{pk}/", f"/workflows/{workflow}/"):
        page = phone.open(path)
        for attempt in page.locator("details.attempt summary").all():
            attempt.tap()
        _fits(page)


def test_it_fits_the_audit_log(world: World, sign_in: SignIn) -> None:
    """An admin's, after the machine and a person did something."""
    world.fail("expired-credential")
    world.await_incident("escalated")
    screen: dict[str, object] = {"viewport": {"width": WIDTH, "height": HEIGHT}}
    page = sign_in("anna", **screen).open("/audit/")
    expect(page.locator("#audit-list tbody tr").first).to_be_visible()
    _fits(page)


def test_it_stops_by_thumb(world: World, phone: Visit) -> None:
    """Stop and Resume of a workflow."""
    page = phone.open("/safety/")
    stop = page.get_by_role("link", name="Stop automation for crm.contact-sync")
    _fits_a_finger(stop)
    _fits_a_finger(page.get_by_role("link", name="Stop everything"))
    stop.tap()
    dialog = page.locator("dialog[open]")
    _fits_a_finger(dialog.get_by_role("link", name="Keep running"))
    confirm = dialog.get_by_role("button", name="Stop workflow crm.contact-sync")
    _fits_a_finger(confirm)
    _fits(page)
    confirm.tap()
    resume = page.locator("#switch-list").get_by_role("link", name="Resume")
    expect(resume).to_be_visible()
    _fits_a_finger(resume)
    _fits(page)
