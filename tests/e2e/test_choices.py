"""What a person chooses for themselves: the theme of this browser, the tenant to act in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SignIn
from tests.e2e.stagehand import Stagehand
from tests.e2e.visit import Visit, is_live
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_keeps_the_theme(alice: Visit, theme: str) -> None:
    """It changes at once without a load, and the next pages have it from their first byte."""
    page = alice.open("/incidents/")
    page.locator(".rail__foot summary").click()
    with page.expect_response("**/theme"):
        page.locator(f".rail [data-theme-form] [value={theme}]").click()
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", theme)
    expect(html).to_have_css("color-scheme", theme)
    assert alice.loads_of("/incidents/") == 1
    for path in ("/incidents/", "/safety/", "/"):
        answer = page.goto(alice.url + path)
        assert answer
        assert f'data-theme="{theme}"' in answer.text()
        expect(html).to_have_css("color-scheme", theme)


def test_it_switches_the_tenant(
    world: World, make_world: Callable[[], World], sign_in: SignIn, stagehand: Stagehand
) -> None:
    """The other tenant's data takes the place of the first one's, on the pages and in pushes."""
    other = make_world()
    stagehand("join", tenant_id=other.tenant_id, username=world.people["anna"], role="viewer")
    world.post_event(payload={"error_code": "of_the_first", "error_message": "First"})
    other.post_event(payload={"error_code": "of_the_second", "error_message": "Second"})
    other.await_incident("escalated")
    world.await_incident("escalated")
    page = sign_in("anna").open("/incidents/")
    rows = page.locator("#incident-rows")
    for mine, foreign, word in ((world, other, "of_the_first"), (other, world, "of_the_second")):
        page.locator(".menu--tenant summary").click()
        page.locator(".menu--tenant").get_by_role("button", name=mine.tenant_name).click()
        page.wait_for_url("**/")
        page.goto(f"{world.site.url}/incidents/")
        is_live(page)
        expect(page.locator(".menu--tenant summary")).to_contain_text(mine.tenant_name)
        expect(rows).to_contain_text(word)
        expect(rows.locator("tr")).to_have_count(len(mine.get("/incidents")))
        foreign.post_event(payload={"error_code": f"not_{word}", "error_message": "Hidden"})
        foreign.await_incident("escalated")
        mine.post_event(payload={"error_code": f"again_{word}", "error_message": "Shown"})
        expect(page.locator("[data-live-new]")).to_have_text("1 new")
        expect(page.locator("main")).not_to_contain_text(f"not_{word}")
