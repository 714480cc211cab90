"""Nothing moves under the reader: what is pushed changes in place, waits, or finds its own room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignIn
from tests.e2e.shifts import WATCH_SHIFTS, shifts_of
from tests.e2e.stagehand import Stagehand
from tests.e2e.world import World

pytestmark = pytest.mark.e2e

Watched = Callable[[str], Page]


@pytest.fixture(params=[1440, 390])
def open_watched(sign_in: SignIn, request: pytest.FixtureRequest) -> Watched:
    """Open a page of that width; what moves on it from then on is kept."""
    visit = sign_in("alice", viewport={"width": request.param, "height": 844})
    visit.context.add_init_script(WATCH_SHIFTS)

    def open_(path: str) -> Page:
        page = visit.open(path)
        page.evaluate("document.fonts.ready")
        shifts_of(page)
        return page

    return open_


def test_a_list_stays_while_values_change_and_rows_come(
    world: World, open_watched: Watched
) -> None:
    """A row turns through its states, its count grows, and others wait behind "n new".

    Seen red with columns as wide as what is in them.
    """
    world.hold_reruns()
    run = world.fail("payment-timeout")
    incident = world.await_incident("recovering", recovery="verifying")
    page = open_watched("/incidents/?status=")
    row = page.locator(f"#incident-{incident['id']}")
    world.fail("expired-credential", items=1)
    world.fail("unknown-error", items=1)
    expect(page.locator("[data-live-new]")).to_have_text("2 new")
    world.engine.mend(run.trouble)
    expect(row).to_contain_text("Resolved")
    expect(page.locator("#incident-rows tr")).to_have_count(1)
    assert shifts_of(page) == []


def test_the_overview_stays_while_its_figures_change(world: World, open_watched: Watched) -> None:
    """Figures go up and down; only the lines of the feed make room for new ones."""
    world.post_event()
    world.await_incident("escalated")
    page = open_watched("/")
    world.hold_reruns()
    run = world.fail("payment-timeout")
    expect(page.locator("#kpis .fig").first).to_have_text("2")
    world.await_incident("recovering", recovery="verifying")
    world.engine.mend(run.trouble)
    expect(page.locator("#kpis .fig").first).to_have_text("1")
    expect(page.locator("#feed")).to_contain_text("Verified: retry 1 worked")
    assert shifts_of(page) == []


@pytest.mark.parametrize("path", ["/", "/incidents/", "/approvals/"])
def test_a_page_stays_while_banners_come_and_go(
    world: World, open_watched: Watched, stagehand: Stagehand, path: str
) -> None:
    """Automation is stopped by somebody else, and goes on again.

    Seen red with the banner put where it stands on a page that is loaded with it.
    """
    world.post_event()
    world.await_incident("escalated")
    page = open_watched(path)
    where = {"workflow_id": world.workflows["payments.capture"]}
    stagehand("stop_workflow", **where, reason="Look at it first")
    expect(page.locator(".hazard")).to_be_visible()
    assert shifts_of(page) == []
    stagehand("resume_workflow", **where)
    expect(page.locator(".hazard")).to_be_hidden()
    assert shifts_of(page) == []


def test_a_page_stays_while_its_connection_goes_and_comes(
    world: World, open_watched: Watched, stagehand: Stagehand
) -> None:
    """The words about it come into the bar, and go. Seen red with them above the page."""
    world.post_event()
    world.await_incident("escalated")
    page = open_watched("/incidents/")
    stagehand("hang_redis", seconds=6)
    for name in ("lost", "back"):
        expect(page.locator(f"[data-net={name}]")).to_be_visible()
    expect(page.locator("[data-net=back]")).to_be_hidden()
    assert shifts_of(page) == []


def test_the_approvals_stay_while_one_runs_out(
    world: World, open_watched: Watched, stagehand: Stagehand
) -> None:
    """Its card leaves a line of its height."""
    world.fail("lock-contention", recovers_after=1)
    world.await_incident("waiting")
    page = open_watched("/approvals/")
    stagehand("expire", action_id=world.get("/approvals")[0]["id"])
    expect(page.locator(".approval-gone")).to_be_visible()
    assert shifts_of(page) == []


def test_an_incident_stays_while_it_recovers(world: World, open_watched: Watched) -> None:
    """Badge, plan and facts change where they are, also with fewer buttons above them.

    Seen red with a head that becomes lower.
    """
    world.hold_reruns()
    run = world.fail("payment-timeout")
    incident = world.await_incident("recovering", recovery="verifying")
    page = open_watched(f"/incidents/{incident['id']}/")
    world.engine.mend(run.trouble)
    expect(page.locator("#incident-head")).to_contain_text("Resolved")
    expect(page.locator("#timeline")).to_contain_text("succeeded again after a retry")
    assert shifts_of(page) == []
