"""A fresh demo that has come to life: something recovered, something recovers, something waits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Browser, Page

from tests.e2e.site import Site, running

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
    context = browser.new_context(reduced_motion="reduce")
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
