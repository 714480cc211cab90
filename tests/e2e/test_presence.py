"""Who else has an incident open, while they have it open [U6]."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SignIn
from tests.e2e.visit import Visit
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


def test_people_see_who_else_looks(world: World, alice: Visit, sign_in: SignIn) -> None:
    """Each the other, not themselves; it outlives the answer to a form; who leaves goes."""
    world.post_event()
    path = f"/incidents/{world.await_incident('escalated')['id']}/"
    page, other = alice.open(path), sign_in("anna").open(path)
    mine, theirs = page.locator("#present"), other.locator("#present")
    expect(mine).to_contain_text("Also here: Anna")
    expect(theirs).to_contain_text("Also here: Alice")
    expect(mine.locator(".avatar")).to_have_count(1)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#toasts")).to_contain_text("is acknowledged")
    expect(mine).to_contain_text("Also here: Anna")
    other.close()
    expect(mine).not_to_contain_text("Also here")
