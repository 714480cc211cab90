"""Whom a comment names: `@` and a member's user name [I6]. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

# As Django allows user names; not the middle of a mail address.
_AT = re.compile(r"(?<![\w.@+-])@([\w.@+-]{1,150})")
_END_OF_SENTENCE = ".@+-"


@dataclass(frozen=True)
class Piece:
    """A part of a comment as it was typed; `name`: the user name of the member it names, or ""."""

    text: str
    name: str = ""


def pieces(text: str, names: Collection[str]) -> list[Piece]:
    """The whole text in pieces, in order; of what follows an @, only `names` are names.

    A name may be typed in any case where that leaves no doubt, and with what ends a sentence after.
    """
    found: list[Piece] = []
    at = 0
    for start, end, name in _named(text, names):
        if start > at:
            found.append(Piece(text[at:start]))
        found.append(Piece(text[start:end], name))
        at = end
    return found + ([Piece(text[at:])] if at < len(text) else [])


def named_in(text: str, names: Collection[str]) -> list[str]:
    """Those of `names` that the text names, each once, in order."""
    return list(dict.fromkeys(piece.name for piece in pieces(text, names) if piece.name))


def _named(text: str, names: Collection[str]) -> Iterator[tuple[int, int, str]]:
    folded: dict[str, set[str]] = {}
    for name in names:
        folded.setdefault(name.casefold(), set()).add(name)
    for match in _AT.finditer(text):
        word = match[1]
        while word:
            alike = folded.get(word.casefold(), set())
            name = word if word in alike else next(iter(alike)) if len(alike) == 1 else ""
            if name:
                yield match.start(), match.start() + 1 + len(word), name
                break
            word = word[:-1] if word[-1] in _END_OF_SENTENCE else ""
