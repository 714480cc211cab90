"""The language of the incident list: whatever is typed is read or told, and written back [U4]."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.listing.query import (
    ALIASES,
    DEFAULT,
    KEYS,
    MOST_CHARS,
    WORDS,
    Query,
    Term,
    of_parameters,
    parse,
    query_of,
    span_of,
)
from incidents.states import IncidentStatus, Recovery
from safety.models import Severity

READ: list[tuple[str, str]] = [
    ("", ""),
    ("   ", ""),
    ("status:open", "status:open"),
    ("STATUS:Open", "status:open"),
    ("severity:high,critical", "severity:critical,high"),
    ("severity:high severity:critical", "severity:critical,high"),
    ("severity:high,high", "severity:high"),
    ("-category:timeout", "-category:timeout"),
    ("-category:b -category:a", "-category:a,b"),
    ('workflow:"order sync",a', 'workflow:a,"order sync"'),
    ('workflow:"plain"', "workflow:plain"),
    ("assignee:me since:1h is:new", "status:new owner:me seen:1h"),
    ("words free", "words free"),
    ("free free", "free"),
    ('"exact words"', '"exact words"'),
    ("-word", "-word"),
    ('-"two words"', '-"two words"'),
    ("-", "-"),
    ("12:30", "12:30"),
    ('"http://x"', '"http://x"'),
    ('5"disk', '5"disk'),
    (r'"a \"b\" \\ c"', r'"a \"b\" \\ c"'),
    ("seen:7d -seen:24h", "seen:7d -seen:24h"),
    ("later vendor:stripe", "vendor:stripe later"),
    ("vendor:none", "vendor:none"),
    ("vendor:Straße", "vendor:Straße"),
]


@pytest.mark.parametrize(("text", "canonical"), READ, ids=[t for t, _ in READ])
def test_it_reads_and_writes_one_canonical_text(text: str, canonical: str) -> None:
    """However it is typed, the same question is the same text, and so the same address."""
    reading = parse(text)
    assert reading.mistakes == ()
    # The lone minus and the quotes around what is a plain word are written so that they read back.
    assert parse(reading.query.text) == reading
    assert reading.query.text == ('"-"' if text == "-" else canonical)


WRONG: list[tuple[str, int, int, str, str]] = [
    ("severity:hihg", 9, 4, "is no severity", "severity:high"),
    ("severity:high,lwo", 14, 3, "is no severity", "severity:high,low"),
    ("status:gone", 7, 4, "is no status", ""),
    ("sevrity:high", 0, 7, "no filter", "severity:high"),
    ("a http://x", 2, 4, "no filter", ""),
    ("-onwer:me", 1, 5, "no filter", "-owner:me"),
    ("severity:", 9, 1, "missing", ""),
    ("severity: high", 9, 1, "missing", ""),
    ("severity:high,", 14, 1, "missing", ""),
    ('vendor:"a', 7, 2, "no end", 'vendor:"a"'),
    ('x "a b', 2, 4, "no end", 'x "a b"'),
    ('vendor:""', 7, 2, "nothing in", ""),
    ('"  "', 0, 4, "nothing in", ""),
    ("seen:yesterday", 5, 9, "no time", ""),
    ("seen:0h", 5, 2, "no time", ""),
    ("seen:99999d", 5, 6, "no time", ""),
    ("seen:1h,2h", 0, 10, "takes one", ""),
    ("seen:1h seen:2h", 8, 7, "takes one", ""),
    ("a\x00b", 1, 1, "no text", ""),
    ("x" * (MOST_CHARS + 3), MOST_CHARS, 3, "at most", ""),
]


@pytest.mark.parametrize(
    ("text", "at", "length", "detail", "instead"), WRONG, ids=[t[:20] for t, *_ in WRONG]
)
def test_it_says_what_is_wrong_and_where(
    text: str, at: int, length: int, detail: str, instead: str
) -> None:
    """And what was probably meant, as the whole text that would ask for it."""
    (mistake,) = parse(text).mistakes
    assert (mistake.at, mistake.length) == (at, length)
    assert detail in mistake.detail
    assert mistake.instead == instead or (not instead and mistake.meant)
    if mistake.instead:
        assert parse(mistake.instead).mistakes == ()


def test_it_tells_every_mistake() -> None:
    mistakes = parse("severity:hihg status:opne x").mistakes
    assert [mistake.meant for mistake in mistakes] == ["high", "open"]


def test_it_knows_every_state_that_there_is() -> None:
    """The pure module cannot import them; a new state must be askable too."""
    assert {*KEYS["status"].values} == {*IncidentStatus.values, "open", "snoozed"}
    assert KEYS["severity"].values == tuple(Severity.values)
    assert {*KEYS["recovery"].values} == {value or "none" for value in Recovery.values}
    assert set(ALIASES.values()) <= set(KEYS)


AWKWARD = '"\\-,: ab'
texts = st.one_of(
    st.text(min_size=1, max_size=12), st.text(AWKWARD, min_size=1, max_size=6)
).filter(lambda t: t.strip() and "\x00" not in t)
open_keys = [name for name, key in KEYS.items() if not key.values and not key.span]
closed_keys = [name for name, key in KEYS.items() if key.values]
spans = st.builds(
    Term,
    st.sampled_from([name for name, key in KEYS.items() if key.span]),
    st.tuples(st.from_regex(r"[1-9][0-9]{0,3}[mhdw]", fullmatch=True)),
    st.booleans(),
)
terms = st.one_of(
    st.builds(Term, st.just(WORDS), st.tuples(texts), st.booleans()),
    st.builds(
        Term,
        st.sampled_from(open_keys),
        st.lists(texts, min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    st.sampled_from(closed_keys).flatmap(
        lambda name: st.builds(
            Term,
            st.just(name),
            st.lists(st.sampled_from(KEYS[name].values), min_size=1, max_size=3).map(tuple),
            st.booleans(),
        )
    ),
)
one_span_each = st.lists(spans, max_size=3, unique_by=lambda term: (term.key, term.negated))


@given(st.lists(terms, max_size=5), one_span_each)
def test_it_reads_back_what_it_writes(some: list[Term], times: list[Term]) -> None:
    """Seen red with the backslash left unescaped, and with `-x` written as a bare word."""
    query = query_of([*some, *times])
    reading = parse(query.text)
    if len(query.text) <= MOST_CHARS:
        assert reading.mistakes == ()
        assert reading.query == query


ALPHABET = st.sampled_from([*'":,- \\\tax-', "status", "severity", "high", "seen", "1h", "owner"])


@given(st.one_of(st.text(max_size=MOST_CHARS + 9), st.lists(ALPHABET).map("".join)))
def test_it_reads_any_text(text: str) -> None:
    """Never raises; a mistake lies in the text, and what was read can be written and read again."""
    reading = parse(text)
    for mistake in reading.mistakes:
        assert 0 <= mistake.at <= len(text)
        assert mistake.length > 0
        assert mistake.detail
    again = parse(reading.query.text)
    if len(reading.query.text) <= MOST_CHARS:
        assert again.query == reading.query
        assert again.mistakes == ()


def test_a_chip_changes_its_own_key_alone() -> None:
    query = parse("status:open -vendor:paypal severity:high needle").query
    assert query.toggled("severity", "critical").text == (
        "status:open severity:critical,high -vendor:paypal needle"
    )
    assert query.toggled("severity", "high").text == "status:open -vendor:paypal needle"
    assert query.toggled("seen", "1h").toggled("seen", "7d").values("seen") == ("7d",)
    assert query.without_key("vendor").text == "status:open severity:high needle"
    assert query.without(Term(WORDS, ("needle",))).words == ""


def test_it_reads_the_addresses_of_old() -> None:
    """Each filter was a parameter, the status open until the address said otherwise."""
    for parameters, text in (
        ({}, "status:open"),
        ({"status": ""}, ""),
        (
            {"status": "open", "severity": "critical,high", "q": ""},
            DEFAULT.text + " severity:critical,high",
        ),
        ({"assignee": "none", "since": "24h"}, "status:open owner:none seen:24h"),
        ({"status": "resolved", "resolved": "24h"}, "status:resolved resolved:24h"),
        ({"workflow": "order sync, new", "q": "x y"}, 'status:open workflow:"order sync, new" x y'),
        ({"severity": "awful"}, "status:open severity:awful"),
    ):
        assert parse(of_parameters(parameters)).query == parse(text).query
        assert len(parse(of_parameters(parameters)).mistakes) == ("awful" in text)


def test_it_counts_a_span_in_its_unit() -> None:
    found = [span_of(text) for text in ("90m", "24h", "7d", "2w")]
    assert found == [timedelta(minutes=90), timedelta(days=1), timedelta(days=7), timedelta(14)]
    assert Query().text == ""
