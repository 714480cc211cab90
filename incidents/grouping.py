"""Why the failures of an incident are taken for one: what its signature is made of [I2 I6]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incidents.models import Incident
from incidents.selectors import merged_into
from incidents.signature import SHARED_PREFIX
from incidents.template import taken_out
from ingestion.models import Event

_ABOUT = {
    "fingerprint": "The sender's own fingerprint says that these are one failure.",
    "code": "They have the same error code in the same workflow.",
    "template": "Their messages are the same in the same workflow, but for what varies.",
}
_BY_TYPE = "They have neither a code nor a message, but the same event type in the same workflow."


@dataclass(frozen=True)
class Part:
    """One piece of a signature, in words."""

    name: str
    value: str


@dataclass(frozen=True)
class Grouping:
    """`parts` make the signature; `taken_out`: mask and value, of the `example`'s message;
    `merged`: the incidents whose failures are counted here because a person said so."""

    kind: str
    about: str
    parts: Sequence[Part]
    taken_out: Sequence[tuple[str, str]]
    example: Event | None
    merged: Sequence[Incident]


def grouping_of(incident: Incident) -> Grouping:
    """By three queries; the example is the newest event that its own signature brought."""
    own = Event.objects.filter(membership__incident=incident, membership__origin=None)
    example = own.select_related("workflow").order_by("-id").first()
    message = example.error_message if example else ""
    by_template = incident.signature_kind == "template"
    by_type = by_template and example is not None and not message.strip()
    return Grouping(
        incident.signature_kind,
        _BY_TYPE if by_type else _ABOUT.get(incident.signature_kind, ""),
        list(_parts(incident, "event type" if by_type else incident.signature_kind)),
        taken_out(message) if by_template else [],
        example,
        merged_into(incident),
    )


def _parts(incident: Incident, kind: str) -> list[Part]:
    names = {"code": "error code", "template": "message"}
    parts = [Part(names.get(kind, kind), incident.signature_text)]
    if kind == "fingerprint" and incident.signature_text.startswith(SHARED_PREFIX):
        return [*parts, Part("workflow", "any of the tenant")]
    return [*parts, Part("workflow", incident.workflow.name)]
