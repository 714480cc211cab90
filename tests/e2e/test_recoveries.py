"""Recoveries and actions: all that failed of last week, taking one back, lists that do not jump."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.stagehand import Stagehand
from tests.e2e.visit import Visit, is_live
from tests.e2e.world import World, await_

pytestmark = pytest.mark.e2e

PAUSE = """name: pause
title: Pause and tell
steps:
  - {key: pause, kind: pause_workflow, with: {seconds: 600}}
  - {key: tell, kind: notify, with: {text: Look at it}}
"""
BROKEN = """name: broken
title: Tell in vain
steps:
  - {key: first, kind: notify, with: {text: So far so good}}
  - {key: again, kind: notify, with: {text: "${steps.first.nothing}"}}
"""
FAILED = "/recoveries/?state=failed%2Crolled_back&since=7d"
Recover = Callable[[str, str], str]


@pytest.fixture
def recover(world: World, stagehand: Stagehand) -> Recover:
    """Let a new incident be recovered under the plan, to that state; the recovery's id."""

    def recover(source: str, state: str) -> str:
        before = len(world.get("/incidents"))
        world.post_event(payload={"error_code": f"unheard_of_{before}"})
        await_(lambda: len(world.get("/incidents")) > before, "a new incident")
        world.await_incident("escalated")
        pk: str = stagehand("begin_recovery", tenant_id=world.tenant_id, source=source)
        await_(lambda: pk in [one["id"] for one in world.get("/recoveries", state=state)], state)
        return pk

    return recover


def rows(page: Page) -> list[str]:
    """The ids of the list's rows, in order."""
    found: list[str] = page.locator("[data-live-list] > tr").evaluate_all(
        "all => all.map(r => r.id)"
    )
    return found


def test_all_that_failed_of_last_week_is_one_click(recover: Recover, alice: Visit) -> None:
    """The URL says what is shown, so going back shows what was there before, chips too."""
    done, failed = recover(PAUSE, "completed"), recover(BROKEN, "failed")
    page = alice.open("/recoveries/")
    assert set(rows(page)) == {f"recovery-{done}", f"recovery-{failed}"}
    page.get_by_role("link", name="All failed of last week").click()
    expect(page).to_have_url(alice.url + FAILED)
    is_live(page)
    assert rows(page) == [f"recovery-{failed}"]
    page.get_by_label("Plan").select_option("pause")
    expect(page).to_have_url(re.compile("plan=pause"))
    expect(page.locator("main")).to_contain_text("No recovery matches")
    page.go_back()
    expect(page).to_have_url(alice.url + FAILED)
    expect(page.locator("#recovery-rows tr")).to_have_count(1)
    page.go_back()
    expect(page.locator("#recovery-rows tr")).to_have_count(2)


def _undo(page: Page) -> None:
    page.get_by_role("button", name="Undo", exact=True).click()
    question = page.locator("#dialog-undo")
    expect(question).to_contain_text("Undo this recovery?")
    question.get_by_label("Reason").fill("Wrong workflow")
    question.get_by_role("button", name="Undo the recovery").click()
    expect(page.locator(".toast")).to_contain_text("Pause and tell is taken back")


def test_it_takes_a_recovery_back(recover: Recover, world: World, alice: Visit) -> None:
    """The button asks, and needs a reason; then the page follows, step by step, to the end."""
    recovery = recover(PAUSE, "completed")
    page = alice.open(f"/recoveries/{recovery}/")
    expect(page.locator("#hazard")).to_contain_text("payments.capture")
    _undo(page)
    expect(page.locator("#recovery-head")).to_contain_text("Rolled back")
    expect(page.locator("#recovery-plan")).to_contain_text("asked for by")
    expect(page.locator("#recovery-side")).to_contain_text("Wrong workflow")
    expect(page.locator("#hazard .hazard")).to_be_hidden()
    expect(page.get_by_role("button", name="Undo", exact=True)).to_have_count(0)


def test_it_takes_a_recovery_back_without_scripts(recover: Recover, sign_in: SignIn) -> None:
    """The question is a popover and the answer a form: neither needs a script."""
    recovery = recover(PAUSE, "completed")
    visit = sign_in("alice", java_script_enabled=False)
    page = visit.open("/recoveries/", live=False)
    page.locator("#recovery-rows").get_by_role("link").first.click()
    _undo(page)

    def look() -> bool:
        page.reload()
        return "Rolled back" in page.locator("#recovery-head").inner_text()

    await_(look, f"{recovery} rolled back")


@pytest.mark.parametrize("path", ["/recoveries/", "/actions/"])
def test_a_list_does_not_jump(
    recover: Recover, world: World, sign_in: SignIn, alice: Visit, path: str
) -> None:
    """What comes in waits behind "n new", in every open page; "." shows it on top. A row changes
    where it stands.

    Seen red with the list fetched whole at each push: the new row stood on top unasked.
    """
    recover(PAUSE, "completed")
    page, other = alice.open(path), sign_in("bob").open(path)
    before = rows(page)
    recover(BROKEN, "failed")
    newest = world.get(path.rstrip("/"))[0]["id"]
    expect(page.locator("[data-live-new]")).to_have_text(re.compile(r"\d new"))
    expect(other.locator("[data-live-new]")).to_be_visible()
    assert rows(page) == rows(other) == before
    page.keyboard.press(".")
    expect(page.locator(f"[id$='{newest}']")).to_be_visible()
    after = rows(page)
    assert len(after) > len(before)
    assert after[-len(before) :] == before
    assert rows(other) == before


def test_a_row_changes_where_it_stands(recover: Recover, alice: Visit, sign_in: SignIn) -> None:
    """Also one that the filter would not show any more: it goes with the next look."""
    recovery = recover(PAUSE, "completed")
    page = alice.open("/recoveries/?state=completed")
    _undo(sign_in("bob").open(f"/recoveries/{recovery}/"))
    row = page.locator(f"#recovery-{recovery}")
    expect(row).to_contain_text("Rolled back")
    expect(row).to_contain_text("1 of 2 done")
    assert alice.loads_of("/recoveries/?state=completed") == 1
