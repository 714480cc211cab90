"""A plan's text beside what is wrong with it, or beside another text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Literal

from safety.strict_yaml import Document, StrictYamlError, load

STARTER = """\
name: pause_and_retry
title: Pause, retry, watch
steps:
  - {key: pause, kind: pause_workflow, with: {seconds: 1800}}
  - key: again
    kind: retry
    timeout_seconds: 300
    retries: {max_attempts: 2, pause_seconds: 10}
    on_failure: roll_back   # or: stop (a person is called), continue
  - parallel:
      - {key: tell, kind: notify, with: {text: "Retried ${incident.resource_id}"}}
      - {key: settle, kind: wait, with: {seconds: 30}}
verify: {kind: probe_quiet, with: {seconds: 120}, tries: 3, pause_seconds: 20}
"""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`kind`: added, removed, same, or place (where in the text the lines after it stand)."""

    kind: Literal["added", "removed", "same", "place"]
    text: str


def difference(old: str, new: str) -> list[DiffLine]:
    """What lines `new` has otherwise than `old`, with three of those around; empty if none."""
    lines = list(unified_diff(old.splitlines(), new.splitlines(), lineterm=""))[2:]
    return [_line(line) for line in lines]


def _line(line: str) -> DiffLine:
    if line.startswith("@@"):
        return DiffLine("place", line)
    kinds: dict[str, Any] = {"+": "added", "-": "removed"}
    return DiffLine(kinds.get(line[:1], "same"), line)


def line_of(source: str, path: str) -> int:
    """The line that `steps[0].with`, or `mend.with` of the step with that key, begins on; 0 if
    nobody knows."""
    try:
        document = load(source)
    except StrictYamlError as error:
        return error.line
    head, _, rest = path.partition(".")
    found = [f"{place}.{rest}" for place, key in _keys(document) if key == head]
    place = found[0] if found and head != "verify" else path
    while place and place not in document.lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return document.lines.get(place, 0) if place else 0


def _keys(document: Document) -> Iterator[tuple[str, Any]]:
    """Each step's place and its key."""
    steps = document.value.get("steps") if isinstance(document.value, dict) else None
    for at, entry in enumerate(steps if isinstance(steps, list) else ()):
        beside = entry.get("parallel") if isinstance(entry, dict) else None
        if isinstance(beside, list):
            for nth, one in enumerate(beside):
                if isinstance(one, dict):
                    yield f"steps[{at}].parallel[{nth}]", one.get("key")
        elif isinstance(entry, dict):
            yield f"steps[{at}]", entry.get("key")
