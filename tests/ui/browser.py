"""A real browser on the previewed pages: a server with the strict policy, and Debian's chromium."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from awfdrs_site.kernel.csp import POLICY

CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Kept from before the first script of the page runs.
_WATCH = """
window.__refused = [];
document.addEventListener("securitypolicyviolation", (event) => {
  const { violatedDirective, blockedURI, sourceFile, lineNumber } = event;
  window.__refused.push(`${violatedDirective} ${blockedURI} ${sourceFile}:${lineNumber}`);
});
"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
    }

    def do_POST(self) -> None:
        """What the application does after an act: back to the page, by GET."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(303)
        self.send_header("Location", self.headers["Referer"])
        self.end_headers()

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The folder over HTTP on loopback; gives the base URL."""
    handler = functools.partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's chromium without a window; one at a time in a process."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def new_page(
    browser: Browser, width: int = 1440, height: int = 900, **options: Any
) -> Iterator[Page]:
    """An empty page; what was refused is in `window.__refused`, errors in `page.mistakes`."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.add_init_script(_WATCH)
    page = context.new_page()
    page.mistakes = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.mistakes.append(str(error)))  # type: ignore[attr-defined]
    try:
        yield page
    finally:
        context.close()
