"""Typed, bounded reading of one mapping of a rule file; mistakes are collected, not raised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

Choice = TypeVar("Choice", bound=str)

MAX_ERRORS = 100


@dataclass(frozen=True, slots=True)
class RuleError:
    """One mistake. `path` like `error_codes.card_declined.severity`; `line` 0 if not known."""

    file: str
    path: str
    message: str
    line: int = 0


@dataclass
class Mistakes:
    """The mistakes of one file; from the 100th on they are not noted any more."""

    file: str
    lines: dict[str, int] = field(default_factory=dict)
    errors: list[RuleError] = field(default_factory=list)

    def add(self, path: str, message: str) -> None:
        if len(self.errors) < MAX_ERRORS:
            line = self.lines.get(path) or self.lines.get(path.rpartition(".")[0], 0)
            self.errors.append(RuleError(self.file, path, message, line))


class Fields:
    """The keys of one mapping. Each read takes its key; `done` reports those nobody read.

    Every method returns a value of its type: the default (or a neutral value) after a mistake.
    """

    def __init__(self, value: Any, path: str, mistakes: Mistakes) -> None:
        self.path, self.mistakes = path, mistakes
        self.readable = isinstance(value, dict)
        self._left: dict[str, Any] = dict(value) if isinstance(value, dict) else {}
        if not self.readable:
            mistakes.add(path, f"Expected a mapping, found {_kind(value)}.")

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def peek(self, key: str) -> Any:
        """The raw value, left in place."""
        return self._left.get(key)

    def drop(self, key: str) -> None:
        """Take the key unread."""
        self._left.pop(key, None)

    def wrong(self, key: str, message: str) -> None:
        self.mistakes.add(f"{self.path}.{key}" if self.path else key, message)

    def text(self, key: str, default: str | None = None, longest: int = 300) -> str:
        """Text of 1 to `longest` characters; without a default the key is required."""
        value = self._take(key, default)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.wrong(key, f"Expected text, found {_kind(value)}.")
            return ""
        text = value.strip()
        if not text and default is None:
            self.wrong(key, "Must not be empty.")
        elif len(text) > longest:
            self.wrong(key, f"Longer than {longest} characters.")
        elif not all(char.isprintable() or char == "\n" for char in text):
            self.wrong(key, "Contains a control character.")
        return text

    def choice(
        self, key: str, choices: tuple[Choice, ...], default: Choice | None = None
    ) -> Choice:
        value = self._take(key, default)
        for choice in choices:
            if value == choice:
                return choice
        if value is not None:
            self.wrong(key, f"Expected one of {', '.join(choices)}.")
        return choices[-1] if default is None else default

    def flag(self, key: str, default: bool) -> bool:
        value = self._take(key, default)
        if isinstance(value, bool):
            return value
        self.wrong(key, f"Expected true or false, found {_kind(value)}.")
        return default

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A number with `low` ≤ it ≤ `high`; infinity and NaN are outside of any limits."""
        value = self._take(key, default)
        neutral = low if default is None else default
        if value is None:
            return neutral
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(key, f"Expected a number, found {_kind(value)}.")
            return neutral
        if not low <= value <= high:
            self.wrong(key, f"Must be between {low:g} and {high:g}.")
            return neutral
        return float(value)

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._left.get(key)
        if isinstance(value, float):
            self._left.pop(key)
            self.wrong(key, "Expected a whole number.")
            return low if default is None else default
        return int(self.number(key, low, high, default))

    def ratio(self, key: str, default: float, when_true: float) -> float:
        """A share from 0 to 1; `false` is 0 and `true` is `when_true`."""
        if isinstance(self._left.get(key), bool):
            return when_true if self.flag(key, True) else 0.0
        return self.number(key, 0.0, 1.0, default)

    def instant(self, key: str) -> datetime | None:
        """An instant in ISO 8601 with its offset from UTC; None if there is none."""
        text = self.text(key, "") if key in self else ""
        if not text:
            return None
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            self.wrong(key, "Expected a time with its offset, as 2026-03-01T12:00:00+00:00.")
            return None
        return instant

    def mapping(self, key: str) -> Fields:
        """The mapping under `key`; an empty one, and a mistake, if there is none."""
        value = self._take(key, None)
        inner = f"{self.path}.{key}" if self.path else key
        return Fields({} if value is None else value, inner, self.mistakes)

    def items(self, key: str) -> Iterator[Fields]:
        """The mappings in the list under `key`."""
        value = self._take(key, None)
        if isinstance(value, list):
            for index, item in enumerate(value):
                inner = f"{self.path}.{key}" if self.path else key
                yield Fields(item, f"{inner}[{index}]", self.mistakes)
        elif value is not None:
            self.wrong(key, f"Expected a list, found {_kind(value)}.")

    def entries(self) -> Iterator[tuple[str, Fields]]:
        """Every key with the mapping under it."""
        for key in list(self._left):
            yield key, self.mapping(key)

    def done(self) -> None:
        for key in self._left:
            self.wrong(key[:64], "Unknown key.")

    def _take(self, key: str, default: Any) -> Any:
        value = self._left.pop(key, None)
        if value is None:
            if default is None and self.readable:
                self.wrong(key, "Is missing.")
            return default
        return value


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}
    if value is None:
        return "nothing"
    return names.get(type(value), "a number")
