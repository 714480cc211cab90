"""The documentation as a set of pages: links, sizes, forms, and that each can be found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, PROJECT, every_page, links, pictures

PAGES = every_page()


def name_of(page: Path) -> str:
    return str(page.relative_to(PROJECT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_it_links_to_what_is_there(page: Path) -> None:
    for target in links(page.read_text()):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        assert not anchor, f"{target}: link to the page, headings change"
        assert (page.parent / path).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_it_shows_pictures_that_are_made_here(page: Path) -> None:
    """`make screenshots` writes them; none comes from another site."""
    for target in pictures(page.read_text()):
        assert (page.parent / target).resolve().parent == DOCS / "images", target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_it_keeps_pages_short(page: Path) -> None:
    lines = len(page.read_text().splitlines())
    assert lines <= (31 if page.parent.name == "decisions" and page.name != "README.md" else 150)


def test_every_page_can_be_found() -> None:
    """From the README, by links alone."""
    seen: set[Path] = set()
    todo = [PROJECT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        local = [t for t in links(page.read_text()) if not re.match(r"https?://", t)]
        found = [(page.parent / target).resolve() for target in local]
        todo += [place / "README.md" if place.is_dir() else place for place in found]
    assert set(PAGES) <= seen


def test_every_decision_has_its_parts() -> None:
    decisions = sorted((DOCS / "decisions").glob("0*.md"))
    numbers = [page.name[:4] for page in decisions]
    assert numbers == sorted(set(numbers))
    index = (DOCS / "decisions" / "README.md").read_text()
    for page in decisions:
        headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], page.name
        [title] = re.findall(r"^# \d+\. (.+)$", page.read_text(), re.MULTILINE)
        assert f"({page.name}) | {title} |" in index


def test_the_first_words_of_a_page_are_its_title() -> None:
    for page in PAGES:
        assert page.read_text().startswith("# "), page
