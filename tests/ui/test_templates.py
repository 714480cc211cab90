"""Every page, rendered with invented rows: nothing inline, nothing dangling, nothing runs."""

from __future__ import annotations

import html
import re
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
import time_machine
from django.template import Context, engines
from django.test import override_settings
from django.urls import reverse

from tests.ui import cast
from tests.ui.pages import PAGES, render

TEMPLATES = Path(__file__).parents[2] / "templates"
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
LABELS = (
    "aria-labelledby",
    "aria-describedby",
    "aria-controls",
    "for",
    "popovertarget",
    "data-copy",
    "data-source",
)


class Tree(HTMLParser):
    """All tags with their attributes, and whether they close in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.wrong += [f"<{tag} {name}> twice" for name, n in Counter(names).items() if n > 1]
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing here")

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every such tag."""
        return [attrs for name, attrs in self.tags if name == tag]


@lru_cache(maxsize=64)
def tree(name: str, theme: str = "dark") -> Tree:
    """A page, parsed."""
    return Tree(render(name, theme))


@pytest.fixture(params=sorted(PAGES))
def page(request: pytest.FixtureRequest) -> str:
    """The name of a page."""
    return str(request.param)


def test_it_is_well_formed(page: str) -> None:
    """Tags close in order and no attribute stands twice."""
    assert tree(page).wrong == []
    assert tree(page).open == []


def test_it_has_nothing_inline(page: str) -> None:
    """A strict Content-Security-Policy refuses inline styles, scripts and handlers."""
    for tag, attrs in tree(page).tags:
        assert tag != "style"
        assert not [name for name in attrs if name == "style" or name.startswith("on")], (
            tag,
            attrs,
        )
        assert not [name for name in attrs if name.startswith("hx-on")], (tag, attrs)
        if tag == "script":
            assert attrs.get("src") or attrs.get("type") == "application/json", attrs
        for name in ("href", "src", "action"):
            assert not attrs.get(name, "").startswith(
                ("javascript:", "data:", "http:", "https:", "//")
            )


def test_it_has_unique_ids_and_no_dangling_reference(page: str) -> None:
    """An id stands once; whatever names an id names one that is there."""
    ids = [attrs["id"] for _, attrs in tree(page).tags if "id" in attrs]
    assert [value for value, n in Counter(ids).items() if n > 1] == []
    for tag, attrs in tree(page).tags:
        for name in LABELS:
            for value in attrs.get(name, "").split():
                assert value in ids, (tag, name, value)
        if tag == "use":
            assert attrs["href"].removeprefix("#") in ids, attrs


def test_it_names_what_can_be_used(page: str) -> None:
    """Every field has a label, every button with a glyph alone a name, every picture a text."""
    found = tree(page)
    labelled = {attrs["for"] for attrs in found.all("label") if "for" in attrs}
    inside = set(
        re.findall(r"<label[^>]*>(?:(?!</label>).)*?name=\"(\w+)\"", render(page), re.DOTALL)
    )
    for tag in ("input", "select", "textarea"):
        for attrs in found.all(tag):
            if attrs.get("type") == "hidden":
                continue
            named = (
                attrs.get("id") in labelled or "aria-label" in attrs or attrs.get("name") in inside
            )
            assert named, attrs
    for attrs in found.all("button"):
        if "btn--icon" in attrs.get("class", ""):
            assert attrs.get("aria-label"), attrs
    for tag, attrs in found.tags:
        if attrs.get("role") == "img":
            assert attrs.get("aria-label"), (tag, attrs)


def test_it_has_its_landmarks(page: str) -> None:
    """One main, one first heading, a language, a theme, a title."""
    found = tree(page)
    assert len(found.all("main")) == 1
    assert len(found.all("h1")) == 1 or page == "overview-first-run"
    assert found.all("html")[0]["lang"] == "en"
    assert len(found.all("title")) == 1
    navs = [attrs.get("aria-label") for attrs in found.all("nav")]
    assert all(navs)
    assert len(navs) == len(set(navs))


def test_it_posts_with_a_token(page: str) -> None:
    """Every POST form carries the CSRF token and a real address."""
    html = render(page)
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", html, re.DOTALL):
        assert "csrfmiddlewaretoken" in form
        assert re.search(r'action="/[^"]*"', form), form[:200]


@pytest.mark.parametrize("page", [name for name in PAGES if name.endswith("hostile")])
def test_it_shows_a_senders_markup_as_text(page: str) -> None:
    """Titles, vendors, signatures, payloads and comments of a sender never become markup."""
    found = tree(page)
    assert found.all("img") == []
    assert all("alert" not in attrs.get("src", "") for attrs in found.all("script"))
    assert "&lt;script&gt;alert(1)" in render(page)


@pytest.mark.parametrize("theme", ["dark", "light", "auto", 'neon"><script>'])
def test_it_takes_the_theme_from_the_cookie(theme: str) -> None:
    """Only the three known themes reach the page; anything else is the default."""
    chosen = Tree(render("overview", theme)).all("html")[0]["data-theme"]
    assert chosen == (theme if theme in ("dark", "light", "auto") else "dark")


def test_it_marks_the_current_page() -> None:
    """The rail and the tab bar mark the same one page."""
    for page, title in [
        ("overview", "Overview"),
        ("incident", "Incidents"),
        ("approvals", "Approvals"),
        ("actions", "Actions"),
        ("recoveries", "Recoveries"),
        ("safety", "Safety"),
    ]:
        marked = [attrs for attrs in tree(page).all("a") if attrs.get("aria-current") == "page"]
        assert title in [attrs.get("title") for attrs in marked], page
        assert len([attrs for attrs in marked if "title" in attrs]) == 1


def _acts_of(page: str, role: str) -> list[str]:
    found = Tree(render(page, role=role))
    asked = [attrs["href"] for attrs in found.all("a") if "data-ask" in attrs]
    return asked + [attrs.get("action", "") for attrs in found.all("form")]


def test_it_shows_a_viewer_no_dead_button() -> None:
    """A viewer reads everything, finds no act, and is told who may give the role."""
    for page in (
        "approvals",
        "safety-viewer",
        "switch-viewer",
        "incident-viewer",
        "recovery-viewer",
    ):
        assert [
            act
            for act in _acts_of(page, "viewer")
            if re.search(
                r"approve|reject|stop\b|breaker|skipped|extend|resume|resolve|assign|undo", act
            )
        ] == [], page
    assert "Anna Berg can give you the responder role" in render("approvals", role="viewer")
    assert "Anna Berg can give you the responder role" in render("incident-viewer")
    assert "Anna Berg can give you the responder role" in render("safety-viewer")
    assert "Anna Berg can give you the responder role" in render("recovery-viewer")


ROWS = {
    "incidents/_row.html": lambda: {"incident": cast.incidents()[0]},
    "actions/_row.html": lambda: {"action": cast.action(cast.incidents()[0], "verifying")},
    "recoveries/_row.html": lambda: {"recovery": cast.recovery(cast.incidents()[0], "verifying")},
    "actions/_approval_card.html": lambda: {
        "action": cast.action(cast.incidents()[2], "waiting"),
        "threshold": 0.8,
    },
    "actions/_approval_head.html": lambda: {"action": cast.action(cast.incidents()[2], "waiting")},
    "partials/_feed_line.html": lambda: {"entry": cast.timeline(cast.incidents()[0])[0]},
    "incidents/_timeline_entry.html": lambda: {"entry": cast.timeline(cast.incidents()[0])[0]},
}


@pytest.mark.parametrize("name", ROWS)
def test_it_renders_a_pushed_row_like_the_pages(name: str) -> None:
    """A push has no request and no reader: the row alone is what stands in the page."""
    template = engines["django"].engine.get_template(name)  # type: ignore[attr-defined]
    now = datetime.now(UTC)  # one moment for both: a countdown's text is its own every second
    with override_settings(ROOT_URLCONF="tests.ui.urls"), time_machine.travel(now, tick=False):
        alone = template.render(Context(ROWS[name]()))
        as_admin = template.render(
            Context({**ROWS[name](), "shell": cast.shell("admin"), "user": cast.ANNA})
        )
    assert alone == as_admin
    assert "<form" not in alone
    assert "<button" not in alone


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("retry", "verifying", "The workflow's engine took it. Watching the workflow's own events"),
        ("codebuild", "sending", "On its way to CodeBuild, sent at most once."),
        ("codebuild", "verifying", "CodeBuild took it. Under way, until"),
        ("http", "unknown", "The service is asked whether it took it; it is not sent again."),
        ("wait", "verifying", "Under way, until"),
        ("notify", "sending", "Being done, at most once."),
    ],
)
def test_it_says_who_has_an_action_by_its_kind(kind: str, status: str, words: str) -> None:
    """An engine runs retries; what else is done goes to whom its kind names."""
    row = cast.action(cast.incidents()[0], status)
    row.kind = kind
    template = engines["django"].engine.get_template("actions/_status_note.html")  # type: ignore[attr-defined]
    assert words in html.unescape(template.render(Context({"action": row})))


def _templates() -> list[Path]:
    others = {"drf_spectacular", "admin"}  # overrides of templates of packages
    return sorted(
        p for p in TEMPLATES.rglob("*.html") if p.relative_to(TEMPLATES).parts[0] not in others
    )


def test_it_states_the_context_of_each_template() -> None:
    """Each says on its first line what it is given; only the page that stands alone does not."""
    silent = [
        str(path.relative_to(TEMPLATES))
        for path in _templates()
        if not path.read_text().startswith("{# context:")
    ]
    assert silent == ["errors/500.html"]


def test_it_links_only_to_what_the_application_has() -> None:
    """Every URL name of the templates resolves in the real URL table, as in the preview's."""
    tags = {
        (name, bool(argument.strip()))
        for path in _templates()
        for name, argument in re.findall(
            r"{%\s*url ['\"]([\w:]+)['\"](.*?)(?: as \w+)?\s*%}", path.read_text()
        )
    }
    names = {
        (n, False) for p in _templates() for n in re.findall(r'with name="([\w:]+)"', p.read_text())
    }
    assert len(tags) > 20
    for name, takes_id in sorted(tags | names):
        arguments = [cast.uid(1)] if takes_id else []
        assert reverse(name, args=arguments)
        assert reverse(name, urlconf="tests.ui.urls", args=arguments)


def test_it_keeps_partials_small() -> None:
    """A partial has at most 40 lines."""
    long = [
        str(p)
        for p in _templates()
        if p.name.startswith("_") and len(p.read_text().splitlines()) > 40
    ]
    assert long == []


def test_it_shows_the_last_page_without_any_help() -> None:
    """The 500 page uses no tag, no context and no hashed name: it must work when all else fails."""
    source = (TEMPLATES / "errors/500.html").read_text()
    assert "{%" not in source
    assert "{{" not in source
    for path in re.findall(r'href="/static/([^"]+)"', source):
        assert (TEMPLATES.parent / "static" / path).is_file()
