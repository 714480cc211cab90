"""Merging and splitting by mouse, and where later failures go [I6 U4]."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import Visit, is_live
from tests.e2e.world import World, await_

pytestmark = pytest.mark.e2e


def _break(world: World, code: str, vendor: str = "stripe", message: str = "") -> dict[str, Any]:
    """Post a failure; the incident in which it is counted, once nobody is busy with it."""
    said = {"error_code": code, "error_message": message or code, "vendor": vendor}
    event = world.post_event(payload=said)

    def look() -> dict[str, Any] | None:
        for row in world.get("/incidents"):
            path = f"/incidents/{row['id']}/events"
            if event in [one["event_id"] for one in world.get(path)]:
                return row if row["state"] == "escalated" else None
        return None

    found: dict[str, Any] = await_(look, f"the incident of {code} by {vendor}")
    return found


def _counts(world: World) -> dict[str, int]:
    return {row["label"]: row["event_count"] for row in world.get("/incidents")}


def test_a_merge_is_undone_done_again_and_split_off(alice: Visit, world: World) -> None:
    """From the incident's page: merge, Undo in the toast, merge again, split off."""
    late, gone = _break(world, "first_code"), _break(world, "second_code")
    page = alice.open(f"/incidents/{late['id']}/")
    toasts = page.locator("#toasts")
    for turn in range(2):
        page.locator("#incident-head").get_by_role("link", name="Merge").click()
        page.get_by_label(f"{gone['label']} {gone['title']}").check()
        page.get_by_role("button", name="Merge", exact=True).click()
        expect(toasts).to_contain_text(f"1 merged into {late['label']}")
        assert _counts(world) == {late["label"]: 2}
        is_live(page)
        if turn == 0:
            toasts.get_by_role("button", name="Undo").click()
            expect(toasts).to_contain_text(f"{late['label']}: taken back")
            assert _counts(world) == {late["label"]: 1, gone["label"]: 1}
    page.get_by_role("button", name=f"Split {gone['label']} off again").click()
    expect(toasts).to_contain_text(f"Split off from {late['label']} again")
    assert _counts(world) == {late["label"]: 1, gone["label"]: 1}


def _choose(page: Page, words: str) -> None:
    page.get_by_role("link", name="Split INC-").click()
    expect(page.get_by_role("heading", name="are another problem")).to_be_visible()
    page.get_by_label(words).first.check()
    page.get_by_label("Why they are two").fill("Two outages")
    page.get_by_role("button", name="Split", exact=True).click()


def test_it_is_split_for_good(alice: Visit, sign_in: SignIn, world: World) -> None:
    """One looks and chooses; a later failure, by the API, is in the part; Vera sees why, and no
    button; Undo puts them together, and a removed pin lets the grouper decide."""
    for vendor in ("stripe", "adyen", "stripe"):
        source = _break(world, "third_code", vendor, f"{vendor} said no")
    page = alice.open(f"/incidents/{source['id']}/")
    toasts, why = page.locator("#toasts"), page.locator("#incident-grouping")
    _choose(page, "adyen")
    expect(toasts).to_contain_text("1 failure moved to INC-")
    toasts.get_by_role("button", name="Undo").click()
    expect(toasts).to_contain_text("taken back")
    assert _counts(world) == {source["label"]: 3}
    _choose(page, "adyen")
    expect(why).to_contain_text("Goes to INC-")
    part = _break(world, "third_code", "Adyen", "adyen said no")
    assert part["id"] != source["id"]
    assert _counts(world) == {source["label"]: 2, part["label"]: 2}
    assert _break(world, "third_code", "stripe", "stripe said no")["id"] == source["id"]
    vera = sign_in("vera").open(f"/incidents/{part['id']}/")
    seen = vera.locator("#incident-grouping")
    expect(seen).to_contain_text("A person split these off")
    expect(seen).to_contain_text("Two outages")
    expect(seen.get_by_role("button")).to_have_count(0)
    expect(seen.get_by_role("link", name="Split")).to_have_count(0)
    why.get_by_role("link", name=part["label"]).click()
    expect(page.locator("#timeline")).to_contain_text(f"was split off {source['label']}")
    page.get_by_role("button", name="Remove the pin").click()
    expect(toasts).to_contain_text("The pin is removed")
    expect(why).to_contain_text("The pin was removed")
    assert _break(world, "third_code", "adyen", "adyen said no")["id"] == source["id"]


def test_it_is_split_without_a_script(sign_in: SignIn, world: World) -> None:
    for vendor in ("stripe", "adyen"):
        source = _break(world, "third_code", vendor, f"{vendor} said no")
    page = sign_in("alice", java_script_enabled=False).open(
        f"/incidents/{source['id']}/around", live=False
    )
    _choose(page, "adyen said no")
    expect(page.locator("#toasts")).to_contain_text("1 failure moved to INC-")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("taken back")
    assert _counts(world) == {source["label"]: 2}
