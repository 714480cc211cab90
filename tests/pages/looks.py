"""What a person sees on an answer: the text of its main part, its forms, its messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, TypeAlias

from django.contrib.messages import get_messages

# What the test client returns has more than any response class says.
Answer: TypeAlias = Any


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str]


class _Reader(HTMLParser):
    """Collects the text, the forms and the links inside `<main>`."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0
        self.hidden = 0
        self.words: list[str] = []
        self.forms: list[Form] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inside += tag == "main"
        self.hidden += tag in ("script", "style")
        if not self.inside:
            return
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get"), {}))
        elif tag in ("input", "select", "textarea", "button") and given.get("name") and self.forms:
            self.forms[-1].fields.setdefault(given["name"], given.get("value", ""))
        elif tag == "a":
            self.links.append(given.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag == "main"
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if self.inside and not self.hidden:
            self.words.append(data)


def _read(response: Answer) -> _Reader:
    reader = _Reader()
    reader.feed(response.content.decode())
    return reader


def text_of(response: Answer) -> str:
    """The words of the main part with single spaces."""
    return re.sub(r"\s+", " ", " ".join(_read(response).words)).strip()


def post_forms(response: Answer) -> list[Form]:
    """The forms of the main part that change something."""
    return [form for form in _read(response).forms if form.method == "post"]


def links_of(response: Answer) -> list[str]:
    return _read(response).links


def told(response: Answer) -> list[tuple[str, str]]:
    """What the next page will say: (level, text)."""
    messages = get_messages(response.wsgi_request)
    return [(message.level_tag, str(message)) for message in messages]
