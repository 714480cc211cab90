"""`make screenshots`: the pictures in docs/images, of a fresh demo that has come to life."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx
from playwright.sync_api import Browser, Page, expect

from bench.instance import PROJECT
from tests.e2e.site import Site, running
from tests.ui.browser import chromium

FOLDER = PROJECT / "docs" / "images"
DESK, PHONE = (1440, 900), (390, 844)
PATIENCE_SECONDS = 240
# Enough minutes of traffic for a chart of the last hour to have a shape.
LIFE_SECONDS = 240
# How long the engine takes over what it was asked to run again, so that it is seen doing so.
RERUN_SECONDS = 120
# Scenarios that recover by a retry, and how soon it is sent where nothing stands in its way.
RECOVERING = ("payment-timeout", "self-recovery", "connection-reset")
SENT_SECONDS = 20


@dataclass(frozen=True)
class Demo:
    """The running demo, as its own output describes it."""

    site: Site
    password: str
    key: str
    simulator: str

    def incidents(self) -> list[dict[str, Any]]:
        """The newest incidents."""
        return self._newest("incidents")

    def _newest(self, what: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.site.url}/api/v1/{what}",
            headers={"Authorization": f"Bearer {self.key}"},
            trust_env=False,
        )
        rows: list[dict[str, Any]] = answer.raise_for_status().json()["results"]
        return rows

    def verifying(self) -> list[dict[str, Any]]:
        """Those whose retry was sent, and which are watched until they show that they recovered."""
        return [row for row in self.incidents() if row["recovery"] == "verifying"]

    def newest_recovery(self) -> str:
        """Its id."""
        return str(self._newest("recoveries")[0]["id"])

    def tell_simulator(self, path: str, **body: Any) -> None:
        """One of the simulator's controls."""
        httpx.post(f"{self.simulator}/{path}", json=body, trust_env=False).raise_for_status()


def await_(look: Callable[[], Any]) -> Any:
    """What `look` returns once it is not empty; RuntimeError when patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"never seen: {look}")
        time.sleep(0.5)
    return seen


def _printed(site: Site, pattern: str) -> str:
    def look() -> str:
        found = re.search(pattern, site.log.read_text(errors="replace"))
        return found[1] if found else ""

    return str(await_(look))


@contextmanager
def demo() -> Iterator[Demo]:
    """A demo in which something has recovered, something recovers, and something waits."""
    with running("--demo") as site:
        playing = Demo(
            site,
            password=_printed(site, r"log-in: alice / (\S+)"),
            key=_printed(site, r"API key: (\S+)"),
            simulator=_printed(site, r"retry address of every workflow: (\S+)/retry"),
        )

        def states() -> set[str]:
            return {row["state"] for row in playing.incidents()}

        time.sleep(LIFE_SECONDS)
        await_(lambda: {"resolved", "waiting", "escalated"} <= states())
        playing.tell_simulator("control", delay_seconds=RERUN_SECONDS)
        # Whether the first of them may run by itself depends on what else is going on.
        await_(lambda: any(_recovers(playing, name) for name in RECOVERING))
        yield playing


def _recovers(playing: Demo, scenario: str) -> bool:
    """Whether the scenario, played now, leads to a retry that was sent."""
    playing.tell_simulator("fail", scenario=scenario, items=3)
    deadline = time.monotonic() + SENT_SECONDS
    while not playing.verifying() and time.monotonic() < deadline:
        time.sleep(0.5)
    return bool(playing.verifying())


@contextmanager
def signed_in(browser: Browser, demo: Demo, name: str) -> Iterator[Page]:
    """A page of somebody who has signed in."""
    screen = {"width": DESK[0], "height": DESK[1]}
    context = browser.new_context(reduced_motion="reduce", viewport=screen)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{demo.site.url}/login")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    try:
        yield page
    finally:
        context.close()


def shoot(page: Page, url: str, name: str, size: tuple[int, int], theme: str = "dark") -> None:
    """One picture of what a screen of that size shows first."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.context.add_cookies([{"name": "theme", "value": theme, "url": urljoin(url, "/")}])
    page.goto(url)
    if page.locator("body[data-live-topics]").count():
        expect(page.locator("html")).to_have_attribute("data-live", "live", timeout=20_000)
    if page.locator("[data-chart]").count():
        expect(page.locator("[data-chart] .main-svg").first).to_be_attached(timeout=20_000)
    save(page, name)


def save(page: Page, name: str) -> None:
    """Write the picture once every font is there."""
    page.evaluate("document.fonts.ready")
    page.screenshot(path=FOLDER / f"{name}.png")
    print(f"{name}.png")


def take_all(browser: Browser, demo: Demo) -> None:
    """Every page for alice, the admin for anna, and what is seen before signing in."""
    site, subject = demo.site.url, demo.verifying()[0]
    pages = {
        "overview": f"{site}/",
        "incidents": f"{site}/incidents/",
        "incident": f"{site}/incidents/{subject['id']}/",
        "approvals": f"{site}/approvals/",
        "actions": f"{site}/actions/",
        "recoveries": f"{site}/recoveries/",
        "recovery": f"{site}/recoveries/{demo.newest_recovery()}/",
        "safety": f"{site}/safety/",
    }
    with signed_in(browser, demo, "alice") as page:
        for name, url in pages.items():
            shoot(page, url, name, DESK)
            shoot(page, url, f"{name}-light", DESK, "light")
        for name in ("overview", "incidents", "incident", "approvals"):
            shoot(page, pages[name], f"{name}-phone", PHONE)
        shoot(page, f"{site}/incidents/00000000-0000-0000-0000-000000000000/", "not-found", DESK)
    with signed_in(browser, demo, "vera") as page:
        page.goto(f"{site}/safety/")
        # What her pages do not offer is refused when it is sent all the same.
        page.locator("[data-theme-form]").first.evaluate(
            "form => { form.action = '/safety/stop'; form.submit(); }"
        )
        page.wait_for_url("**/safety/stop")
        save(page, "forbidden")
    with signed_in(browser, demo, "anna") as page:
        shoot(page, f"{site}/admin/", "admin", DESK)
        shoot(page, f"{site}/admin/safety/vendor/", "admin-vendors", DESK)
    with browser.new_context() as context:
        shoot(context.new_page(), f"{site}/login", "login", DESK)


def main() -> int:
    """Write the pictures; 0."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, demo() as playing:
        take_all(browser, playing)
    print(f"{sum(path.stat().st_size for path in FOLDER.glob('*.png')) / 1e6:.1f} MB in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
