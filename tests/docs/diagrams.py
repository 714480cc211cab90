"""The diagrams of life cycles in docs/, drawn from the tables the code goes by.

`python -m tests.docs.diagrams` draws them anew; a test compares. Words for a step are kept here,
one for each step of a table, so that a new step cannot stay without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# Where each is drawn.
PAGES = {
    "incident": PROJECT / "docs" / "life-cycles.md",
    "action": PROJECT / "docs" / "life-cycles.md",
    "breaker": PROJECT / "docs" / "life-cycles.md",
    "recovery": PROJECT / "docs" / "recovery-states.md",
}
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
# The states of a recovery that may follow each other in any order, for a plan may meet any of them
# at each of its steps: one box, so that the rest can be read.
BOX = "under_way"
RECOVERY_BOX = {
    "awaiting_approval": "a step waits for a person",
    "cooldown": "a step waits for the cooldown",
    "executing": "a step is due or on its way",
    "verifying": "the steps are done, the verification is not",
    "needs_human": "a step is blocked or expired",
}
RECOVERY_WORDS: Words = {
    ("detecting", "analyzing"): "stage analyse takes its incident up",
    ("analyzing", "planning"): "its decision is stored",
    ("planning", BOX): "its first step starts",
    ("planning", "rolling_back"): "taken back before it began",
    ("planning", "completed"): "its incident was over by then",
    ("planning", "failed"): "nothing could be started",
    (BOX, "rolling_back"): "a step failed whose plan says so, or it is taken back",
    (BOX, "completed"): "verified, or over by itself",
    (BOX, "failed"): "a step or the verification failed, or a person said no",
    (BOX, "rolled_back"): "nothing was left to undo",
    ("rolling_back", "rolled_back"): "all that took effect is undone",
    ("rolling_back", "needs_human"): "a step cannot be undone",
    ("completed", "rolling_back"): "a person takes it back, or its incident came back",
    ("failed", "rolling_back"): "a person takes it back",
}
# In which states the gate may let a row begin.
RECOVERY_STARTS = {"detecting": "its incident opened"}
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
        order = sorted(after, key=[*table, *sorted(after)].index)
        lines += [f"    {state!s} --> {to!s}: {words[state, to]}" for to in order]
    lines += [f"    {state!s} --> [*]" for state, after in table.items() if not after]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def boxed(table: Table) -> Table:
    """The table with the states of RECOVERY_BOX as one; ValueError where they differ too much."""
    box = frozenset(RECOVERY_BOX)
    leaves = {table[state] - box for state in box}
    if len(leaves) > 1 or any(box - {state} - table[state] for state in box):
        raise ValueError("what is in the box is not left alike, or not in any order")
    into = {
        state: (after - box) | ({BOX} if box <= after else after & box)
        for state, after in table.items()
        if state not in box
    }
    return into | {BOX: leaves.pop()}


def drawn_recovery(table: Table) -> str:
    """The diagram with the box and what its states mean."""
    inside = "\n".join(f"        {state}: {why}" for state, why in RECOVERY_BOX.items())
    head, _, rest = drawn(boxed(table), RECOVERY_WORDS, RECOVERY_STARTS).partition("    [*]")
    return f"{head}    state {BOX} {{\n{inside}\n    }}\n    [*]{rest}"


def diagrams() -> dict[str, str]:
    """By the name that marks its place on the page."""
    from actions.plans.states import TRANSITIONS as RECOVERIES
    from actions.states import TRANSITIONS as ACTIONS
    from incidents.states import TRANSITIONS as INCIDENTS
    from safety.breaker import TRANSITIONS as BREAKERS

    return {
        "incident": drawn(plain(INCIDENTS), INCIDENT_WORDS, INCIDENT_STARTS),
        "action": drawn(plain(ACTIONS), ACTION_WORDS, ACTION_STARTS),
        "breaker": drawn(plain(BREAKERS), BREAKER_WORDS, BREAKER_STARTS),
        "recovery": drawn_recovery(plain(RECOVERIES)),
    }


def plain(table: Table) -> Table:
    return {str(state): frozenset(map(str, after)) for state, after in table.items()}


def with_diagrams(path: Path) -> str:
    """The page with each of its diagrams drawn anew between its two marks."""
    page = path.read_text()
    for name, diagram in diagrams().items():
        if PAGES[name] != path:
            continue
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
    for page in set(PAGES.values()):
        page.write_text(with_diagrams(page))
