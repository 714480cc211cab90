"""A glyph of the sprite, alone or in a badge with its word."""

from __future__ import annotations

from django.template import TemplateSyntaxError
from django.utils.html import format_html
from django.utils.safestring import SafeString

from awfdrs_site.kernel.ui import glyphs
from awfdrs_site.kernel.ui.tones import Look

_ICON_SIZES = (12, 14, 16, 20, 32)


def icon(name: str, size: int = 16, css: str = "") -> SafeString:
    """One glyph of the sprite, hidden from readers: the word stands next to it."""
    if not glyphs.known(name):
        raise TemplateSyntaxError(f"The sprite has no icon {name!r}.")
    if size not in _ICON_SIZES:
        raise TemplateSyntaxError(f"Icons have the sizes {_ICON_SIZES}, not {size}.")
    classes = " ".join(part for part in ("i", f"i--{size}" if size != 16 else "", css) if part)
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="#i-{}"/></svg>', classes, name
    )


def badge(look: Look, *, plain: bool = False, spin: bool = False, text: str = "") -> SafeString:
    """Glyph and word on the hue's tint; `plain` without the tint, for tables."""
    return format_html(
        '<span class="badge{}" data-tone="{}">{}{}</span>',
        " badge--plain" if plain else "",
        look.tone,
        icon(look.icon, css="spin" if spin else ""),
        text or look.word,
    )
