"""What a scene found, as a line of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """One promise. `faults`: what was done to it; the rest counts what must not be.

    `loss`: what should have happened and did not, or was said to have happened. `unknown`: what
    nobody could settle. `others`: further breaches, in words.
    """

    promise: str
    runs: int
    faults: str
    loss: int = 0
    duplicates: int = 0
    unknown: int = 0
    others: list[str] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        return bool(self.loss or self.duplicates or self.unknown or self.others)

    def cells(self) -> tuple[str, ...]:
        counts = (self.loss, self.duplicates, self.unknown, len(self.others))
        end = "BROKEN" if self.broken else "kept"
        return (self.promise, str(self.runs), self.faults, *map(str, counts), end)


COLUMNS = ("promise", "runs", "faults", "loss", "duplicates", "unknown", "other", "")


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts in columns, then every other breach on a line of its own."""
    rows = [COLUMNS, *(verdict.cells() for verdict in verdicts)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [
        f"BROKEN  {verdict.promise}: {words}" for verdict in verdicts for words in verdict.others
    ]
    return "\n".join(lines)
