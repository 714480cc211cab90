"""What a drill plays on: a tenant with the simulator's workflows, and short waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from bench.instance import Instance
from simulator.engine import Engine
from simulator.workflows import DEMO_DIRECTORY, Directory

if TYPE_CHECKING:
    from tenants.models import Tenant


@dataclass(frozen=True)
class Stage:
    """A running AWFDRS, the engine that fails for it, and a key that may also approve."""

    instance: Instance
    engine: Engine
    client: httpx.Client

    def ids(self) -> tuple[str, str]:
        """The tenant and one of its workflows."""
        directory = self.engine.directory
        return directory.tenant_id, directory.workflows[0].id

    @property
    def tenant_id(self) -> str:
        return self.engine.directory.tenant_id

    def workflow_id(self, name: str) -> str:
        return next(w.id for w in self.engine.directory.workflows if w.name == name)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(f"/api/v1{path}", params=parameters)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return self.client.post(f"/api/v1{path}", json=body)


@contextmanager
def a_stage(instance: Instance, seed: int | None = None) -> Iterator[Stage]:
    """A tenant of its own with the simulator's workflows, so that no scenario colours another.

    The same `seed`: the same names and numbers in what fails.
    """
    from tenants.models import Workflow

    directory, key = _make_tenant()
    headers = {"Authorization": f"Bearer {key}"}
    with (
        Engine(instance.url, key, delay_seconds=0.3, directory=directory, seed=seed) as engine,
        httpx.Client(base_url=instance.url, headers=headers, timeout=15, trust_env=False) as client,
    ):
        rows = Workflow.objects.filter(tenant_id=directory.tenant_id)
        rows.update(retry_url=engine.retry_url, retry_secret=engine.secret)
        yield Stage(instance, engine, client)


def _make_tenant() -> tuple[Directory, str]:
    """The tenant's workflows as the engine must name them, and a key that may also approve."""
    from django.utils import timezone

    from awfdrs_site.kernel.actor import Actor
    from safety.models import AutomationPolicy, Vendor
    from tenants.models import Scope, Tenant, Workflow
    from tenants.services import issue_key

    tenant = Tenant.objects.create(name=f"drill {uuid4().hex[:8]}")
    workflows = tuple(replace(workflow, id=str(uuid4())) for workflow in DEMO_DIRECTORY.workflows)
    for workflow in workflows:
        Workflow.objects.create(pk=workflow.id, tenant=tenant, name=workflow.name)
        # Limits and breakers out of the way: these drills are about recovery.
        Vendor.objects.create(
            tenant=tenant,
            name=workflow.vendor,
            requests_per_minute=100_000,
            failure_threshold=30_000,
        )
    _shorten_delays(tenant)
    AutomationPolicy.objects.create(tenant=tenant, verify_seconds=8)
    _, key = issue_key(
        tenant=tenant,
        name="drill",
        scopes=[Scope.INGEST, Scope.READ, Scope.ACT],
        actor=Actor("machine", "drill"),
        now=timezone.now(),
    )
    return Directory(str(tenant.pk), workflows), key


def _shorten_delays(tenant: Tenant) -> None:
    """Own retry policies, with the default ones' names and shapes but delays of at most 3 s."""
    from django.forms.models import model_to_dict

    from safety.models import RetryPolicy

    for policy in RetryPolicy.objects.filter(tenant=None):
        fields = model_to_dict(policy, exclude=["id", "tenant"])
        first, longest = fields["initial_delay_seconds"], fields["max_delay_seconds"]
        fields |= {"initial_delay_seconds": min(first, 0.5), "max_delay_seconds": min(longest, 3.0)}
        RetryPolicy.objects.create(tenant=tenant, **fields)


def worker_pid(up: int) -> int | None:
    """The process id of the celery worker below the supervisor `up`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if b"worker" in command and b"celery" in command and int(fields[1]) == up:
            return int(entry.name)
    return None
