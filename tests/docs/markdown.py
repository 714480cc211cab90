"""Reading our own Markdown: tables, links and code blocks, as plain as we write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text, without the fences."""

    language: str
    text: str


def every_page() -> list[Path]:
    """All pages people read: the READMEs and everything below docs/."""
    return [PROJECT / "README.md", PROJECT / "simulator" / "README.md", *sorted(DOCS.rglob("*.md"))]


def section(page: Path, heading: str) -> str:
    """What stands below `heading`, down to the next heading. Raises AssertionError without one."""
    _, found, rest = page.read_text().partition(f"\n{heading}\n")
    assert found, f"{page.name} has no heading {heading!r}"
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str) -> list[Block]:
    return [Block(language, body) for language, body in _FENCED.findall(text)]


def prose(text: str) -> str:
    """`text` without its fenced blocks."""
    return _FENCED.sub("", text)


def links(text: str) -> list[str]:
    """The targets of all links, without those of pictures."""
    return [target for picture, target in _LINK.findall(prose(text)) if not picture]


def pictures(text: str) -> list[str]:
    return [target for picture, target in _LINK.findall(prose(text)) if picture]


def tables(text: str) -> list[list[list[str]]]:
    """Every table: its rows below the head, each a list of cells."""
    found, rows = [], []
    for line in [*prose(text).splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            found.append(rows[2:])
            rows = []
    return found


def code(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)
