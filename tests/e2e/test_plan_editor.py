"""A plan is written, drawn and saved in a browser, by keyboard and on a phone [A2]."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.world import World

pytestmark = pytest.mark.e2e

PLANS = "/admin/actions/recoveryplan/"


def _overflow(page: Page) -> int:
    """How many px the page is wider than its window."""
    found: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return found


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1440), ("light", 390)])
def test_it_previews_saves_and_shows_what_changed(
    world: World, sign_in: SignIn, scheme: str, width: int
) -> None:
    """Nothing is refused by the policy; tab leaves the text; the picture scrolls in its own box."""
    size = {"width": width, "height": 900}
    visit = sign_in("anna", viewport=size, color_scheme=scheme)
    page = visit.open(f"{PLANS}add/", live=False)
    page.get_by_label("Tenant").select_option(label=world.tenant_name)
    text = page.locator("textarea[name=source]")
    text.focus()
    page.keyboard.press("Tab")
    expect(text).not_to_be_focused()
    page.get_by_role("button", name="Preview").click()
    picture = page.get_by_role("img", name="Pause, retry, watch: 4 steps")
    expect(picture).to_be_visible()
    assert _overflow(page) <= 0
    page.get_by_text("The plan in words").click()
    expect(page.locator(".plan-words li").first).to_contain_text("Begins by itself")

    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_role("heading", name="Version 1")).to_be_visible()
    text.fill(text.input_value().replace("seconds: 1800", "seconds: 60"))
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    page.get_by_role("link", name="All versions").click()
    expect(page.locator(".diff [data-tone=green]").first).to_contain_text("seconds: 60")
    assert _overflow(page) <= 0
    page.get_by_role("button", name="Restore version 1").click()
    expect(page.get_by_role("heading", name="Version 3")).to_be_visible()
    page.goto(visit.url + PLANS)
    expect(page.locator("#result_list")).to_contain_text("Pause, retry, watch")
