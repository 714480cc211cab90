"""Replaying public log files: incidents found against the groups people labelled.

The files are Loghub's (github.com/logpai/loghub), not part of the project: named by LOGHUB_DIR, or
looked for beside the checkout; where there are none the replay says so and is skipped.
"""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

from bench.drill.result import await_
from bench.instance import PROJECT, Instance, make_tenant
from simulator.replay import replay

SYSTEMS = ("Apache", "Zookeeper")


@dataclass(frozen=True)
class Replayed:
    """One file: lines posted, incidents found, groups in the labels."""

    system: str
    lines: int
    in_incidents: int
    incidents: int
    groups: int


def folder() -> Path | None:
    """Where the log files are, if they are."""
    named = os.environ.get("LOGHUB_DIR")
    path = Path(named) if named else PROJECT.parent / "shared" / "benchmarks" / "loghub"
    return path if path.is_dir() else None


def replay_file(path: Path, instance: Instance) -> Replayed:
    """Post every line as a failure of a tenant of its own; wait until all are in incidents."""
    from incidents.models import Incident, IncidentEvent

    tenant = make_tenant()
    summary = replay(
        path,
        url=instance.url,
        key=tenant["key"],
        tenant_id=tenant["tenant_id"],
        workflow_id=tenant["workflow_id"],
    )
    members = IncidentEvent.objects.filter(incident__tenant_id=tenant["tenant_id"])
    await_(lambda: members.count() >= summary.accepted)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        groups = {row["EventId"] for row in csv.DictReader(lines)}
    found = Incident.objects.filter(tenant_id=tenant["tenant_id"]).count()
    return Replayed(path.name.split(".")[0], summary.accepted, members.count(), found, len(groups))
