"""`make screenshots`: every page in both themes, at the desk and on a phone, in one contact sheet.

`docs/images/pages.jpg` is the sheet, `docs/images/overview.png` the README's picture. The single
pictures, as large as they were taken, stay in the folder of `--keep`.
"""

from __future__ import annotations

import argparse
import html
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from bench.instance import PROJECT
from tests.e2e.demo_site import Demo, demo, signed_in
from tests.e2e.visit import draw_charts
from tests.ui.browser import chromium, serve

FOLDER = PROJECT / "docs" / "images"
DESK, PHONE = (1440, 900), (390, 844)
Theme = Literal["dark", "light"]
LOOKS: tuple[tuple[Theme, tuple[int, int]], ...] = (
    ("dark", DESK),
    ("light", DESK),
    ("dark", PHONE),
    ("light", PHONE),
)
# How high a picture is on the sheet, in pixels, and how many pages share a line.
HIGH, ABREAST = 320, 2
QUALITY = 60
# Pages a lively demo does not come to show.
STATES = (
    "overview-first-run",
    "incidents-none-yet",
    "incidents-all-clear",
    "incidents-no-match",
    "incident-hostile",
    "merge",
    "approvals-empty",
    "recoveries-none_failed",
    "learning-empty",
    "ask-resume",
    "ask-breaker",
    "rules-running",
    "keys-issued",
    "locked",
    "403",
    "500",
)


def live_pages(demo: Demo) -> Mapping[str, Mapping[str, str]]:
    """Who sees what, by name: paths of the running demo."""
    from awfdrs_site.demo import workflow_id

    subject, workflow = demo.verifying()[0], workflow_id("payments.capture")
    return {
        "alice": {
            "overview": "/",
            "incidents": "/incidents/",
            "incidents: narrowed": "/incidents/?q=severity%3Acritical%2Chigh",
            "incident": f"/incidents/{subject['id']}/",
            "incident: events": f"/incidents/{subject['id']}/events",
            "approvals": "/approvals/",
            "actions": "/actions/",
            "recoveries": "/recoveries/",
            "recovery": f"/recoveries/{demo.newest_recovery()}/",
            "workflows": "/workflows/",
            "workflow": f"/workflows/{workflow}/",
            "safety": "/safety/",
            "safety: stop": f"/safety/stop?scope=workflow&target={workflow}",
            "safety: stops": "/safety/stops",
            "rules": "/rules/",
            "learning": "/learning/",
            "reports": "/reports/",
            "search": "/search?q=stripe",
            "not found": "/incidents/00000000-0000-0000-0000-000000000000/",
        },
        "anna": {
            "audit log": "/audit/",
            "settings": "/settings/",
            "settings: keys": "/settings/keys",
            "settings: members": "/settings/members",
            "settings: notification": "/settings/notification",
            "admin": "/admin/",
            "admin: vendors": "/admin/safety/vendor/",
            "admin: error codes": "/admin/safety/errorcode/",
            "admin: policies": "/admin/safety/automationpolicy/",
            "admin: plans": "/admin/actions/recoveryplan/",
        },
    }


def dress(page: Page, base: str, theme: Theme, size: tuple[int, int]) -> None:
    """Let the page be of that theme and size from its next load on."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.context.add_cookies([{"name": "theme", "value": theme, "url": base}])


def settled(page: Page) -> None:
    """Wait until the page is live, its charts are drawn and every font is there."""
    if page.locator("body[data-live-topics]").count():
        expect(page.locator("html")).to_have_attribute("data-live", "live", timeout=20_000)
    draw_charts(page)
    page.evaluate("scrollTo(0, 0)")
    page.evaluate("document.fonts.ready")


def file_name(name: str, theme: str, size: tuple[int, int]) -> str:
    """Where the picture of one look is kept."""
    return f"{name.replace(': ', '-').replace(' ', '-')}.{theme}.{size[0]}.png"


def shoot_demo(browser: Browser, folder: Path) -> Iterator[str]:
    """The log-in and every page of the running demo in all LOOKS; gives the names."""
    with demo() as playing:
        site = playing.site.url
        with browser.new_context() as context:
            yield _shoot(context.new_page(), site, "log-in", "/login", folder)
        for who, pages in live_pages(playing).items():
            with signed_in(browser, playing, who) as page:
                for name, path in pages.items():
                    yield _shoot(page, site, name, path, folder)


def _shoot(page: Page, site: str, name: str, path: str, folder: Path) -> str:
    for theme, size in LOOKS:
        dress(page, site, theme, size)
        page.goto(site + path)
        settled(page)
        page.screenshot(path=folder / file_name(name, theme, size))
    print(name)
    return name


def shoot_states(browser: Browser, folder: Path) -> Iterator[str]:
    """The previewed STATES in all LOOKS; gives the names."""
    from tests.ui.preview import write

    previews = folder / "previews"
    write(previews)
    with serve(previews) as base, browser.new_context(reduced_motion="reduce") as context:
        page = context.new_page()
        for name in STATES:
            for theme, size in LOOKS:
                dress(page, base, theme, size)
                page.goto(f"{base}/{name}.{theme}.html")
                page.screenshot(path=folder / file_name(name, theme, size))
            print(name)
            yield name


def write_sheet(browser: Browser, names: Sequence[str], folder: Path, target: Path) -> None:
    """All pictures of the names, small, with their names above them."""
    figures = "".join(
        f"<figure><figcaption>{html.escape(name)}</figcaption>"
        + "".join(
            f'<img src="{file_name(name, theme, size)}" height="{HIGH}">' for theme, size in LOOKS
        )
        + "</figure>"
        for name in names
    )
    columns = f"repeat({ABREAST}, max-content)"
    style = (
        f"body {{ margin: 16px; display: grid; grid-template-columns: {columns}; gap: 16px 28px;"
        " width: max-content; background: #777; font: 600 17px system-ui; color: #fff }"
        " figure { margin: 0; display: grid; grid-template-columns: repeat(4, max-content);"
        " gap: 6px } figcaption { grid-column: 1 / -1 }"
    )
    (folder / "sheet.html").write_text(
        f"<!doctype html><meta charset=utf-8><style>{style}</style>{figures}", encoding="utf-8"
    )
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((folder / "sheet.html").as_uri())
        width = page.evaluate("document.body.offsetWidth + 32")
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=target, full_page=True, type="jpeg", quality=QUALITY)
    print(f"{target.relative_to(PROJECT)}: {target.stat().st_size / 1e6:.1f} MB")


def main(arguments: Sequence[str]) -> int:
    """Write the pictures; 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for the single pictures")
    keep = parser.parse_args(arguments).keep
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        folder: Path = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        names = [*shoot_demo(browser, folder), *shoot_states(browser, folder)]
        write_sheet(browser, names, folder.resolve(), FOLDER / "pages.jpg")
        (FOLDER / "overview.png").write_bytes(
            (folder / file_name("overview", "dark", DESK)).read_bytes()
        )
    return 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "awfdrs_site.settings")
    import django

    django.setup()
    sys.exit(main(sys.argv[1:]))
