"""A JSON document as indented text with its tokens marked, for `<pre>`; everything is escaped."""

from __future__ import annotations

import json
import re
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

LIMIT_CHARACTERS = 20_000
_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\btrue\b|\bfalse\b|\bnull\b)"
)
_CLASS = {"key": "jk", "text": "js", "number": "jn"}
_MASKED = re.compile(r"\[(?:masked|scrubbed|redacted)", re.IGNORECASE)


def render(value: Any) -> SafeString:
    """`value` as marked JSON; what is longer than the limit is cut and says so."""
    text = json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    cut = len(text) > LIMIT_CHARACTERS
    text = text[:LIMIT_CHARACTERS]
    parts: list[str] = []
    at = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "text"
        css = "jx" if kind == "text" and _MASKED.search(match.group()) else _CLASS[kind]
        parts.append(escape(text[at : match.start()]))
        parts.append(f'<span class="{css}">{escape(match.group())}</span>')
        at = match.end()
    parts.append(escape(text[at:]))
    if cut:
        parts.append("\n… cut here, the API has the whole document")
    return mark_safe("".join(parts))  # noqa: S308  (each part is escaped above)
