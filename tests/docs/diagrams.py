"""The diagrams of docs/life-cycles.md, drawn from the tables the code goes by.

`python -m tests.docs.diagrams` draws them anew; a test compares. Words for a step are kept here,
one for each step of a table, so that a new step cannot stay without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "life-cycles.md"
Table = Mapping[str, frozenset[str]]
Words = Mapping[tuple[str, str], str]

INCIDENT_WORDS: Words = {
    ("new", "analyzing"): "stage analyse takes it up",
    ("new", "resolved"): "all succeeded again, or a person",
    ("new", "ignored"): "a person",
    ("analyzing", "actioned"): "stage plan has acted on the decision",
    ("analyzing", "resolved"): "all succeeded again, or a person",
    ("analyzing", "ignored"): "a person",
    ("actioned", "analyzing"): "a retry worked, but more has failed",
    ("actioned", "resolved"): "all succeeded again, or a person",
    ("actioned", "ignored"): "a person",
    ("resolved", "new"): "fails again within 24 h, or a person",
    ("ignored", "new"): "a person",
    ("ignored", "resolved"): "a person",
}
ACTION_WORDS: Words = {
    ("waiting", "planned"): "a person approves",
    ("waiting", "rejected"): "a person rejects",
    ("waiting", "expired"): "nobody decided in time",
    ("waiting", "cancelled"): "a person, or the incident is over",
    ("planned", "claimed"): "a worker takes it, with a lease",
    ("planned", "waiting"): "a person takes the approval back",
    ("planned", "blocked"): "allowed, not used yet",
    ("planned", "cancelled"): "a person, or the incident is over",
    ("claimed", "sending"): "the gate says run, under the switch lock",
    ("claimed", "planned"): "the gate puts it off, or the lease ran out",
    ("claimed", "waiting"): "the gate asks for a person",
    ("claimed", "blocked"): "the gate blocks it",
    ("claimed", "cancelled"): "a person, or the incident is over",
    ("sending", "verifying"): "the engine took it",
    ("sending", "succeeded"): "an escalation or no-op, done at once",
    ("sending", "failed"): "the engine did not take it",
    ("sending", "unknown"): "no answer, or the worker was lost",
    ("unknown", "verifying"): "the engine has it, or all succeeded",
    ("unknown", "succeeded"): "the target has it, and that was all",
    ("unknown", "failed"): "the engine never got it",
    ("unknown", "cancelled"): "a person stops the asking, or closed the incident",
    ("verifying", "succeeded"): "all it asked for succeeded",
    ("verifying", "failed"): "failed again, or no success in time",
    ("verifying", "cancelled"): "a person closed the incident",
    ("blocked", "planned"): "a person runs it after all",
    ("blocked", "cancelled"): "a person, or the incident is over",
}
_BY_HAND = "a person"
BREAKER_WORDS: Words = {
    ("closed", "open"): "enough failures in the window, or a person",
    ("closed", "forced_open"): _BY_HAND,
    ("closed", "disabled"): _BY_HAND,
    ("open", "half_open"): "open_seconds have passed, by the clock alone, or a person",
    ("open", "closed"): _BY_HAND,
    ("open", "forced_open"): _BY_HAND,
    ("open", "disabled"): _BY_HAND,
    ("half_open", "closed"): "all probes succeeded, or a person",
    ("half_open", "open"): "a probe failed, or a person",
    ("half_open", "forced_open"): _BY_HAND,
    ("half_open", "disabled"): _BY_HAND,
    ("forced_open", "closed"): _BY_HAND,
    ("forced_open", "open"): _BY_HAND,
    ("forced_open", "disabled"): _BY_HAND,
    ("disabled", "closed"): _BY_HAND,
    ("disabled", "open"): _BY_HAND,
    ("disabled", "forced_open"): _BY_HAND,
}
# In which states the gate may let a row begin.
INCIDENT_STARTS = {"new": "first failure of its signature"}
BREAKER_STARTS = {"closed": "first failure that names the vendor, or an admin"}
ACTION_STARTS = {
    "planned": "the gate says run or defer",
    "waiting": "the gate says wait",
    "blocked": "the gate says block",
}


def drawn(table: Table, words: Words, starts: Mapping[str, str]) -> str:
    """The table as a Mermaid state diagram. Raises KeyError for a step without words."""
    lines = ["stateDiagram-v2", *(f"    [*] --> {to}: {why}" for to, why in starts.items())]
    for state, after in table.items():
        order = sorted(after, key=list(table).index)
        lines += [f"    {state!s} --> {to!s}: {words[state, to]}" for to in order]
    lines += [f"    {state!s} --> [*]" for state, after in table.items() if not after]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def diagrams() -> dict[str, str]:
    """By the name that marks its place on the page."""
    from actions.states import TRANSITIONS as ACTIONS
    from incidents.states import TRANSITIONS as INCIDENTS
    from safety.breaker import TRANSITIONS as BREAKERS

    return {
        "incident": drawn(_plain(INCIDENTS), INCIDENT_WORDS, INCIDENT_STARTS),
        "action": drawn(_plain(ACTIONS), ACTION_WORDS, ACTION_STARTS),
        "breaker": drawn(_plain(BREAKERS), BREAKER_WORDS, BREAKER_STARTS),
    }


def _plain(table: Table) -> Table:
    return {str(state): frozenset(map(str, after)) for state, after in table.items()}


def with_diagrams(page: str) -> str:
    """`page` with each diagram between its two marks drawn anew."""
    for name, diagram in diagrams().items():
        before, begin, rest = page.partition(f"<!-- drawn: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise ValueError(f"the page has no place for the diagram {name!r}")
        page = f"{before}{begin}{diagram}\n{end}{after}"
    return page


if __name__ == "__main__":
    import os

    import django

    # Only the modules of states are read: no server is talked to.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "awfdrs_site.settings")
    os.environ.setdefault("SECRET_KEY", "only-for-drawing-" * 4)
    django.setup()
    PAGE.write_text(with_diagrams(PAGE.read_text()))
