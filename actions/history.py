"""How earlier recoveries of the same kind of failure went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from ai.models import Outcome, OutcomeResult
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


def runs_of(tenant: Tenant, signatures: Iterable[str]) -> Mapping[str, Runs]:
    """How the last 12 recoveries of each of the tenant's signatures ended. One query."""
    ran = Outcome.objects.filter(
        tenant=tenant,
        signature__in=set(signatures),
        ends_recovery=True,
        result__in=[OutcomeResult.SUCCEEDED, OutcomeResult.FAILED, OutcomeResult.RECURRED],
    )
    rank = Window(RowNumber(), partition_by="signature", order_by=F("at").desc())
    newest = ran.annotate(rank=rank).filter(rank__lte=RUNS).order_by("at", "pk")
    found: dict[str, Runs] = {}
    for outcome in newest:
        runs = found.setdefault(outcome.signature, Runs([], []))
        worked = outcome.result == OutcomeResult.SUCCEEDED
        runs.outcomes.append(worked)
        if worked and outcome.seconds_to_recover is not None:
            runs.seconds.append(outcome.seconds_to_recover)
    return found
