"""Triage by the keyboard: tick, extend, act on all; what is ticked survives a push [I6 U4]."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.visit import Visit
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


def test_it_acts_on_what_is_ticked(alice: Visit, world: World) -> None:
    """`x` ticks, `shift j` extends; a row that changes meanwhile stays ticked; `e` takes them on.

    Red without the ticks in `swap.keep`: the pushed row came back without its own.
    """
    for code in ("first_code", "second_code", "third_code"):
        world.post_event(payload={"error_code": code, "error_message": code})
        world.await_incident("escalated")
    page = alice.open("/incidents/")
    rows, bar = page.locator("#incident-rows > tr"), page.locator("#bulk")
    expect(rows).to_have_count(3)
    expect(bar).to_be_hidden()
    for key in ("j", "x", "Shift+J"):
        page.keyboard.press(key)
    expect(bar).to_contain_text("2 selected")
    world.post_event(payload={"error_code": "third_code", "error_message": "third_code"})
    expect(page.locator("#incident-rows")).to_contain_text("2")
    page.wait_for_function("document.querySelector('#incident-rows .c-count b').innerText === '2'")
    expect(page.locator("[data-select]:checked")).to_have_count(2)
    page.keyboard.press("e")
    expect(page.locator("#toasts")).to_contain_text("2 acknowledged")
    expect(page.locator("[data-select]:checked")).to_have_count(0)
    taken = [row["acknowledged_by"] is not None for row in world.get("/incidents")]
    assert sorted(taken) == [False, True, True]
