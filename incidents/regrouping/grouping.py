"""Why the failures of an incident are taken for one: what its signature is made of [I2 I6]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from incidents.detecting.signature import SHARED_PREFIX
from incidents.detecting.template import taken_out
from incidents.models import GroupingPin, Incident
from incidents.selectors import incidents_for, merged_into, pins_for
from incidents.states import CLOSED
from ingestion.models import Event

_ABOUT = {
    "fingerprint": "The sender's own fingerprint says that these are one failure.",
    "code": "They have the same error code in the same workflow.",
    "template": "Their messages are the same in the same workflow, but for what varies.",
}
_SPLIT = "A person split these off: a pin decides, before the grouper."
_NO_PIN = "A person split these off. The pin was removed: new failures are grouped as before."
_BY_TYPE = "They have neither a code nor a message, but the same event type in the same workflow."


@dataclass(frozen=True)
class Part:
    """One piece of a signature, in words."""

    name: str
    value: str


@dataclass(frozen=True)
class PinRow:
    """A pin on the incident's signature, or the one that `made` it; `other`: the newest incident
    at the pin's other end, if there is one; `is_fresh`: both are open, so it can be undone."""

    pin: GroupingPin
    made: bool
    other: Incident | None
    is_fresh: bool


@dataclass(frozen=True)
class Grouping:
    """`parts` make the signature; `taken_out`: mask and value, of the `example`'s message;
    `merged`: the incidents whose failures are counted here because a person said so; `pins`: what
    people split off here for good, and off what this was split."""

    kind: str
    about: str
    parts: Sequence[Part]
    taken_out: Sequence[tuple[str, str]]
    example: Event | None
    merged: Sequence[Incident]
    pins: Sequence[PinRow]


def grouping_of(incident: Incident) -> Grouping:
    """By three queries, with pins four; the example is the newest event that its own signature
    brought."""
    own = Event.objects.filter(membership__incident=incident, membership__origin=None)
    example = own.select_related("workflow").order_by("-id").first()
    message = example.error_message if example else ""
    by_template = incident.signature_kind == "template"
    by_type = by_template and example is not None and not message.strip()
    pins = _pins(incident)
    about = _BY_TYPE if by_type else _ABOUT.get(incident.signature_kind, "")
    if incident.signature_kind == "pin":
        about = _SPLIT if any(row.made for row in pins) else _NO_PIN
    return Grouping(
        incident.signature_kind,
        about,
        list(_parts(incident, "event type" if by_type else incident.signature_kind)),
        taken_out(message) if by_template else [],
        example,
        merged_into(incident),
        pins,
    )


def _pins(incident: Incident) -> list[PinRow]:
    """The one that made it first, then those on it, the newest first."""
    ours = Q(signature=incident.signature) | Q(splits=incident.signature)
    pins = list(pins_for(incident.tenant).filter(ours).order_by("-id"))
    if not pins:
        return []
    ends = {pin.splits for pin in pins} | {pin.signature for pin in pins}
    others = incidents_for(incident.tenant).filter(signature__in=ends).exclude(pk=incident.pk)
    newest = {one.signature: one for one in others.order_by("number")}
    rows = []
    for pin in pins:
        made = pin.signature == incident.signature
        other = newest.get(pin.splits if made else pin.signature)
        is_fresh = other is not None and not {incident.status, other.status} & {*CLOSED}
        rows.append(PinRow(pin, made, other, is_fresh))
    return sorted(rows, key=lambda row: not row.made)


def _parts(incident: Incident, kind: str) -> list[Part]:
    names = {"code": "error code", "template": "message", "pin": "split off"}
    parts = [Part(names.get(kind, kind), incident.signature_text)]
    if kind == "fingerprint" and incident.signature_text.startswith(SHARED_PREFIX):
        return [*parts, Part("workflow", "any of the tenant")]
    return [*parts, Part("workflow", incident.workflow.name)]
