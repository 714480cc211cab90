"""The language in which a list of incidents is asked for: `status:open -vendor:stripe "timed out"`.

`parse` reads any text and never raises: what it cannot read it tells as mistakes, with their place
and, where there is one, what was probably meant. `Query.text` writes the one canonical text back:
`parse(query.text).query == query`. The chips of the query bar change a `Query`, so that what they
say and what can be typed are the same thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

MOST_CHARS = 500
ME, NONE = "me", "none"
WORDS = ""  # the key of a term that is searched for in the text of incidents


@dataclass(frozen=True)
class Key:
    """`values`: the only ones there are, if they are known; `span`: a time back from now."""

    name: str
    label: str
    values: tuple[str, ...] = ()
    span: bool = False


STATUSES = ("open", "snoozed", "new", "analyzing", "actioned", "resolved", "ignored")
RECOVERIES = (
    "waiting",
    "running",
    "verifying",
    "blocked",
    "failed",
    "escalated",
    "recovered",
    NONE,
)
_ALL = (
    Key("status", "Status", STATUSES),
    Key("severity", "Severity", ("critical", "high", "medium", "low")),
    Key("recovery", "Recovery", RECOVERIES),
    Key("workflow", "Workflow"),
    Key("vendor", "Vendor"),
    Key("category", "Category"),
    Key("owner", "Owner"),
    Key("seen", "Seen in", span=True),
    Key("resolved", "Resolved in", span=True),
)
KEYS = {key.name: key for key in _ALL}
# Also understood; the first two were parameters of the URL once.
ALIASES = {"assignee": "owner", "since": "seen", "is": "status"}
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ORDER = {name: place for place, name in enumerate(KEYS)}
_KEY = re.compile(r"([^\W\d][\w.-]*):")
_VALUE = re.compile(r'[^\s",]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SPAN = re.compile(r"([1-9]\d{0,3})([mhdw])")


@dataclass(frozen=True)
class Term:
    """One condition: any of `values`, or (negated) none of them; for WORDS it is one text."""

    key: str
    values: tuple[str, ...]
    negated: bool = False

    @property
    def text(self) -> str:
        sign = "-" if self.negated else ""
        if self.key == WORDS:
            return sign + _quoted(self.values[0], r'[^\s"-]\S*')
        return f"{sign}{self.key}:{','.join(_quoted(v, _VALUE.pattern) for v in self.values)}"


@dataclass(frozen=True)
class Query:
    """Terms that all hold, in canonical order: each key once and once negated, then the words."""

    terms: tuple[Term, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(term.text for term in self.terms)

    @property
    def words(self) -> str:
        """What is searched for, as text of a query."""
        return " ".join(term.text for term in self.terms if term.key == WORDS)

    def values(self, key: str, *, negated: bool = False) -> tuple[str, ...]:
        """The values of that key; empty: any."""
        return next((t.values for t in self.terms if (t.key, t.negated) == (key, negated)), ())

    def having(self, key: str, *values: str, negated: bool = False) -> Query:
        """The same with these values of the key in place of the present ones."""
        others = [t for t in self.terms if (t.key, t.negated) != (key, negated)]
        return query_of([*others, Term(key, values, negated)])

    def without(self, term: Term) -> Query:
        return Query(tuple(other for other in self.terms if other != term))

    def without_key(self, key: str) -> Query:
        return Query(tuple(term for term in self.terms if term.key != key))

    def toggled(self, key: str, value: str) -> Query:
        """With the value of the key, or without it where it was asked for."""
        now = self.values(key)
        if KEYS[key].span:
            return self.having(key, *(() if value in now else (value,)))
        left = tuple(v for v in now if v != value)
        return self.having(key, *(left if value in now else (*now, value)))


DEFAULT = Query((Term("status", ("open",)),))


@dataclass(frozen=True)
class Mistake:
    """What cannot be read: from character `at` (0 is the first) for `length`; `instead`: the whole
    text with what was probably meant, or nothing."""

    at: int
    length: int
    detail: str
    meant: str = ""
    instead: str = ""


@dataclass(frozen=True)
class Reading:
    """A text, read. `query` holds what could be read; it is meant only without mistakes."""

    query: Query
    mistakes: tuple[Mistake, ...] = ()


def query_of(terms: list[Term]) -> Query:
    """The terms in canonical order; those of one key and sign are one, values once and sorted."""
    found: dict[tuple[str, bool], set[str]] = {}
    words: list[Term] = []
    for term in terms:
        if term.key != WORDS:
            found.setdefault((term.key, term.negated), set()).update(term.values)
        elif term not in words:
            words.append(term)
    keyed = [
        Term(key, tuple(sorted(values, key=_place(key))), negated)
        for (key, negated), values in found.items()
        if values
    ]
    keyed.sort(key=lambda term: (_ORDER[term.key], term.negated))
    return Query((*keyed, *words))


def _place(key: str) -> Callable[[str], tuple[int, str]]:
    known = KEYS[key].values
    return lambda value: (known.index(value) if value in known else len(known), value)


def parse(text: str) -> Reading:
    """Read any text."""
    if len(text) > MOST_CHARS:
        detail = f"A query has at most {MOST_CHARS} characters; this one has {len(text)}."
        return Reading(Query(), (Mistake(MOST_CHARS, len(text) - MOST_CHARS, detail),))
    if "\x00" in text:
        return Reading(Query(), (Mistake(text.index("\x00"), 1, "This is no text."),))
    reader = _Reader(text)
    terms = list(reader.terms())
    return Reading(query_of(terms), tuple(reader.mistakes))


def span_of(value: str) -> timedelta:
    """`90m`, `24h`, `7d`, `2w` as a time."""
    number, unit = value[:-1], value[-1]
    return timedelta(**{UNITS[unit]: int(number)})


def of_parameters(parameters: Mapping[str, str]) -> str:
    """The text for a URL of the time when each filter was a parameter: `?status=&severity=high`."""
    parts = []
    for name in (*ALIASES, *KEYS):
        key, default = ALIASES.get(name, name), "open" if name == "status" else ""
        value = parameters.get(name, default).strip()
        if not value:
            continue
        values = value.split(",") if KEYS[key].values else [value]
        parts.append(Term(key, tuple(v.strip() for v in values)).text)
    return " ".join([*parts, parameters.get("q", "").strip()]).strip()


def _quoted(value: str, bare: str) -> str:
    if re.fullmatch(bare, value) and not (bare != _VALUE.pattern and _KEY.match(value)):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Reader:
    """Goes through the text once; `at` is always the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.mistakes: list[Mistake] = []
        self.spans: set[tuple[str, bool]] = set()

    def terms(self) -> Iterator[Term]:
        while match := re.compile(r"\S").search(self.text, self.at):
            self.at = match.start()
            negated = bool(re.compile(r"-\S").match(self.text, self.at))
            self.at += negated
            key = _KEY.match(self.text, self.at)
            term = self._keyed(key, negated) if key else self._words(negated)
            if term:
                yield term

    def _words(self, negated: bool) -> Term | None:
        if self.text[self.at] == '"':
            value = self._quote()
            return Term(WORDS, (value,), negated) if value else None
        word = re.compile(r"\S+").match(self.text, self.at)
        assert word  # there is a character, and it is no space
        self.at = word.end()
        return Term(WORDS, (word[0],), negated)

    def _keyed(self, found: re.Match[str], negated: bool) -> Term | None:
        start, name = found.start(1), found[1].lower()
        key = KEYS.get(ALIASES.get(name, name))
        self.at = found.end()
        values = list(self._values(found[0]))
        if key is None:
            near = _nearest(name, (*KEYS, *ALIASES))
            detail = f"There is no filter “{found[1]}”; words with a colon stand in quotes."
            self._tell(start, len(found[1]), detail, near)
            return None
        good = [value for at, text in values if (value := self._known(key, at, text))]
        if key.span and good:
            if len(good) > 1 or (key.name, negated) in self.spans:
                self._tell(start, self.at - start, f"{key.name} takes one time, such as 24h.")
                return None
            self.spans.add((key.name, negated))
        return Term(key.name, tuple(good), negated) if good else None

    def _values(self, name: str) -> Iterator[tuple[int, str]]:
        """(place, text) of each value up to the next space."""
        while True:
            at = self.at
            if self.text.startswith('"', at):
                value = self._quote()
            else:
                bare = _VALUE.match(self.text, at)
                value = bare[0] if bare else ""
                self.at = bare.end() if bare else at
                if not bare:
                    self._tell(at, 1, f"A value is missing after “{name}”.")
            if value:
                yield at, value
            if not self.text.startswith(",", self.at):
                return
            self.at += 1

    def _quote(self) -> str:
        """The text in the quotes that begin here; empty after a mistake."""
        start = self.at
        found = _QUOTED.match(self.text, start)
        if not found:
            self.at = len(self.text)
            self._tell(start, self.at - start, "This quote has no end.", self.text[start:] + '"')
            return ""
        self.at = found.end()
        if not found[1].strip():
            self._tell(start, self.at - start, "There is nothing in these quotes.")
            return ""
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)

    def _known(self, key: Key, at: int, text: str) -> str:
        value = text.lower() if key.values or key.span else text
        if key.span and not _SPAN.fullmatch(value):
            self._tell(at, len(text), f"“{text}” is no time back from now, such as 90m, 24h or 7d.")
        elif key.values and value not in key.values:
            near = _nearest(value, key.values)
            words = "" if near else f" There are {', '.join(key.values)}."
            self._tell(at, len(text), f"“{text}” is no {key.name}.{words}", near)
        else:
            return value
        return ""

    def _tell(self, at: int, length: int, detail: str, meant: str = "") -> None:
        instead = self.text[:at] + meant + self.text[at + length :] if meant else ""
        self.mistakes.append(Mistake(at, length, detail, meant, instead))


def _nearest(word: str, offered: tuple[str, ...]) -> str:
    return next(iter(get_close_matches(word.lower(), offered, n=1, cutoff=0.5)), "")
