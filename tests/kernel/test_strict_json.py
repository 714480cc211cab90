"""JSON that passes can be stored and shown as it was sent; nothing else passes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awfdrs_site.kernel.problem import ECHO_CHARS, Problem
from awfdrs_site.kernel.strict_json import (
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_NODES,
    InvalidJSON,
    TooManyNodes,
    UnstorableValue,
    decode,
    decode_or_problem,
)


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_it_counts_depth_by_containers() -> None:
    assert decode(_nested(MAX_DEPTH)) == json.loads(_nested(MAX_DEPTH))
    assert decode(b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH)
    with pytest.raises(InvalidJSON, match="deeper"):
        decode(_nested(MAX_DEPTH + 1))
    with pytest.raises(InvalidJSON, match="deeper"):
        decode(_nested(1_000_000))


def test_it_counts_every_value() -> None:
    assert len(decode(json.dumps([0] * (MAX_NODES - 1)).encode())) == MAX_NODES - 1
    with pytest.raises(TooManyNodes):
        decode(json.dumps([0] * MAX_NODES).encode())
    with pytest.raises(TooManyNodes):
        decode(json.dumps({str(i): 0 for i in range(MAX_NODES)}).encode())


@pytest.mark.parametrize("number", [MAX_INTEGER, -MAX_INTEGER, 0, 1.5, 1e308])
def test_it_takes_numbers_everybody_reads_alike(number: float) -> None:
    assert decode(json.dumps(number).encode()) == number


@pytest.mark.parametrize("text", ["9007199254740993", "-9007199254740993", "1" + "0" * 100_000])
def test_it_refuses_integers_a_browser_would_round(text: str) -> None:
    with pytest.raises(UnstorableValue, match="2"):
        decode(text.encode())


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'"\\u0000"', ""),
        (b'["a", "\\u0000"]', "[1]"),
        (b'{"a": [{"b": "\\ud800"}]}', "a[0].b"),
        (b'{"a": {"\\u0000": 1}}', "a"),
        (b'{"a.b": {"c\\u202e": "\\u0000"}}', "a.b.c\\u202e"),
    ],
)
def test_it_says_where_an_unstorable_value_stands(body: bytes, path: str) -> None:
    with pytest.raises(UnstorableValue) as caught:
        decode(body)
    assert caught.value.path == path


def test_it_says_where_in_few_words_however_long_the_keys_are() -> None:
    """A key of a mebibyte with 4,000 values below it costs neither memory nor a long answer."""
    values = [0] * 4_000
    body = json.dumps({"k" * 1_000_000: [*values, "\x00"]}).encode()
    with pytest.raises(UnstorableValue) as caught:
        decode(body)
    assert len(caught.value.path) <= ECHO_CHARS + len("[4000]")


@pytest.mark.parametrize(
    ("media_type", "accepted"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ('application/json; charset="UTF-8"', True),
        ("application/json; charset=utf8", True),
        ("application/json; charset=", False),
        ("application/json; charset=utf-16", False),
        ("application/json; Charset = latin-1", False),
    ],
)
def test_it_takes_utf_8_alone(media_type: str, accepted: bool) -> None:
    if accepted:
        assert decode_or_problem(b"{}", media_type) == {}
    else:
        with pytest.raises(Problem) as caught:
            decode_or_problem(b"{}", media_type)
        assert caught.value.status == 415


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1)), inner)
    ),
    max_leaves=30,
)


@given(_json)
def test_it_reads_what_a_writer_wrote(value: Any) -> None:
    assert decode(json.dumps(value).encode()) == value
    assert decode(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_it_refuses_by_its_own_errors_alone(body: bytes) -> None:
    try:
        value = decode(body)
    except (InvalidJSON, TooManyNodes, UnstorableValue):
        return
    assert not (isinstance(value, float) and not math.isfinite(value))
    json.dumps(value, allow_nan=False).encode()
