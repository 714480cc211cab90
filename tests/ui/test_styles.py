"""The style sheets: colours are tokens, tokens can be read, layers are kept."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "static"
SHEETS = sorted((STATIC / "css").glob("*.css"))
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
LAYERS = ["reset", "tokens", "base", "layout", "components", "pages", "utilities"]
TOKENS = (STATIC / "css/tokens.css").read_text()
PAIR = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
COLOURS = {name: {"light": light, "dark": dark} for name, light, dark in PAIR.findall(TOKENS)}
HUES = ["red", "orange", "yellow", "green", "blue", "violet", "slate"]
SURFACES = ["canvas", "surface-1", "surface-2", "surface-3", "select"]
THEMES = ["light", "dark"]


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str, theme: str) -> float:
    """Contrast of two tokens in a theme, 1 to 21."""
    a, b = luminance(COLOURS[one][theme]), luminance(COLOURS[other][theme])
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_it_can_be_read(theme: str) -> None:
    """All text has 4.5 or more on every surface, hues also on their own tint."""
    texts = ["text", "text-2", "text-3", *[f"{hue}-fg" for hue in HUES]]
    poor = [
        (text, on, round(contrast(text, on, theme), 2))
        for text, on in [*product(texts, SURFACES), *[(f"{hue}-fg", f"{hue}-bg") for hue in HUES]]
        if contrast(text, on, theme) < 4.5
    ]
    assert poor == []
    assert contrast("on-ink", "ink", theme) > 15


@pytest.mark.parametrize("theme", THEMES)
def test_it_draws_edges_and_fills_that_can_be_seen(theme: str) -> None:
    """Fills, edges of inputs and the focus ring have 3 or more against what they lie on."""
    for hue in HUES:
        assert contrast(f"{hue}-solid", "surface-1", theme) >= 3, hue
    for edge in ("control", "focus"):
        for on in ("canvas", "surface-1", "surface-2"):
            assert contrast(edge, on, theme) >= 3, (edge, on)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_it_takes_colours_from_tokens_only(sheet: Path) -> None:
    """Outside tokens.css no colour is written down."""
    if sheet.name == "tokens.css":
        return
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    values = " ".join(re.findall(r":\s*([^;{}]+)[;}]", text))
    assert (
        re.findall(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|rgba|hsl|oklch)\(|\b(?:white|black)\b", values)
        == []
    )
    assert "url(" not in text
    assert "@import" not in text


def test_it_uses_only_tokens_that_exist() -> None:
    """Each var() names a token, a hue role set by data-tone, or has a value to fall back on."""
    roles = {"fg", "bg", "bd", "solid"}
    defined = set(re.findall(r"--([\w-]+)\s*:", " ".join(sheet.read_text() for sheet in SHEETS)))
    used = {name for sheet in SHEETS for name in re.findall(r"var\(--([\w-]+)", sheet.read_text())}
    assert used - defined - roles == set()


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_it_keeps_the_layers(sheet: Path) -> None:
    """A sheet holds one layer, named in the one order; braces are balanced."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    assert text.count("{") == text.count("}")
    named = re.findall(r"^@layer ([\w-]+) \{", text, re.MULTILINE)
    if sheet.name == "plotly.css":
        assert named == []  # Plotly adds its own rules outside any layer
    else:
        assert len(named) == 1
        assert named[0] in LAYERS
    if sheet.name == "reset.css":
        assert re.search(r"@layer ([^;{]+);", text)[1].split(", ") == LAYERS  # type: ignore[index]


def test_it_has_a_rule_for_each_class_of_the_templates() -> None:
    """A class without any rule or script is a slip of the pen."""
    css = " ".join(sheet.read_text() for sheet in SHEETS)
    js = " ".join(script.read_text() for script in SCRIPTS)
    styled = set(re.findall(r"\.([a-zA-Z][\w-]*)", css))
    used = set()
    for source in (STATIC.parent / "templates").rglob("*.html"):
        if "drf_spectacular" in source.parts:
            continue
        text = re.sub(r"\{[%{#].*?[%}#]\}", " ", source.read_text())
        for value in re.findall(r'class="([^"]*)"', text):
            used |= set(re.findall(r"(?<![\w-])[a-z][\w-]*", value))
    assert sorted(name for name in used - styled if name not in js) == []


def test_it_stops_what_moves_when_asked() -> None:
    """Reduced motion stops every animation; the state stays readable from glyph and word."""
    css = " ".join(sheet.read_text() for sheet in SHEETS)
    moving = set(re.findall(r"([.\w-]+)[^{}]*\{[^{}]*animation: (?!none)", css))
    still = re.search(
        r"prefers-reduced-motion: reduce\) \{\s*(\.dot--live.*?)\{ animation: none", css, re.DOTALL
    )
    assert still
    for selector in moving:
        last = selector.split(" ")[-1]
        assert last in still[1] or "is-new" in selector or last in (".feed", ".table"), selector


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_it_keeps_scripts_small_and_plain(script: Path) -> None:
    """At most 150 lines, no evaluation of text, imports that exist."""
    text = script.read_text()
    assert len(text.splitlines()) <= 150
    assert not re.search(r"\beval\(|new Function|document\.write|setAttribute\(\"style\"", text)
    for path in re.findall(r'from "(\./[^"]+)"|import "(\./[^"]+)"', text):
        assert (script.parent / (path[0] or path[1])).is_file()


def test_it_sends_no_reader_elsewhere() -> None:
    """Neither style nor script names another host."""
    for path in [*SHEETS, *SCRIPTS]:
        assert not re.search(
            r"(?:https?:)?//(?!\w*\$)[a-z0-9-]+\.[a-z]{2,}",
            re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE),
        ), path.name
