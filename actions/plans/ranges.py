"""What an approver may change of a plan's step before it runs, and within which range [A4]. Pure.

    editable: {seconds: {min: 60, max: 3600}, body.queue: {one_of: [slow, fast]}}

A name with dots goes into objects; what it names must stand in the step's `with`, within the range.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number from `min` to `max`, or one of some texts."""

    min: int | float | None = None
    max: int | float | None = None
    one_of: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[Any, ...]:
        """What accepts these accepts the whole range."""
        return self.one_of or (self.min, self.max)

    @property
    def words(self) -> str:
        if self.one_of:
            return ", ".join(self.one_of)
        return f"{_figure(self.min)} to {_figure(self.max)}"

    def read(self, given: Any) -> Any:
        """`given`, maybe from a form, as a value of the range. ValueError says what is allowed."""
        if self.one_of:
            if given not in self.one_of:
                raise ValueError(f"Allowed: {self.words}.")
            return given
        try:
            number = msgspec.convert(given, int | float, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"A number from {self.words}.") from error
        if isinstance(given, bool) or not self._reaches(number):
            raise ValueError(f"Allowed: {self.words}.")
        return number

    def is_sound(self) -> bool:
        """Whether it is either a span of numbers or a choice of texts without references."""
        if self.one_of:
            plain = not any("${" in text for text in self.one_of)
            return plain and self.min is None and self.max is None
        if self.min is None or self.max is None:
            return False
        return math.isfinite(self.min) and math.isfinite(self.max) and self.min <= self.max

    def _reaches(self, number: float) -> bool:
        assert self.min is not None
        assert self.max is not None
        return self.min <= number <= self.max  # not NaN


def _figure(number: float | None) -> str:
    return f"{number:,}"


def value_at(parameters: Mapping[str, Any], name: str) -> Any:
    """The value that `name`, with dots, names; None where there is none."""
    value: Any = parameters
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def put(parameters: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """`parameters` with another value at `name`, which names one of them."""
    first, _, rest = name.partition(".")
    return {**parameters, first: put(parameters[first], rest, value) if rest else value}


def mistakes(
    editable: Mapping[str, Range], parameters: Mapping[str, Any], path: str
) -> Iterator[tuple[str, str]]:
    """What is wrong with the ranges of a step, but for what its kind accepts."""
    for name, allowed in editable.items():
        value = value_at(parameters, name)
        if value is None:
            yield f"{path}.{name}", "The step's `with` has no such value."
        elif not allowed.is_sound():
            yield f"{path}.{name}", "Either min and max, two numbers, or one_of, plain texts."
        else:
            try:
                allowed.read(value)
            except ValueError as error:
                yield f"{path}.{name}", f"What stands in `with` is outside. {error}"
