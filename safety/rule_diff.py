"""What is different between two rulesets, rule by rule [S11]. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from safety.rule_export import sections_of
from safety.rule_types import Ruleset

# Sections in which the first match wins, so that their order is part of the meaning.
ORDERED = ("message_patterns", "event_types")

Kind = Literal["added", "changed", "removed", "moved"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule that is not the same. `before`, `after`: the values that differ (all of them for
    a rule that only one side has), by the names the files use; nested ones with a dot."""

    section: str
    name: str
    kind: Kind
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = f"{self.kind} {self.section}.{self.name}"
        if self.kind == "changed":
            pairs = (f"{key} {self.before[key]!r} → {self.after[key]!r}" for key in self.after)
            return f"{words}: {', '.join(pairs)}"
        return words


def differences(
    old: Ruleset, new: Ruleset, sections: Iterable[str] | None = None
) -> list[Difference]:
    """What `new` has otherwise than `old`, in the sections named (default: in all)."""
    before, after = sections_of(old), sections_of(new)
    names = list(dict.fromkeys((*before, *after))) if sections is None else list(sections)
    return [one for name in names for one in _of(name, before.get(name, {}), after.get(name, {}))]


def _of(section: str, old: Any, new: Any) -> Iterator[Difference]:
    before, after = _by_name(section, old), _by_name(section, new)
    for name, fields in after.items():
        if name not in before:
            yield Difference(section, name, "added", after=fields)
        elif changed := _changed(before[name], fields):
            yield Difference(
                section, name, "changed",
                {key: before[name].get(key) for key in changed},
                {key: fields.get(key) for key in changed},
            )  # fmt: skip
    for name, fields in before.items():
        if name not in after:
            yield Difference(section, name, "removed", before=fields)
    if section in ORDERED:
        yield from _moved(section, before, after)


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The values that are not the same; one that only one side has is None on the other."""
    return [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]


def _moved(section: str, before: Iterable[str], after: Iterable[str]) -> Iterator[Difference]:
    """The first rule from which on those in both stand in another order."""
    new = list(after)
    kept = [name for name in before if name in after]
    for was, now in zip(kept, [name for name in new if name in kept], strict=True):
        if was != now:
            yield Difference(section, now, "moved", {"before": was}, {})
            return


def _by_name(section: str, rows: Any) -> dict[str, dict[str, Any]]:
    if section == "automation":
        rows = {"defaults": rows.get("defaults")} | rows.get("workflows", {}) if rows else {}
        return {name: _flat(fields) for name, fields in rows.items() if fields}
    if isinstance(rows, list):
        key = "pattern" if section == "event_types" else "name"
        return {row[key]: _flat(row) for row in rows}
    return {name: _flat(fields) for name, fields in rows.items()}


def _flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in fields.items():
        found |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found
