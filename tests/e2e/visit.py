"""Browser pages that are watched: what was refused, what went wrong, which dialogs opened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

# What everybody in a tenant can open.
PAGES = (
    "/",
    "/incidents/?status=",
    "/approvals/",
    "/actions/",
    "/recoveries/",
    "/workflows/",
    "/safety/",
    "/settings/",
    "/settings/keys",
    "/settings/members",
    "/settings/notification",
    "/learning/",
    "/reports/",
)
# Runs before the first script of each page; a binding outlives the page's navigation.
_WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
  const { violatedDirective, blockedURI, sourceFile, lineNumber } = event;
  window.tellRefused(`${violatedDirective} ${blockedURI} ${sourceFile}:${lineNumber}`);
});
"""
# How live the page has said to be, in order; starts anew with each document.
_STATES = """
window.__states = [];
new MutationObserver(() => window.__states.push(document.documentElement.dataset.live))
  .observe(document, { subtree: true, attributeFilter: ["data-live"] });
"""


@dataclass
class Visit:
    """One browser of one person. At its end `unprovoked()` must be empty."""

    context: BrowserContext
    url: str
    mistakes: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    provoked: list[str] = field(default_factory=list)

    def open(self, path: str, *, live: bool = True) -> Page:
        """A new tab at that path; returns once its websocket has subscribed."""
        page = self.context.new_page()
        page.goto(self.url + path)
        if live:
            is_live(page)
        return page

    def provoke(self, *words: str) -> None:
        """Mistakes with one of these words are the test's own doing and may be made."""
        self.provoked += words

    def unprovoked(self) -> list[str]:
        """The mistakes that nobody asked for."""
        return [m for m in self.mistakes if not any(word in m for word in self.provoked)]

    def loads_of(self, path: str) -> int:
        """How often a tab was sent to that path (a document, not a part fetched by script)."""
        return self.documents.count(self.url + path)


def is_live(page: Page) -> None:
    """Wait until the page says that it is live."""
    expect(page.locator("html")).to_have_attribute("data-live", "live")


def draw_charts(page: Page) -> None:
    """Look at each chart that has something to draw, and wait until it is drawn."""
    for chart in page.locator("[data-chart]").all():
        source = page.locator(f"#{chart.get_attribute('data-source')}").text_content()
        if json.loads(source or "{}").get("points") != []:
            chart.scroll_into_view_if_needed()
            expect(chart.locator(".main-svg").first).to_be_attached()


def states(page: Page) -> list[str]:
    """How live the page has said to be since it was loaded, in order."""
    found: list[str] = page.evaluate("window.__states")
    return found


@contextmanager
def visiting(
    browser: Browser, url: str, cookie: dict[str, str] | None = None, **options: Any
) -> Iterator[Visit]:
    """A browser of its own, signed in by the cookie; a mistake on any of its pages fails."""
    options = {"viewport": {"width": 1440, "height": 900}} | options
    context = browser.new_context(**options)
    visit = Visit(context, url)
    if cookie:
        context.add_cookies([{"url": url, "httpOnly": True, "sameSite": "Lax", **cookie}])  # type: ignore[list-item]
    if options.get("java_script_enabled", True):
        context.expose_binding("tellRefused", lambda _, text: visit.mistakes.append(text))
        context.add_init_script(_WATCH + _STATES)
    context.on("console", lambda message: _hear(visit, message))
    context.on("weberror", lambda error: visit.mistakes.append(str(error.error)))
    context.on("dialog", lambda dialog: (visit.mistakes.append(dialog.message), dialog.dismiss()))
    context.on("request", lambda request: _see(visit, request))
    try:
        yield visit
        assert not visit.unprovoked(), visit.unprovoked()
    finally:
        context.close()


def _hear(visit: Visit, message: ConsoleMessage) -> None:
    if message.type == "error":
        where = message.location or {}
        visit.mistakes.append(f"{message.text} {where.get('url', '')}")


def _see(visit: Visit, request: Request) -> None:
    if request.is_navigation_request():
        visit.documents.append(request.url)
