"""The one writer of every status column.

Status, its timestamp and the audit entry change together, under the row's lock, and only along the
app's TRANSITIONS table; buttons, API errors, docs and tests read the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db import models

from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import Problem

Row = TypeVar("Row", bound=models.Model)
Table = Mapping[str, frozenset[str]]


class IllegalTransition(Problem):
    """409 `invalid_transition`; the document lists the legal next states."""

    def __init__(self, subject: str, current: str, wanted: str, legal: frozenset[str]) -> None:
        super().__init__(
            409,
            "invalid_transition",
            f"This {subject} is {current} and cannot become {wanted}.",
            current=current,
            legal=sorted(legal),
        )


def lock(row: Row) -> Row:
    """The same row, read again under `FOR NO KEY UPDATE`; the caller holds a transaction."""
    # Whatever lists leave out is locked all the same.
    manager = type(row)._base_manager
    return manager.select_for_update(of=("self",), no_key=True).get(pk=row.pk)


def change_status(
    row: Row,
    to: str,
    *,
    table: Table,
    actor: Actor,
    now: datetime,
    comment: str = "",
    **fields: Any,
) -> Row:
    """Move `row` (locked by the caller with `lock`) to status `to` and set `fields` with it.

    Raises IllegalTransition where the table has no such step. The caller pushes to the pages.
    """
    before: str = row.status  # type: ignore[attr-defined]
    if to not in table[before]:
        raise IllegalTransition(str(row._meta.verbose_name), before, to, table[before])
    row.status = to  # type: ignore[attr-defined]
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=["status", *fields])
    audit.record(
        tenant_id=row.tenant_id,  # type: ignore[attr-defined]
        actor=actor,
        verb=to,
        subject=row,
        now=now,
        before=before,
        after=to,
        comment=comment,
    )
    return row
