"""Keys that lead from page to page."""

from __future__ import annotations

import pytest

from tests.e2e.visit import Visit, is_live

pytestmark = pytest.mark.e2e

PLACES = {
    "o": "/",
    "i": "/incidents/",
    "a": "/approvals/",
    "l": "/actions/",
    "v": "/recoveries/",
    "w": "/workflows/",
    "s": "/safety/",
    "r": "/rules/",
}


def test_g_and_a_letter_open_a_page(alice: Visit) -> None:
    """Each letter leads where the help says, whatever else stands in the rail.

    Seen red when the letters stood for places in the rail, and one page more had come in between.
    """
    page = alice.open("/")
    for key, path in reversed(PLACES.items()):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(alice.url + path)
        is_live(page)
