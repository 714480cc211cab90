"""How much may happen in a window: counts against their limits. Pure [S5].

A count that could not be made is over its limit. A limit of None is not asked about: receipts from
before there was such a cap are judged as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cap:
    """`count` and `limit` name the two numbers; `what` and `window` are the words for them."""

    count: str
    limit: str
    what: str
    window: str

    def words(self, done: int, most: int) -> str:
        return f"{done} of {most} {self.what} in the {self.window}"

    def objection(self, done: int | None, most: int) -> str:
        """Why one more may not be; "" if it may."""
        if done is None:
            return f"The {self.what} of the {self.window} could not be counted."
        if done < most:
            return ""
        return f"{done} {self.what} in the {self.window}, the cap is {most}."


BLAST_RADIUS = (
    Cap("actions_last_hour", "max_actions_per_hour", "automated actions", "last hour"),
    Cap("actions_last_day", "max_actions_per_day", "automated actions", "last day"),
)
RETRIES = (
    Cap(
        "incident_retries_last_day", "max_incident_retries_per_day",
        "retries of the incident", "last day",
    ),
    Cap(
        "workflow_retries_last_hour", "max_workflow_retries_per_hour",
        "retries of the workflow", "last hour",
    ),
    Cap(
        "vendor_retries_last_hour", "max_vendor_retries_per_hour",
        "retries for the vendor", "last hour",
    ),
)  # fmt: skip


def weigh(
    caps: tuple[Cap, ...], numbers: Mapping[str, int | None]
) -> tuple[bool, str, dict[str, int | None]]:
    """Whether one more may be, why in words, and the numbers that were looked at."""
    asked = [
        (cap, numbers[cap.count], most) for cap in caps if (most := numbers[cap.limit]) is not None
    ]
    looked_at = {
        n: v for cap, done, most in asked for n, v in ((cap.count, done), (cap.limit, most))
    }
    objections = [words for cap, done, most in asked if (words := cap.objection(done, most))]
    if objections:
        return False, " ".join(objections), looked_at
    counts = [cap.words(done, most) for cap, done, most in asked if done is not None]
    return True, f"{', '.join(counts) or 'No cap is set'}.", looked_at
