"""What the probes ask of the events that a workflow posts [A9]."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Max

from actions.models import Action, StepRole
from awfdrs_site.kernel.models import Work
from incidents.detecting import detection
from incidents.models import Incident
from incidents.selectors import events_of
from ingestion.models import Event
from safety.models import EventKind


def began_at(probe: Action) -> datetime:
    """From when on a probe looks for successes: its first try from the last step that acted, a
    further one from its own beginning, for what failed before it has failed the try before."""
    return _last_acted(probe, "sent_at")


def acted_until(probe: Action) -> datetime:
    """From when on the failure must stay away: as `began_at`, but once that step was over."""
    return _last_acted(probe, "finished_at")


def _last_acted(probe: Action, field: str) -> datetime:
    assert probe.sent_at is not None
    if probe.recovery is None or probe.attempt > 1:
        return probe.sent_at
    done = probe.recovery.actions.filter(acts=True, role=StepRole.DO)
    last: datetime | None = done.aggregate(last=Max(field))["last"]
    return last or probe.sent_at


def failed_since(incident: Incident, since: datetime) -> bool:
    """Whether a failure of the incident's signature was received after `since`."""
    return events_of(incident).filter(kind=EventKind.FAILURE, received_at__gt=since).exists()


def succeeded_since(incident: Incident, since: datetime, most: int) -> int:
    """How many successes of the workflow were received after `since`, counted up to `most`."""
    events = Event.objects.filter(
        tenant_id=incident.tenant_id,
        workflow_id=incident.workflow_id,
        kind=EventKind.SUCCESS,
        received_at__gt=since,
    )
    return events[:most].count()


def failures_in_hand(incident: Incident, until: datetime) -> bool:
    """Whether a failure of the workflow from before `until` still waits for stage `detect`."""
    waiting = Work.objects.filter(stage=detection.STAGE, tenant_id=incident.tenant_id)
    failures = Event.objects.filter(
        pk__in=waiting.values("subject_id"),
        workflow_id=incident.workflow_id,
        kind=EventKind.FAILURE,
        received_at__lte=until,
    )
    return failures.exists()
