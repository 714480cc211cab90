"""Who does something: the machine, a person, or a sender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["machine", "person", "sender"]


@dataclass(frozen=True)
class Actor:
    """`name` is what people read; `user_id` only for a person."""

    kind: Kind
    name: str
    user_id: int | None = None


MACHINE = Actor("machine", "automation")
