"""Which failures are the same failure: the signature of an event.

The first of these that the event has decides:

1. `fingerprint`: the sender's own. It counts within one workflow; one that starts with `tenant:`
   counts across all workflows of the tenant (the sender says that they fail as one).
2. `code`: the normalised error code and the workflow. A code that says nothing (`unknown`,
   `error`, `0`) is passed over, or unlike failures would share an incident.
3. `template`: the shape of the message (see `template.py`) and the workflow.
4. `template` with the event type, when there is neither code nor message.

A person may have split the failures of a signature: then `pin`, see pins.py.

A signature means something within one tenant only; the tenant is not part of the digest.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from incidents.detecting.template import shape_of, template_of
from safety.codes import telling_code

SHARED_PREFIX = "tenant:"

SignatureKind = Literal["fingerprint", "code", "template", "pin"]


@dataclass(frozen=True, slots=True)
class Signature:
    """`digest`: 32 hex characters, equal for equal failures. `text`: the same for people."""

    kind: SignatureKind
    text: str
    digest: str


def signature_of(
    *, workflow_id: str, event_type: str, error_code: str, error_message: str, fingerprint: str
) -> Signature:
    """The signature of one event; absent values are "". Pure and deterministic."""
    if mark := " ".join(fingerprint.split()):
        scope = "" if mark.startswith(SHARED_PREFIX) else workflow_id
        return Signature("fingerprint", mark, digest_of("fingerprint", scope, mark))
    if code := telling_code(error_code):
        return Signature("code", code, digest_of("code", workflow_id, code))
    template = template_of(error_message)
    if shape := shape_of(template):
        return Signature("template", template, digest_of("template", workflow_id, shape))
    return Signature("template", event_type, digest_of("event_type", workflow_id, event_type))


def group_messages(messages: list[str]) -> list[str]:
    """One group id per message, from the message alone: equal ids, same failure."""
    return [shape_of(template_of(message)) for message in messages]


def digest_of(*parts: str) -> str:
    """128 bits over the parts; the lengths keep ("ab", "c") and ("a", "bc") apart."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        hashed.update(len(raw).to_bytes(4, "big") + raw)
    return hashed.hexdigest()
