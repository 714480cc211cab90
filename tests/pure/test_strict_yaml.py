"""YAML as plain data: everything else is refused, with its line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.strict_yaml import MAX_BYTES, StrictYamlError, load
from tests.pure.strategies import many

READ: list[tuple[str, Any]] = [
    ("a: 1\nb: [x, true, false, null, 1.5, 1e3]",
     {"a": 1, "b": ["x", True, False, None, 1.5, 1000.0]}),
    ("a: no\nb: on\nc: 1:30\nd: 0x10\ne: 007\nf: ~\ng: 2026-01-01",
     {"a": "no", "b": "on", "c": "1:30", "d": "0x10", "e": "007", "f": "~", "g": "2026-01-01"}),
    ("a: '1'\nb: \"true\"\nc: |\n  x\n  y\n", {"a": "1", "b": "true", "c": "x\ny\n"}),
    ("", None),
    ("# nothing", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ, ids=range(len(READ)))
def test_it_reads_plain_data(text: str, value: Any) -> None:
    assert load(text).value == value


REFUSED = [
    ("a: &x 1", 1, "Anchors and aliases are not allowed."),
    ("a: 1\nb: *x", 2, "Anchors and aliases are not allowed."),
    ("a: !!python/object:os.system x", 1, "Tags are not allowed."),
    ("a: !!int 1", 1, "Tags are not allowed."),
    ("a: 1\nb:\n  c: 1\n  c: 2", 4, "The key 'c' stands here twice."),
    ("a: 1\n---\nb: 1", 2, "but found another document"),
    ("? [a]\n: 1", 1, "A key must be text."),
    ("a: [", 1, "Not YAML"),
    ("[" * 30_000, 1, "More than 20 levels."),
    ("- " * 30_000, 1, "More than 20 levels."),
    ("a: \x00", 0, "Contains a character that YAML does not allow."),
    ("a: \ud800", 0, "Contains a character that YAML does not allow."),
    ("#" * (MAX_BYTES + 1), 0, "Longer than 64 KiB."),
    ("ä" * (MAX_BYTES // 2 + 1), 0, "Longer than 64 KiB."),
]


@pytest.mark.parametrize(("text", "line", "message"), REFUSED, ids=range(len(REFUSED)))
def test_it_refuses_the_rest_and_says_where(text: str, line: int, message: str) -> None:
    with pytest.raises(StrictYamlError) as caught:
        load(text)
    assert caught.value.line == line
    assert message in caught.value.message


def test_it_knows_the_line_of_every_value() -> None:
    lines = load("a:\n  - b: 1\n  - b: 2\nc: 3").lines
    assert (lines["a[1].b"], lines["c"]) == (3, 4)


@many
@given(st.text(max_size=200))
def test_it_answers_any_text_with_data_or_a_mistake(text: str) -> None:
    try:
        value = load(text).value
    except StrictYamlError as error:
        assert error.message
    else:
        assert isinstance(value, str | int | float | bool | dict | list | None)
