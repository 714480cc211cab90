"""Triage as a person does it, by mouse, by keyboard alone and by thumb [I6 U4]."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import Visit, is_live
from tests.e2e.world import World, await_

pytestmark = pytest.mark.e2e

CODES = ("first_code", "second_code", "third_code")


def _break(world: World, *codes: str) -> None:
    for code in codes:
        world.post_event(payload={"error_code": code, "error_message": code})
        world.await_incident("escalated", signature_text=code)


def _find(world: World, code: str) -> dict[str, object]:
    """The incident of that code as the API shows it."""
    return next(row for row in world.get("/incidents") if row["signature_text"] == code)


def _row(page: Page, code: str) -> Locator:
    return page.locator("#incident-rows > tr").filter(has_text=code)


def _press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def _go_to(page: Page, code: str) -> None:
    """Move by `j` until that row is marked."""
    for _ in CODES:
        page.keyboard.press("j")
        if "is-cursor" in (_row(page, code).get_attribute("class") or ""):
            return
    raise AssertionError(f"no row of {code}")


def test_it_acts_on_what_is_ticked(alice: Visit, world: World) -> None:
    """`x` ticks, `shift j` extends; a row that changes meanwhile stays ticked; `e` takes them on.

    Red without the ticks in `swap.keep`: the pushed row came back without its own.
    """
    _break(world, *CODES)
    page = alice.open("/incidents/")
    rows, bar = page.locator("#incident-rows > tr"), page.locator("#bulk")
    expect(rows).to_have_count(3)
    expect(bar).to_be_hidden()
    _press(page, "j", "x", "Shift+J")
    expect(bar).to_contain_text("2 selected")
    world.post_event(payload={"error_code": "third_code", "error_message": "third_code"})
    expect(page.locator("#incident-rows .c-count b").filter(has_text="2")).to_have_count(1)
    expect(page.locator("[data-select]:checked")).to_have_count(2)
    _press(page, "e")
    expect(page.locator("#toasts")).to_contain_text("2 acknowledged")
    expect(page.locator("[data-select]:checked")).to_have_count(0)
    taken = [row["acknowledged_by"] is not None for row in world.get("/incidents")]
    assert sorted(taken) == [False, True, True]


def test_it_undoes_a_bulk_as_one(alice: Visit, world: World) -> None:
    """By `u`, and by the toast's Undo: just what was done, and the focus is not lost.

    Red without the removal in `offerUndo`: the focus fell back to the page.
    """
    _break(world, *CODES[:2])
    page = alice.open("/incidents/")
    expect(page.locator("#incident-rows > tr")).to_have_count(2)
    toasts = page.locator("#toasts")
    undo = toasts.get_by_role("button", name="Undo")
    for by_key in (True, False):
        _press(page, "Shift+X", "e")
        expect(toasts).to_contain_text("2 acknowledged")
        assert all(row["acknowledged_by"] for row in world.get("/incidents"))
        if by_key:
            _press(page, "u")
        else:
            undo.click()
            expect(page.locator("#main")).to_be_focused()
        expect(toasts).to_contain_text("2 taken back")
        expect(undo).to_have_count(0)
        assert not any(row["acknowledged_by"] for row in world.get("/incidents"))
        for close in toasts.get_by_role("button", name="Close message").all()[::-1]:
            close.click()


def test_it_selects_all_of_the_page(alice: Visit, world: World) -> None:
    """The box in the head: none, some (neither ticked nor not), all; by mouse and by keyboard."""
    _break(world, *CODES[:2])
    page = alice.open("/incidents/")
    everything, bar = page.locator("#select-all"), page.locator("#bulk")
    rows = page.locator("#incident-rows [data-select]")
    expect(rows).to_have_count(2)
    rows.first.click()
    expect(everything).to_be_checked(indeterminate=True)
    expect(bar).to_contain_text("1 selected")
    everything.press("Space")
    expect(everything).to_be_checked()
    expect(bar).to_contain_text("2 selected")
    rows.last.click()
    expect(everything).to_be_checked(indeterminate=True)
    everything.click()
    everything.click()
    expect(everything).not_to_be_checked()
    expect(bar).to_be_hidden()


def test_the_whole_story_by_mouse(alice: Visit, sign_in: SignIn, world: World) -> None:
    """Open, take it on and take that back, assign, comment and name Anna, who hears of it at once
    and has seen it once she looked; snooze two at once, undo; resolve with a reason.

    Red without the toasts in `push.receive`: Anna's page said nothing.
    """
    _break(world, *CODES[:2])
    anna, vera = sign_in("anna").open("/safety/"), sign_in("vera").open("/safety/")
    page = alice.open("/incidents/")
    toasts = page.locator("#toasts")
    _row(page, "first_code").get_by_role("link").click()
    head = page.locator("#incident-head")
    head.get_by_role("button", name="Acknowledge").click()
    expect(head).to_contain_text("Acknowledged")
    toasts.get_by_role("button", name="Undo").click()
    expect(head.get_by_role("button", name="Acknowledge")).to_be_visible()
    expect(page.locator("#timeline")).to_contain_text("took back the acknowledgement")
    head.get_by_role("button", name="Assign").click()
    page.locator("dialog[open]").get_by_text("Anna").click()
    page.locator("dialog[open]").get_by_role("button", name="Assign").click()
    expect(head.get_by_role("button", name="Anna")).to_be_visible()
    page.get_by_role("combobox", name="Comment").press_sequentially("Look <b>here</b>, @an")
    page.get_by_role("option", name="Anna").click()
    page.get_by_role("button", name="Comment", exact=True).click()
    name = world.people["anna"]
    expect(page.locator("#timeline .mention")).to_have_text(f"@{name}")
    expect(page.locator("#timeline")).to_contain_text("Look <b>here</b>")
    expect(anna.locator("#toasts")).to_contain_text("Alice named you in INC-")
    expect(anna.locator("#user-menu .menu__n")).to_have_text("1")
    expect(vera.locator("#toasts")).not_to_contain_text("named")
    anna.locator("#toasts").get_by_role("link", name="Open").click()
    expect(anna.locator("#timeline .mention")).to_have_text(f"@{name}")
    expect(anna.locator("#user-menu .menu__n")).to_have_count(0)
    page.goto(f"{alice.url}/incidents/")
    is_live(page)
    page.locator("#select-all").click()
    bar = page.locator("#bulk")
    bar.get_by_label("Snooze until").select_option("2h")
    bar.get_by_role("button", name="Snooze").click()
    expect(toasts).to_contain_text("2 snoozed")
    expect(page.locator("#incident-rows > tr")).to_have_count(0)
    toasts.get_by_role("button", name="Undo").click()
    expect(page.locator("#incident-rows > tr")).to_have_count(2)
    _row(page, "first_code").get_by_role("link").click()
    head.get_by_role("button", name="Resolve").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("textbox").fill("The key was renewed")
    dialog.get_by_role("button", name="Resolve").click()
    expect(head).to_contain_text("Resolved")
    expect(page.locator("#timeline")).to_contain_text("The key was renewed")
    found = _find(world, "first_code")
    assert (found["status"], found["assignee"]) == ("resolved", name)


def test_the_whole_story_by_keyboard(alice: Visit, world: World) -> None:
    """The same without a mouse: keys alone from the first page to the last."""
    _break(world, *CODES[:2])
    page = alice.open("/")
    _press(page, "g", "i")
    page.wait_for_url(f"{alice.url}/incidents/")
    is_live(page)
    _go_to(page, "first_code")
    _press(page, "Enter")
    head, toasts = page.locator("#incident-head"), page.locator("#toasts")
    expect(head.locator("h1")).to_have_text("First_code")
    is_live(page)
    _press(page, "e")
    expect(toasts).to_contain_text("is acknowledged")
    _press(page, "u")
    expect(toasts).to_contain_text("taken back")
    expect(head.get_by_role("button", name="Acknowledge")).to_be_visible()
    _press(page, "m")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible()
    dialog.locator("[name=assignee]:checked").focus()
    _press(page, "ArrowDown", "Control+Enter")
    expect(dialog).to_have_count(0)
    await_(lambda: _find(world, "first_code")["assignee"], "an owner")
    comment = page.locator("#comment")
    _press(page, "c")
    expect(comment).to_be_focused()
    page.keyboard.type("@")
    expect(comment).to_have_attribute("aria-expanded", "true")
    _press(page, "Escape")
    expect(comment).to_have_attribute("aria-expanded", "false")
    expect(comment).to_be_focused()
    page.keyboard.type("ver")
    _press(page, "Enter")
    expect(comment).to_have_value(f"@{world.people['vera']} ")
    page.keyboard.type("please")
    _press(page, "Enter")
    expect(page.locator("#timeline .mention")).to_have_text(f"@{world.people['vera']}")
    _press(page, "Escape", "z")
    expect(dialog).to_be_visible()
    dialog.locator("[name=for]:checked").focus()
    _press(page, "ArrowDown", "Control+Enter")
    expect(dialog).to_have_count(0)  # a push may show it before the answer has come
    expect(head).to_contain_text("Snoozed until")
    _press(page, "z")
    expect(head).not_to_contain_text("Snoozed until")
    _press(page, "g", "i")
    page.wait_for_url(f"{alice.url}/incidents/")
    is_live(page)
    _press(page, "Shift+X", "e")
    expect(toasts).to_contain_text("2 acknowledged")
    _press(page, "u")
    expect(toasts).to_contain_text("2 taken back")
    _go_to(page, "first_code")
    _press(page, "Enter")
    expect(head.locator("h1")).to_have_text("First_code")
    is_live(page)
    _press(page, "d")
    expect(dialog).to_be_visible()
    dialog.get_by_role("textbox").focus()
    page.keyboard.type("The key was renewed")
    _press(page, "Control+Enter")
    expect(head.get_by_role("button", name="Reopen")).to_be_visible()
    assert _find(world, "first_code")["status"] == "resolved"


def test_it_acts_on_many_by_thumb(world: World, sign_in: SignIn) -> None:
    """390 px wide: all of the page, the bar above the tabs, nothing scrolls sideways."""
    _break(world, *CODES[:2])
    screen = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    page = sign_in("alice", **screen).open("/incidents/")
    expect(page.locator("#incident-rows > tr")).to_have_count(2)
    page.get_by_text("All on this page").tap()
    bar, tabs = page.locator("#bulk"), page.locator("#tabbar")
    expect(bar).to_contain_text("2 selected")
    _row(page, "first_code").locator(".check-hit").tap()
    expect(bar).to_contain_text("1 selected")
    expect(bar.get_by_role("button", name="Resolve")).to_be_in_viewport(ratio=1)
    place, below = bar.bounding_box(), tabs.bounding_box()
    assert place and below
    assert place["y"] + place["height"] <= below["y"]
    assert (place["x"] >= 0, place["x"] + place["width"] <= 390) == (True, True)
    expect(page.locator("html")).to_have_js_property("scrollWidth", 390)
    bar.get_by_role("button", name="Acknowledge").tap()
    expect(page.locator("#toasts")).to_contain_text("1 acknowledged")
    page.locator("#toasts").get_by_role("button", name="Undo").tap()
    expect(page.locator("#toasts")).to_contain_text("taken back")
    assert not any(row["acknowledged_by"] for row in world.get("/incidents"))
