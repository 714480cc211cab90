"""The kinds of action there are: one module each, found by being here [A1].

A further kind is a further module with a `KIND`; nothing else is edited. See `kind.py` for what it
declares.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from actions.catalog.kind import Kind

_NOT_KINDS = {"kind", "connected"}


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by its name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = (import_module(f"{__name__}.{name}") for name in names if name not in _NOT_KINDS)
    return {module.KIND.name: module.KIND for module in modules}


def kind_named(name: str) -> Kind:
    """Raises KeyError for a name that is none."""
    return kinds()[name]


def in_plans() -> dict[str, bool]:
    """The kinds that a plan's step may name, and whether each is a probe."""
    return {name: kind.probe for name, kind in kinds().items() if kind.in_plans}
