"""The admin's pages before axe-core. Most of their markup is unfold's: what breaks a rule there is
listed, with the reason, so that nothing of ours hides behind it [U5]."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import SignIn
from tests.e2e.test_accessible import put_engine, violations
from tests.e2e.visit import visiting
from tests.e2e.world import World

pytestmark = pytest.mark.e2e

PAGES = {
    "index": "/admin/",
    "list": "/admin/tenants/workflow/",
    "list of keys": "/admin/tenants/apikey/",
    "list that only grows": "/admin/kernel/auditentry/",
    "change form": "/admin/tenants/workflow/{workflow}/change/",
    "history": "/admin/tenants/workflow/{workflow}/history/",
    "rule form": "/admin/safety/automationpolicy/add/",
}
# How a finding begins -> why it is not ours to mend.
UNFOLD = {
    "landmark-one-main: html": "its skeleton has no <main>, and no block around what would be one",
    "region: ": "follows from that: everything beside its sidebar is outside a landmark",
    "landmark-unique: #nav-sidebar-apps": "its scrollbar makes a region of each sidebar, unnamed",
    "target-size: #searchbar-submit": "the glyph in its search field; enter in the field does it",
    "target-size: .hover\\:text-base-500": "its way out of a search",
    "target-size: .sortremove": "its way out of a sort, beside the head that sorts",
}


def _ours(page: Page) -> list[str]:
    """What axe finds in either theme and unfold is not to blame for."""
    put_engine(page)
    found = violations(page, "light")
    page.evaluate("document.documentElement.classList.add('dark')")
    found += violations(page, "dark", rules="colours")
    return [one for one in found if not one.split(": ", 1)[1].startswith(tuple(UNFOLD))]


@pytest.mark.parametrize("name", PAGES)
def test_the_admin_keeps_nobody_out(world: World, sign_in: SignIn, name: str) -> None:
    path = PAGES[name].format(workflow=world.workflows["payments.capture"])
    page = sign_in("anna").open(path, live=False)
    assert page.url.endswith(path)
    assert _ours(page) == []


def test_its_way_in_keeps_nobody_out(world: World, browser: Browser) -> None:
    with visiting(browser, world.site.url) as visit:
        page = visit.open("/admin/", live=False)
        assert page.locator("[name=password]").count() == 1
        assert "/admin/login/" in page.url
        assert _ours(page) == []
