"""How earlier recoveries of the same kind of failure went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from ai.models import Outcome, OutcomeResult
from ai.record import BAD
from ai.selectors import newest_of_each
from tenants.models import Tenant

RUNS = 12


@dataclass(frozen=True)
class Runs:
    """Past recoveries, oldest first: did each work, and how long the ones that did took."""

    outcomes: list[bool]
    seconds: list[float]

    @property
    def worked(self) -> int:
        return sum(self.outcomes)

    @property
    def median_seconds(self) -> float | None:
        return median(self.seconds) if self.seconds else None


def runs_of(tenant: Tenant, tried: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Runs]:
    """How the last 12 recoveries ended of each signature and what was tried for it. One query."""
    pairs = set(tried)
    ran = Outcome.objects.filter(
        tenant=tenant,
        signature__in={signature for signature, _ in pairs},
        action__in={action for _, action in pairs},
        ends_recovery=True,
        result__in=[OutcomeResult.SUCCEEDED, *BAD],
    )
    found: dict[tuple[str, str], Runs] = {}
    for outcome in newest_of_each(ran, RUNS):
        runs = found.setdefault((outcome.signature, outcome.action), Runs([], []))
        worked = outcome.result == OutcomeResult.SUCCEEDED
        runs.outcomes.append(worked)
        if worked and outcome.seconds_to_recover is not None:
            runs.seconds.append(outcome.seconds_to_recover)
    return found
