"""What the catalog knows, for who writes a plan or looks at one: every kind and its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from actions.catalog import kinds
from actions.catalog.kind import Kind
from actions.plans.document import Plan
from actions.plans.drawing import Drawing, Manner, draw

_GLYPHS = {
    "escalate": "st-escalated", "notify": "comment", "pause_workflow": "pause",
    "resume_workflow": "play", "retry": "retry", "sns": "mail", "wait": "cooldown",
}  # fmt: skip
_LIMITS = (("ge", "from"), ("gt", "over"), ("le", "to"), ("lt", "under"))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kind; `default` is empty where it is required."""

    name: str
    type: str
    required: bool
    default: str = ""


@dataclass(frozen=True, slots=True)
class KindRow:
    name: str
    says: str
    probe: bool
    parameters: tuple[Parameter, ...]


def kinds_in_plans() -> list[KindRow]:
    """Every kind that a plan may name, the steps first, then the probes."""
    rows = [
        KindRow(kind.name, kind.says, kind.probe, tuple(_parameters(kind.parameters)))
        for kind in kinds().values()
        if kind.in_plans
    ]
    return sorted(rows, key=lambda row: (row.probe, row.name))


def drawn(plan: Plan) -> Drawing:
    """The picture of a plan, with what the catalog says of its kinds."""
    return draw(plan, {name: _manner(kind) for name, kind in kinds().items()})


def _manner(kind: Kind) -> Manner:
    glyph = _GLYPHS.get(kind.name, "search" if kind.probe else "plug")
    return Manner(kind.says, kind.undo_words, kind.reversible, glyph)


def _parameters(struct: type[msgspec.Struct]) -> Iterator[Parameter]:
    described: Any = inspect.type_info(struct)
    for one in described.fields:
        default = "" if one.required else _default(one)
        yield Parameter(one.encode_name, _words(one.type), one.required, default)


def _default(one: Any) -> str:
    made = one.default if one.default is not msgspec.NODEFAULT else one.default_factory()
    return msgspec.json.encode(made).decode()


def _words(kind: Any) -> str:
    """A type as a sentence fragment: `whole number, from 1 to 86400`."""
    match kind:
        case inspect.IntType() | inspect.FloatType():
            name = "whole number" if isinstance(kind, inspect.IntType) else "number"
            limits = [(word, getattr(kind, key)) for key, word in _LIMITS]
            said = " ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)
            return f"{name}, {said}" if said else name
        case inspect.StrType():
            most = f", at most {kind.max_length} characters" if kind.max_length else ""
            return f"text{most}{', of a fixed form' if kind.pattern else ''}"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return " or ".join(map(str, kind.values))
        case inspect.ListType():
            return f"list of {_words(kind.item_type)}"
        case inspect.DictType():
            return "names with values"
        case inspect.UnionType():
            return " or ".join(_words(one) for one in kind.types)
        case inspect.NoneType():
            return "null"
    return "any value"
