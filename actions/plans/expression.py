"""What a step's parameters may take from the incident: `${incident.resource_id}`, nothing more.

A reference names a value by dots; there are no calls, no operators and no loops, so a template can
be read, checked when it is saved, and cannot do anything. `$${` stands for `${` itself. A text that
is one reference alone becomes the value, of whatever type; within a longer text it becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# The names under `incident` and `decision`; `steps.<key>` holds what an earlier step returned.
INCIDENT_NAMES = frozenset(
    (
        *("number", "label", "title", "severity", "category", "error_code", "correlation_id"),
        *("workflow", "workflow_id", "vendor", "resource_type", "resource_id", "event_count"),
    )
)
DECISION_NAMES = frozenset(("confidence", "reasoning", "recommended_action"))

MAX_TEXT_CHARS = 4_000
MAX_DEPTH = 8

_REFERENCE = re.compile(r"\$(\$)?\{([^{}]*)\}")
_PATH = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+){1,7}")


class ExpressionError(ValueError):
    """A reference that cannot be read, or names nothing."""


def references(value: Any) -> Iterator[str]:
    """Every path that `value` (plain data) refers to, as written. Raises ExpressionError."""
    for text in _texts(value, 0):
        for match in _REFERENCE.finditer(text):
            if not match[1]:
                yield match[2].strip()


def objection(path: str, earlier_steps: frozenset[str]) -> str:
    """Why `path` cannot be filled in a step after `earlier_steps`; empty if it can."""
    if not _PATH.fullmatch(path):
        return f"${{{path}}} is not a name with dots, such as ${{incident.resource_id}}."
    root, first, *rest = path.split(".")
    known = {"incident": INCIDENT_NAMES, "decision": DECISION_NAMES}.get(root)
    if known is not None:
        if first in known and not rest:
            return ""
        return f"${{{path}}} names nothing; {root} has {', '.join(sorted(known))}."
    if root != "steps":
        return f"${{{path}}} must begin with incident, decision or steps."
    if first not in earlier_steps:
        return f"${{{path}}} names no step that is done before this one."
    return "" if rest else f"${{{path}}} must say which of the step's results."


def fill(value: Any, facts: Mapping[str, Any]) -> Any:
    """`value` with its references replaced from `facts`; the same shape, plain data.

    Raises ExpressionError for a reference that names nothing there: a step never runs with a hole
    in its parameters.
    """
    if isinstance(value, str):
        return _fill_text(value, facts)
    if isinstance(value, Mapping):
        return {key: fill(item, facts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, facts) for item in value]
    return value


def _fill_text(text: str, facts: Mapping[str, Any]) -> Any:
    whole = _REFERENCE.fullmatch(text)
    if whole and not whole[1]:
        return _look_up(whole[2].strip(), facts)

    def put(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        found = _look_up(match[2].strip(), facts)
        if isinstance(found, Mapping | list | tuple):
            raise ExpressionError(f"${{{match[2]}}} is not a text or a number.")
        return "" if found is None else str(found)

    return _REFERENCE.sub(put, text)


def _look_up(path: str, facts: Mapping[str, Any]) -> Any:
    value: Any = facts
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise ExpressionError(f"${{{path}}} names nothing here.")
        value = value[name]
    return value


def _texts(value: Any, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"More than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if len(value) > MAX_TEXT_CHARS:
            raise ExpressionError(f"A text of more than {MAX_TEXT_CHARS} characters.")
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, depth + 1)
