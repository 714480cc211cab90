"""Mentions: whom a comment names, and that its text is never changed by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.triage.mentions import named_in, pieces
from tests.pure.strategies import many

NAMES = ["alice", "anna", "anna.berg", "Bob", "bob", "eve@corp.example", "zoë", "m-k_2+x"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@alice", ["alice"]),
        ("Ask @alice, or @anna: both know.", ["alice", "anna"]),
        ("@alice.", ["alice"]),
        ("(@alice)", ["alice"]),
        ("@alice's turn", ["alice"]),
        ("@Alice and @ALICE", ["alice"]),
        ("@anna.berg.", ["anna.berg"]),
        ("@zoë @m-k_2+x @eve@corp.example", ["zoë", "m-k_2+x", "eve@corp.example"]),
        ("@bob @Bob", ["bob", "Bob"]),
        ("@alice @alice", ["alice"]),
        ("@BOB", []),  # two are meant by it
        ("@alicea @ali @nobody", []),
        ("mail@alice alice @ alice", []),
        ("x@@alice", []),
        ("", []),
        ("@", []),
    ],
)
def test_it_finds_whom_a_text_names(text: str, named: list[str]) -> None:
    assert named_in(text, NAMES) == named


def test_it_marks_the_name_alone() -> None:
    """What ends the sentence is not of the name."""
    marked = [(piece.text, piece.name) for piece in pieces("Ask @Alice.", NAMES)]
    assert marked == [("Ask ", ""), ("@Alice", "alice"), (".", "")]


@many
@given(
    st.text("@aliceanb .<&\n", max_size=40) | st.text(max_size=40), st.sets(st.sampled_from(NAMES))
)
def test_the_text_stays_as_it_was(text: str, names: set[str]) -> None:
    """Joined, the pieces are the text; none is empty; only members are named, by what was typed."""
    found = pieces(text, names)
    assert "".join(piece.text for piece in found) == text
    for piece in found:
        assert piece.text
        assert not piece.name or piece.name in names
        assert not piece.name or piece.text[1:].casefold() == piece.name.casefold()
