"""Who changed a rule, when, from what to what: read from the audit log [S11].

Every write of a rule is audited with the values that changed, before and after. Going back from the
row as it is, entry by entry, gives every state it was in; restoring one is a change like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import CharField, Model
from django.db.models.functions import Cast

from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry
from tenants.audited import shown
from tenants.object_history import in_words, verb_words

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a rule. `changes`: (column, was, became); `values`: all columns since then.

    The state before the oldest entry has the id 0 and neither time nor actor.
    """

    entry_id: int
    at: datetime | None
    actor: str
    verb: str
    comment: str
    changes: tuple[tuple[str, Any, Any], ...]
    values: Mapping[str, Any]
    current: bool


def versions_of(row: Model) -> list[Version]:
    """The last 100 states of the stored `row`, newest first."""
    entries = AuditEntry.objects.filter(
        subject_type=row._meta.label_lower, subject_id=str(row.pk)
    ).order_by("-pk")[:SHOWN]
    found: list[Version] = []
    values: Mapping[str, Any] = shown(row)
    for entry in entries:
        found.append(_version(entry, values, current=not found))
        values = {**values, **(entry.before or {})}
    if found and found[-1].verb != "created":
        found.append(Version(0, None, "", "before that", "", (), values, current=False))
    return found


def _version(entry: AuditEntry, values: Mapping[str, Any], *, current: bool) -> Version:
    before, after = entry.before or {}, entry.after or {}
    return Version(
        entry_id=entry.pk,
        at=entry.at,
        actor=entry.actor,
        verb=entry.verb,
        comment=entry.comment,
        changes=tuple((name, before.get(name), after[name]) for name in after),
        values=values,
        current=current,
    )


def told(row: Model) -> list[dict[str, Any]]:
    """The same in words, as the page shows them."""
    versions = versions_of(row)
    worded = in_words(type(row), [version.changes for version in versions])
    return [
        {
            "entry_id": version.entry_id, "at": version.at, "actor": version.actor,
            "verb": verb_words(version.verb), "comment": version.comment,
            "current": version.current, "changes": changes,
        }
        for version, changes in zip(versions, worded, strict=True)
    ]  # fmt: skip


def deletions_of(model: type[Model], tenant_ids: frozenset[UUID] | None) -> list[AuditEntry]:
    """The last deletion of each rule that is not there now, newest first; 100 at most.

    `tenant_ids`: whose (None: everybody's, and the defaults).
    """
    entries = AuditEntry.objects.filter(subject_type=model._meta.label_lower, verb="deleted")
    if tenant_ids is not None:
        entries = entries.filter(tenant_id__in=tenant_ids)
    there = model._default_manager.values(id_as_text=Cast("pk", CharField()))
    found: dict[str, AuditEntry] = {}
    for entry in entries.exclude(subject_id__in=there).order_by("-pk")[:SHOWN]:
        found.setdefault(entry.subject_id, entry)
    return list(found.values())


Noted = Callable[[Model, dict[str, Any], dict[str, Any]], None]


def recorder(tenant_id: UUID | None, actor: Actor, now: datetime) -> Noted:
    """What audits each row that an import changes, in the import's transaction."""

    def note(row: Model, before: dict[str, Any], after: dict[str, Any]) -> None:
        audit.record(
            tenant_id=tenant_id, actor=actor, verb="changed", subject=row, now=now,
            before=before, after=after, comment="rules import",
        )  # fmt: skip

    return note
