"""What moved on a page by itself, as the browser reports it (layout-shift)."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

# An init script. What follows a person's own input within half a second does not count; nor do the
# lines of a feed, for which a new one on top makes room unless the reader holds or points at them.
WATCH_SHIFTS = """
window.__shifts = [];
window.__shifted = new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries()) {
    const others = sources.filter(({ node }) => !node?.closest?.("[data-live-feed] > *"));
    const moved = others.map(({ node, previousRect: a, currentRect: b }) =>
      `${node?.id || node?.className || node?.nodeName} ${a.x},${a.y} ${a.width}x${a.height}` +
      ` -> ${b.x},${b.y} ${b.width}x${b.height}`);
    const counts = !hadRecentInput && (moved.length || !sources.length);
    if (counts) window.__shifts.push([value, moved.join(", ")]);
  }
});
window.__shifted.observe({ type: "layout-shift", buffered: true });
"""
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def shifts_of(page: Page) -> list[Any]:
    """What moved since the page was opened or this was last asked, how far, and from where."""
    page.evaluate(_PAINTED)
    # An entry is told of some time after the paint.
    page.wait_for_timeout(200)
    shifts: list[Any] = page.evaluate("window.__shifts.splice(0)")
    return shifts
