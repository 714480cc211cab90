"""What a person sets holds on their pages: zone, density, single keys; a key shown once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import Visit
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


def test_it_shows_times_in_the_zone_that_was_chosen(world: World, alice: Visit) -> None:
    """By the script too, whatever the browser's own zone is, and on the chart's axis."""
    world.fail("expired-credential")
    row = world.await_incident("escalated")
    page = alice.open("/settings/")
    page.get_by_label("Time zone of every time shown").select_option("Asia/Kolkata")
    page.get_by_text("Compact").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    page.goto(f"{alice.url}/incidents/{row['id']}/")
    shown = page.locator("#incident-head time[data-time=clock]").first
    expect(shown).to_have_attribute("title", re.compile(r"GMT\+5:30"))
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    page.goto(f"{alice.url}/")
    expect(page.locator("[data-chart] .main-svg").first).to_be_attached()


def test_it_leaves_single_keys_off(world: World, alice: Visit) -> None:
    page = alice.open("/settings/")
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Single keys").uncheck()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-keys", "off")
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).not_to_be_visible()


def test_it_issues_and_revokes_a_key(world: World, sign_in: SignIn) -> None:
    """The text is there once, and gone when the page is opened again."""
    page = sign_in("anna").open("/settings/keys")
    page.get_by_label("Name, of who will hold it").fill("orders engine")
    page.get_by_role("button", name="Issue the key").click()
    text = page.locator("#issued").inner_text()
    assert text.startswith("awf_")
    page.get_by_role("link", name="API keys").click()
    expect(page.locator("main")).not_to_contain_text(text)
    page.get_by_role("button", name="Revoke orders engine").click()
    page.locator("dialog[open]").get_by_role("button", name="Revoke").click()
    expect(page.locator(f"#key-{text.split('_')[1]}")).to_contain_text("Revoked")
