"""What is broken: incidents, the events in them, what still fails, and the timeline."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from awfdrs_site.kernel.ids import uuid7
from incidents.listing.view_models import SavedView
from incidents.ranking import severity_rank
from incidents.regrouping.pin_models import GroupingPin
from incidents.states import CLOSED, IncidentStatus, Recovery
from incidents.triage.mentions import Piece, pieces
from ingestion.models import Event
from safety.models import Severity
from tenants.models import Tenant, Workflow

__all__ = [
    "FailingResource",
    "GroupingPin",
    "Incident",
    "IncidentEvent",
    "MemberCount",
    "SavedView",
    "TimelineEntry",
    "TimelineKind",
]


class StandingIncidents(models.Manager["Incident"]):
    """All but those that were merged into another: nobody lists them or acts on them."""

    def get_queryset(self) -> models.QuerySet[Incident]:
        return super().get_queryset().filter(merged_into=None)


class Incident(models.Model):
    """All failures of one signature until they stop. At most one is open per tenant and signature.

    One that was merged keeps its row as it was, out of sight of `objects`; only its counts and
    times of events go on, so that a split has just to take them off the survivor's (merging.py).

    `signature` is a digest (text in a btree index fails over 2,704 bytes); `signature_text` is
    what people read. Times are of receipt; `resolved_at` is kept when it reopens.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False)
    number = models.PositiveIntegerField()
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT)
    vendor = models.CharField(max_length=100, blank=True)
    signature = models.CharField(max_length=32)
    signature_kind = models.CharField(max_length=12)
    signature_text = models.TextField()
    title = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=IncidentStatus, default=IncidentStatus.NEW)
    recovery = models.CharField(max_length=10, choices=Recovery, default=Recovery.NONE, blank=True)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.MEDIUM)
    category = models.CharField(max_length=64, default="unknown")
    event_count = models.PositiveIntegerField(default=0)
    reopen_count = models.PositiveIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    # Start of the present opening; the first event's receipt, or the regression's.
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    escalated_at = models.DateTimeField(null=True)
    # When a person last closed it or decided in it. Triggers keep it (actions/migrations), for
    # the figures of recovery.
    handled_at = models.DateTimeField(null=True, editable=False)
    # Snoozed since; until then, or without an end by the clock until it recovers (snoozing.py).
    snoozed_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    snoozed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    correlation_id = models.CharField(max_length=128, blank=True)
    # Where its failures are counted now; that one may be merged in turn.
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    merged_at = models.DateTimeField(null=True)

    objects = StandingIncidents()
    everything: ClassVar[models.Manager[Incident]] = models.Manager()

    class Meta:
        constraints = [
            # The lock behind I1: two workers cannot open two incidents for one signature.
            models.UniqueConstraint(
                fields=["tenant", "signature"],
                condition=~Q(status=IncidentStatus.RESOLVED) & Q(merged_into=None),
                name="incident_one_open_per_signature",
            ),
            models.UniqueConstraint(fields=["tenant", "number"], name="incident_number"),
            models.CheckConstraint(
                condition=Q(status__in=IncidentStatus.values), name="incident_status"
            ),
            models.CheckConstraint(
                condition=~Q(status=IncidentStatus.RESOLVED) | Q(resolved_at__isnull=False),
                name="incident_resolved_has_time",
            ),
            models.CheckConstraint(
                condition=Q(snoozed_at__isnull=True, snoozed_until__isnull=True)
                | Q(snoozed_at__isnull=False)
                & ~Q(status__in=[IncidentStatus.RESOLVED, IncidentStatus.IGNORED]),
                name="incident_snoozed_is_open",
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True, merged_at__isnull=True)
                | Q(merged_into__isnull=False, merged_at__isnull=False) & ~Q(merged_into=F("id")),
                name="incident_merged_at_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "status", "-last_seen_at"], name="incident_by_status"),
            models.Index(fields=["tenant", "-last_seen_at"], name="incident_by_time"),
            models.Index(fields=["tenant", "signature", "-resolved_at"], name="incident_by_sig"),
            # What the figures of recovery count: what ended, and what began, since then. Of what
            # ended all that they ask, so that no incident is read for them.
            models.Index(
                fields=["tenant", "-resolved_at"],
                include=["opened_at", "escalated_at", "handled_at", "workflow"],
                name="incident_by_end",
                condition=Q(status=IncidentStatus.RESOLVED, merged_into=None),
            ),
            models.Index(fields=["tenant", "-opened_at"], name="incident_by_start"),
            # The list's own order; whatever else is asked, few rows of it are read.
            models.Index(
                "tenant",
                severity_rank(),
                F("last_seen_at").desc(),
                F("id").desc(),
                name="incident_by_severity",
                condition=Q(merged_into=None),
            ),
            models.Index(
                fields=["merged_into"], name="incident_merged", condition=~Q(merged_into=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.title}"

    @property
    def label(self) -> str:
        return f"INC-{self.number}"

    def is_snoozed(self, now: datetime) -> bool:
        """Whether nobody wants to hear of it at `now`."""
        until = self.snoozed_until
        return self.snoozed_at is not None and (until is None or until > now)

    @property
    def state(self) -> str:
        """One word for people: how the incident stands, the most telling fact first."""
        if self.merged_into_id:
            return "merged"
        if self.status in CLOSED:
            return self.status
        words = {
            Recovery.WAITING: "waiting",
            Recovery.RUNNING: "recovering",
            Recovery.VERIFYING: "recovering",
            Recovery.BLOCKED: "blocked",
            Recovery.ESCALATED: "escalated",
        }
        default = "acknowledged" if self.acknowledged_at else "open"
        return words.get(Recovery(self.recovery), default)


def _origin() -> models.ForeignKey[Incident | None, Incident | None]:
    """Which merged incident a row would be in, had there been no merge; None: the one it is in."""
    return models.ForeignKey(
        Incident, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )


class IncidentEvent(models.Model):
    """An event's place in an incident; events themselves never change."""

    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    origin = _origin()
    event = models.OneToOneField(Event, on_delete=models.CASCADE, related_name="membership")

    class Meta:
        indexes = [models.Index(fields=["incident", "-event"], name="incident_event_newest")]

    def __str__(self) -> str:
        return f"{self.event_id} in {self.incident_id}"


class MemberCount(models.Model):
    """How many events of an incident came in within a minute; a trigger keeps it (trends.py)."""

    pk = models.CompositePrimaryKey("incident_id", "at")
    # No foreign key: the rows go when the members do.
    incident_id = models.UUIDField()
    at = models.DateTimeField()
    events = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.events} from {self.at}"


class FailingResource(models.Model):
    """One thing an incident broke (an order, a contact) and whether it has recovered.

    The empty resource stands for failures that name none. An incident is over when nothing in it
    still fails, and a retry asks for just what does. After a merge the same thing may stand in it
    once for each origin, so that a split tells them apart again; who counts things counts names.
    """

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="resources")
    origin = _origin()
    resource_type = models.CharField(max_length=100, blank=True)
    resource_id = models.CharField(max_length=255, blank=True)
    failed_at = models.DateTimeField()
    recovered_at = models.DateTimeField(null=True)
    # The last recovery asked for it, and under which decision: what a cooldown looks at [S7].
    retried_at = models.DateTimeField(null=True)
    retried_under = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "origin", "resource_type", "resource_id"],
                nulls_distinct=False,
                name="failing_resource_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.resource_type} {self.resource_id}".strip() or "the workflow"


class TimelineKind(models.TextChoices):
    OPENED = "opened", "Opened"
    EVENTS = "events", "Events"
    LATE = "late", "Late event"
    CLASSIFIED = "classified", "Classified"
    DECIDED = "decided", "Decided"
    GATE = "gate", "Gate"
    ACTION = "action", "Action"
    APPROVAL = "approval", "Approval"
    ESCALATED = "escalated", "Escalated"
    STATUS = "status", "Status"
    RESOLVED = "resolved", "Resolved"
    REOPENED = "reopened", "Reopened"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    ASSIGNED = "assigned", "Assigned"
    SNOOZED = "snoozed", "Snoozed"
    WOKEN = "woken", "Woken"
    MERGED = "merged", "Merged"
    SPLIT = "split", "Split"
    PINNED = "pinned", "Split for good"
    UNDONE = "undone", "Taken back"
    COMMENT = "comment", "Comment"
    CHANGE = "change", "Change"


class TimelineEntry(models.Model):
    """One step in an incident's story: by the machine, a person or the sender."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False)
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="timeline", db_index=False
    )
    origin = _origin()
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=8)
    actor = models.CharField(max_length=150)
    kind = models.CharField(max_length=12, choices=TimelineKind)
    text = models.TextField()
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["incident", "-id"], name="timeline_of_incident"),
            models.Index(fields=["tenant", "-id"], name="timeline_feed"),
            # Whether a person had a hand in it: few entries say so.
            models.Index(
                fields=["incident", "at"],
                name="timeline_by_person",
                condition=Q(actor_kind="person", kind__in=["resolved", "approval"]),
            ),
        ]
        verbose_name_plural = "timeline entries"

    def __str__(self) -> str:
        return self.text

    @property
    def pieces(self) -> list[Piece]:
        """A comment's text with the members it names."""
        return pieces(self.text, self.data.get("mentions", []))


class Mention(models.Model):
    """A member whom a comment names; unseen until they have opened the incident since."""

    entry = models.ForeignKey(
        TimelineEntry, on_delete=models.CASCADE, related_name="mentions", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["entry", "user"], name="mention_once")]
        indexes = [models.Index(fields=["user", "-entry"], name="mention_of_person")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.entry_id}"
