"""The history of one object, read from the audit log and put in words [T6]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, ForeignKey, Model

from awfdrs_site.kernel.models import AuditEntry
from tenants.audit_log import changes_of

SHOWN = 100
# Of a text as long as a plan the beginning is shown; the audit log has all of it.
VALUE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Told:
    """One entry in words. `changes`: (what, was, became)."""

    entry_id: int
    at: datetime | None
    actor: str
    verb: str
    comment: str
    changes: tuple[tuple[str, str, str], ...]


def history_of(row: Model) -> list[Told]:
    """The last 100 entries about the object, newest first. A query, and one a kind of relation."""
    entries = AuditEntry.objects.filter(
        subject_type=row._meta.label_lower, subject_id=str(row.pk)
    ).order_by("-pk")[:SHOWN]
    changed = [(entry, changes_of(entry)) for entry in entries]
    worded = in_words(type(row), [changes for _, changes in changed])
    return [
        Told(entry.pk, entry.at, entry.actor, verb_words(entry.verb), entry.comment, changes)
        for (entry, _), changes in zip(changed, worded, strict=True)
    ]


def verb_words(verb: str) -> str:
    """`plan_saved` as `Plan saved`."""
    return verb.replace("_", " ").capitalize()


def in_words(
    model: type[Model], many: Iterable[Iterable[tuple[str, Any, Any]]]
) -> list[tuple[tuple[str, str, str], ...]]:
    """Changes of columns with the columns' labels, and values as the forms call them."""
    many = [list(changes) for changes in many]
    wanted: dict[Any, set[str]] = defaultdict(set)
    for name, was, became in (change for changes in many for change in changes):
        field = _field(model, name)
        if isinstance(field, ForeignKey):
            wanted[field.related_model] |= {str(v) for v in (was, became) if v not in (None, "")}
    named = {related: _names(related, keys) for related, keys in wanted.items()}

    def told(name: str, was: Any, became: Any) -> tuple[str, str, str]:
        field = _field(model, name)
        return _label(model, name), _value(field, was, named), _value(field, became, named)

    return [tuple(told(*change) for change in changes) for changes in many]


def _field(model: type[Model], name: str) -> Field[Any, Any] | None:
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, Field) else None


def _label(model: type[Model], name: str) -> str:
    field = _field(model, name)
    return str(field.verbose_name if field else name.replace("_", " ")).capitalize()


def _names(related: Any, keys: set[str]) -> dict[str, str]:
    """What the rows that are still there are called, by their keys as text."""
    found = []
    for key in keys:
        try:
            found.append(related._meta.pk.to_python(key))
        except ValidationError:
            continue
    return {str(row.pk): str(row) for row in related._default_manager.filter(pk__in=found)}


def _value(field: Field[Any, Any] | None, value: Any, named: dict[Any, dict[str, str]]) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(field, ForeignKey):
        return named[field.related_model].get(str(value), f"{value} (gone)")
    said = {"true": "yes", "false": "no"}.get(str(value).lower(), str(value))
    if field is not None and field.choices:
        said = str(dict(field.flatchoices).get(value, said))
    return said if len(said) <= VALUE_CHARS else f"{said[:VALUE_CHARS]}…"
