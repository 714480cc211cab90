"""The query of the incident list: typing, chips and the address say the same [U4]."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.visit import Visit
from tests.e2e.world import World

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(world: World, alice: Visit) -> Page:
    """Two incidents: one of stripe, one without a vendor."""
    world.post_event(
        payload={"error_code": "first", "error_message": "Card declined", "vendor": "stripe"}
    )
    world.await_incident("escalated")
    world.post_event(payload={"error_code": "second", "error_message": "Disk is full"})
    page = alice.open("/incidents/")
    expect(page.locator("#incident-rows > tr")).to_have_count(2)
    return page


def test_typing_and_picking_make_the_same_query(page: Page) -> None:
    """By the keyboard: `f`, a query, enter; by a chip the same address. The menu stays open with
    the focus on what was picked; back and forward walk through what was asked."""
    rows, field = page.locator("#incident-rows > tr"), page.locator("#query-text")
    page.keyboard.press("f")
    expect(field).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("vendor:stripe status:open")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(field).to_have_value("status:open vendor:stripe")
    expect(field).to_be_focused()
    typed = page.url
    page.get_by_role("link", name="Remove the Vendor filter").click()
    expect(rows).to_have_count(2)
    expect(field).to_be_focused()
    page.locator("#chip-vendor > summary").click()
    picked = page.locator("[data-option='vendor:stripe']")
    expect(picked).to_contain_text("1")
    picked.press("Enter")
    expect(rows).to_have_count(1)
    assert page.url == typed
    expect(picked).to_be_focused()
    page.go_back()
    expect(rows).to_have_count(2)
    page.go_forward()
    expect(rows).to_have_count(1)
    assert page.url == typed


def test_a_mistake_is_told_and_the_list_stays(page: Page) -> None:
    """What was typed stays in the field; the proposal mends it."""
    field, told = page.locator("#query-text"), page.locator("#query-mistakes")
    field.fill("severity:hihg,low")
    field.press("Enter")
    expect(told).to_contain_text("“hihg” is no severity")
    expect(told.locator("mark")).to_have_text("hihg")
    expect(field).to_have_value("severity:hihg,low")
    expect(page.locator("#incident-rows > tr")).to_have_count(2)
    told.get_by_role("link").click()
    expect(field).to_have_value("severity:high,low")
    expect(told).to_have_count(0)


def test_a_column_sorts(page: Page) -> None:
    """By its head, turned round by a second press; the address keeps it."""
    labels = page.locator(".incident__label")
    page.locator("th").get_by_role("link", name="Incident").click()
    expect(page).to_have_url(re.compile(r"sort=number"))
    expect(labels).to_have_text(["INC-2", "INC-1"])
    page.locator("th[aria-sort=descending]").get_by_role("link").click()
    expect(labels).to_have_text(["INC-1", "INC-2"])
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Incident")


def test_a_view_is_kept_and_taken_back(page: Page) -> None:
    """Saved from the bar, opened by its tab, deleted there, and back by the offered undo."""
    page.locator("#query-text").fill("vendor:stripe")
    page.locator("#query-text").press("Enter")
    expect(page.locator("#incident-rows > tr")).to_have_count(1)
    page.get_by_text("Save view").click()
    page.get_by_label("Name of the view").fill("Stripe alone")
    page.get_by_role("button", name="Save", exact=True).click()
    tab = page.get_by_role("navigation", name="Views").get_by_role("link", name="Stripe alone")
    expect(tab).to_have_attribute("aria-current", "page")
    expect(tab).to_contain_text("1")
    page.get_by_text("Edit view").click()
    page.get_by_role("button", name="Delete view").click()
    expect(tab).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(tab).to_have_attribute("aria-current", "page")
