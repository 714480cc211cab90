"""The icon sprite: our own glyphs for severity, state and breakers, lucide's for the rest.

Severity and state must stay apart in greyscale, so each has its own shape; an icon set has none of
these. `class="solid"` is filled, `dim` is a faded part, `cut` is drawn in the panel's colour.
"""

from __future__ import annotations

from functools import lru_cache
from xml.etree import ElementTree

import lucide

_BARS = (
    '<rect class="{0}" x="2" y="9.5" width="3" height="4.5" rx=".8"/>'
    '<rect class="{1}" x="6.5" y="6" width="3" height="8" rx=".8"/>'
    '<rect class="{2}" x="11" y="2" width="3" height="12" rx=".8"/>'
)
_DIM = "solid dim"

# Name -> body of a 16 x 16 drawing, 1.5 wide strokes.
OWN: dict[str, str] = {
    "brand": '<path d="M13.3 5.8A5.8 5.8 0 1 0 13.8 8"/>'
    '<path d="M2.5 8.5h2.7l1.4-2.8 2.2 5 1.4-2.2h3.5"/>',
    "sev-critical": '<path class="solid" d="M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5z"/>'
    '<path class="cut" stroke-width="1.9" d="M8 4.7v4M8 11.2v.1"/>',
    "sev-high": _BARS.format("solid", "solid", "solid"),
    "sev-medium": _BARS.format("solid", "solid", _DIM),
    "sev-low": _BARS.format("solid", _DIM, _DIM),
    "st-open": '<circle cx="8" cy="8" r="5.5"/><circle class="solid" cx="8" cy="8" r="2.2"/>',
    "st-acknowledged": '<circle cx="8" cy="8" r="5.5"/>'
    '<path class="solid" d="M8 4.3a3.7 3.7 0 0 1 0 7.4z"/>',
    "st-recovering": '<path d="M13.5 8A5.5 5.5 0 1 1 8 2.5"/><path d="M8 .6 10.2 2.5 8 4.4"/>',
    "st-resolved": '<circle class="solid" cx="8" cy="8" r="6.3"/>'
    '<path class="cut" stroke-width="1.8" d="m5.2 8.3 2 2 3.7-4.2"/>',
    "st-escalated": '<circle cx="8" cy="8" r="5.5"/><path d="M8 11V5.2M5.6 7.5 8 5.1l2.4 2.4"/>',
    "st-ignored": '<circle cx="8" cy="8" r="5.8"/><path d="m4 12 8-8"/>',
    "st-waiting": '<circle cx="8" cy="8" r="5.5" stroke-dasharray="2.3 2"/>'
    '<path d="M8 5.2V8l1.8 1.2"/>',
    "st-blocked": '<path d="M5 1.8h6L14.2 5v6L11 14.2H5L1.8 11V5z"/><path d="M5 8h6"/>',
    "st-undone": '<circle cx="8" cy="8" r="5.5"/><path d="M5 8h6M7 6 5 8l2 2"/>',
    "pause": '<path d="M5.7 3.5v9M10.3 3.5v9"/>',
    "play": '<path class="solid" d="M5 3.2v9.6L12.6 8z"/>',
    "spark": '<path class="solid" d="M7 2.2c.5 3.3 1.5 4.3 4.8 4.8C8.5 7.5 7.5 8.5 7 11.8 6.5 8.5 '
    '5.5 7.5 2.2 7 5.5 6.5 6.5 5.5 7 2.2z"/><path class="solid" d="M12.3 10c.2 1.5.6 1.9 2 2.1-1.4'
    '.2-1.8.6-2 2.1-.2-1.5-.6-1.9-2-2.1 1.4-.2 1.8-.6 2-2.1z"/>',
}

# Our name -> lucide's name, one sort of drawing for one meaning on every page.
LUCIDE: dict[str, str] = {
    "actions": "list-checks",
    "admin": "settings",
    "ago": "clock",
    "alarm": "bell",
    "approve": "square-check-big",
    "arrow": "arrow-right",
    "arrow-up": "arrow-up",
    "arrow-down": "arrow-down",
    "book": "book-open",
    "check": "check",
    "code": "code",
    "comment": "message-square",
    "copy": "copy",
    "cooldown": "hourglass",
    "cross": "x",
    "down": "chevron-down",
    "expand": "chevron-right",
    "filter": "list-filter",
    "history": "history",
    "inbox": "inbox",
    "incident": "triangle-alert",
    "key": "key-round",
    "keyboard": "keyboard",
    "logout": "log-out",
    "mail": "send",
    "more": "ellipsis",
    "moon": "moon",
    "monitor": "monitor",
    "offline": "wifi-off",
    "overview": "layout-dashboard",
    "plug": "plug",
    "plus": "plus",
    "power": "power",
    "retry": "rotate-cw",
    "search": "search",
    "shield": "shield",
    "sun": "sun",
    "switch": "chevrons-up-down",
    "snooze": "bell-off",
    "merge": "merge",
    "split": "split",
    "table": "table-2",
    "rules": "sliders-horizontal",
    "undo": "undo-2",
    "workflow": "workflow",
    "user": "user",
    "bolt": "zap",
    "trend": "trending-up",
    "change": "git-branch",
    "bars": "chart-line",
}


def _own_symbol(name: str, body: str) -> str:
    return f'<symbol id="i-{name}" viewBox="0 0 16 16">{body}</symbol>'


def _lucide_symbol(name: str, source: str) -> str:
    """One icon of the lucide package as a symbol whose strokes are 1.5 px in a 16 px box."""
    # The package offers its drawings to templates alone; this reads one without its frame.
    svg = ElementTree.fromstring(lucide._render_icon(source, None))  # noqa: S314, SLF001
    body = "".join(ElementTree.tostring(node, encoding="unicode") for node in svg)
    return (
        f'<symbol id="i-{name}" viewBox="0 0 24 24"><g stroke-width="2.2">{body.strip()}</g>'
        "</symbol>"
    )


@lru_cache(maxsize=1)
def symbols() -> str:
    """Every symbol, ids `i-<name>`, to be put once into a page."""
    own = [_own_symbol(name, body) for name, body in OWN.items()]
    rest = [_lucide_symbol(name, source) for name, source in sorted(LUCIDE.items())]
    return "".join(own + rest)


def known(name: str) -> bool:
    """Whether the sprite has this icon."""
    return name in OWN or name in LUCIDE
