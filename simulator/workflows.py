"""The four demo workflows: ids, vendors, event types, and what one run looks like."""

import random
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

DEMO_TENANT_ID = "00000000-0000-0000-0000-000000000001"
# As public as the demo's passwords: used without being asked for on a loopback address only.
DEMO_SECRET = "whsec_YXdmZHJzLWRlbW8tcmV0cnktc2VjcmV0LTMyYnl0ZXM="  # noqa: S105
_BASE62 = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Resource:
    """What a run works on, as it is named in events: ``payment`` ``pi_3Qx…``."""

    type: str
    id: str


@dataclass(frozen=True)
class Workflow:
    """One workflow of the engine; `share` is its part of all runs, durations are in ms."""

    name: str
    id: str
    vendor: str
    resource_type: str
    succeeded_type: str
    failed_type: str
    share: float
    duration_ms: tuple[int, int]
    new_resource_id: Callable[[random.Random], str]
    details: Callable[[random.Random], dict[str, Any]]

    def new_resource(self, rng: random.Random) -> Resource:
        """A fresh resource for one run."""
        return Resource(self.resource_type, self.new_resource_id(rng))


@dataclass(frozen=True)
class Directory:
    """Which tenant and which workflow ids this engine speaks for, and their signing secrets."""

    tenant_id: str
    workflows: tuple[Workflow, ...]
    secrets: Mapping[str, str] = field(default_factory=dict)

    def find(self, name_or_id: str) -> Workflow | None:
        """The workflow of that name or id, or None."""
        wanted = name_or_id.lower()
        return next((w for w in self.workflows if wanted in (w.name, w.id)), None)


def _base62(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(_BASE62, k=length))


def _payment_id(rng: random.Random) -> str:
    return "pi_3Q" + _base62(rng, 22)


def _contact_id(rng: random.Random) -> str:
    return "003Qy" + _base62(rng, 13)


def _email_id(rng: random.Random) -> str:
    return "em_" + _base62(rng, 20)


def _batch_id(rng: random.Random) -> str:
    day = datetime.now(UTC).strftime("%Y%m%d")
    return f"wms-{day}-{rng.randrange(10_000):04d}{rng.choice(string.ascii_lowercase)}"


def _payment(rng: random.Random) -> dict[str, Any]:
    amount = round(rng.lognormvariate(3.6, 0.7), 2)
    return {
        "amount_minor": int(amount * 100),
        "currency": rng.choices(("EUR", "GBP", "USD"), (5, 3, 4))[0],
        "customer": "cus_" + _base62(rng, 14),
        "capture_method": "automatic",
    }


def _contact(rng: random.Random) -> dict[str, Any]:
    return {
        "object": "Contact",
        "operation": rng.choice(("upsert", "upsert", "update")),
        "fields_changed": rng.randint(1, 9),
        "source": rng.choice(("web-shop", "support-desk", "newsletter")),
    }


def _email(rng: random.Random) -> dict[str, Any]:
    return {
        "template": rng.choice(("receipt-v4", "refund-v2", "receipt-v4")),
        "locale": rng.choice(("en-GB", "de-DE", "fr-FR", "en-US")),
        "attachment_bytes": rng.randrange(18_000, 96_000),
    }


def _batch(rng: random.Random) -> dict[str, Any]:
    return {
        "rows": rng.randrange(200, 5_000),
        "warehouse": rng.choice(("AMS1", "LEJ2", "BHX1")),
        "step": rng.choice(("extract", "reconcile", "load")),
    }


def _workflow_id(number: int) -> str:
    return f"10000000-0000-0000-0000-{number:012d}"


WORKFLOWS: tuple[Workflow, ...] = (
    Workflow(
        name="payments.capture",
        id=_workflow_id(1),
        vendor="stripe",
        resource_type="payment",
        succeeded_type="payment.capture.succeeded",
        failed_type="payment.capture.failed",
        share=0.45,
        duration_ms=(180, 900),
        new_resource_id=_payment_id,
        details=_payment,
    ),
    Workflow(
        name="crm.contact-sync",
        id=_workflow_id(2),
        vendor="salesforce",
        resource_type="contact",
        succeeded_type="contact.sync.completed",
        failed_type="contact.sync.failed",
        share=0.25,
        duration_ms=(250, 1_800),
        new_resource_id=_contact_id,
        details=_contact,
    ),
    Workflow(
        name="email.receipt-send",
        id=_workflow_id(3),
        vendor="sendgrid",
        resource_type="email",
        succeeded_type="receipt.send.succeeded",
        failed_type="receipt.send.failed",
        share=0.25,
        duration_ms=(90, 600),
        new_resource_id=_email_id,
        details=_email,
    ),
    Workflow(
        name="warehouse.pipeline",
        id=_workflow_id(4),
        vendor="netsuite",
        resource_type="batch",
        succeeded_type="warehouse.batch.completed",
        failed_type="warehouse.batch.failed",
        share=0.05,
        duration_ms=(4_000, 42_000),
        new_resource_id=_batch_id,
        details=_batch,
    ),
)

DEMO_DIRECTORY = Directory(DEMO_TENANT_ID, WORKFLOWS)


class IdsFileError(Exception):
    """The ids file cannot be used; the text is one line for the person who wrote it."""


def _uuid(value: object, name: str) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError as error:
        raise IdsFileError(f"{name} is not a uuid") from error


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise IdsFileError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise IdsFileError(f"{path} is neither YAML nor JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("workflows", {}), dict):
        raise IdsFileError(f"{path} needs tenant_id and a mapping named workflows")
    return document


def load_directory(path: Path) -> Directory:
    """The directory an ids file describes (YAML or JSON); IdsFileError says what is wrong.

    ``{tenant_id: uuid, workflows: {name: uuid | {id: uuid, secret: whsec_…}}}``; what it does not
    name keeps the demo's value.
    """
    document = _read_mapping(path)
    entries: dict[str, Any] = document.get("workflows", {})
    unknown = sorted(set(entries) - {workflow.name for workflow in WORKFLOWS})
    if unknown:
        raise IdsFileError(f"unknown workflow {unknown[0]!r} in {path}")
    workflows, secrets = [], {}
    for workflow in WORKFLOWS:
        entry = entries.get(workflow.name, workflow.id)
        if isinstance(entry, dict):
            if entry.get("secret"):
                secrets[workflow.name] = str(entry["secret"])
            entry = entry.get("id", workflow.id)
        workflows.append(replace(workflow, id=_uuid(entry, workflow.name)))
    tenant_id = _uuid(document.get("tenant_id", DEMO_TENANT_ID), "tenant_id")
    return Directory(tenant_id, tuple(workflows), secrets)
