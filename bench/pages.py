"""G5: what a page and a read of the API cost the database, as the events grow.

Each is asked for in this process, with its tenant's month in tables of three sizes. Its queries are
timed, and run once more under EXPLAIN (ANALYZE, BUFFERS) to see how many 8 kB blocks they touch.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench import filling

SIZES = {"small": (10_000, 100_000), "full": (10_000, 100_000, 1_000_000)}
# Together with the table of the other measures in a few minutes.
SCALE = "small"
ROUNDS = 9
PATHS = [
    "/",
    "/?range=12h",
    "/?range=7d",
    "/incidents/",
    "/incidents/?q=status%3Aresolved",
    "/incidents/?q=status%3Aopen+owner%3Ame",
    "/incidents/{incident}/",
    "/incidents/{storm}/",
    "/incidents/{storm}/failures",
    "/incidents/{storm}/precedents",
    "/incidents/{storm}/around",
    "/incidents/{storm}/events",
    "/approvals/",
    "/actions/",
    "/recoveries/",
    "/recoveries/{recovery}/",
    "/learning/",
    "/safety/",
    "/safety/stops",
    "/rules/",
    "/workflows/",
    "/workflows/{workflow}/",
    "/workflows/{workflow}/?range=7d",
    "/audit/",
    "/audit/?actor=Bea+Bench",
    "/audit/?verb=paged",
    "/settings/",
    "/settings/members",
    "/settings/keys",
    "/api/v1/events",
    "/api/v1/events/{event}",
    "/api/v1/incidents",
    "/api/v1/incidents/{storm}",
    "/api/v1/incidents/{storm}/events",
    "/api/v1/incidents/{storm}/timeline",
    "/api/v1/incidents/{incident}/similar",
    "/api/v1/actions",
    "/api/v1/actions/{action}",
    "/api/v1/decisions",
    "/api/v1/decisions/{decision}",
    "/api/v1/approvals",
    "/api/v1/recoveries",
    "/api/v1/learning",
    "/api/v1/safety/limits",
    "/api/v1/audit",
    "/api/v1/workflows",
]


def sizes() -> tuple[int, ...]:
    """How many events are filled in, by the environment's SCALE; KeyError for one there is not."""
    return SIZES[os.environ.get("SCALE") or SCALE]


@dataclass(frozen=True)
class Cost:
    """Of one page: its queries, the median of their time together, the blocks they touch."""

    queries: int
    seconds: float
    buffers: int
    worst: str


@contextmanager
def _caught() -> Iterator[list[tuple[str, Any, float]]]:
    from django.db import connection

    seen: list[tuple[str, Any, float]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            seen.append((sql, params, time.perf_counter() - start))

    with connection.execute_wrapper(note):
        yield seen


def cost_of(client: Any, path: str) -> Cost:
    """Ask for the path some times; raises RuntimeError if it does not answer 200."""
    times = []
    for _ in range(ROUNDS + 1):
        with _caught() as seen:
            answer = client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")
        times.append(sum(seconds for _, _, seconds in seen))
    asked = [(sql, params) for sql, params, _ in seen if "SELECT" in sql[:80]]
    touched = [(_buffers(sql, params), sql) for sql, params in asked]
    most, sql = max(touched)
    return Cost(
        len(asked), median(times[1:]), sum(count for count, _ in touched), f"{most} {sql[:160]}"
    )


def _buffers(sql: str, params: Any) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, params)
        [document] = cursor.fetchone()
    plan = (json.loads(document) if isinstance(document, str) else document)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def measure() -> dict[str, list[Cost]]:
    """The costs of each path, by size, smallest first; on the database in reach."""
    from django.contrib.auth.models import User
    from django.test import Client, override_settings
    from django.utils import timezone

    from actions.plans.templates import ensure_default_plans
    from awfdrs_site.kernel.actor import MACHINE
    from tenants.models import Role, Tenant, Workflow
    from tenants.services import create_tenant, set_member

    now = timezone.now()
    ensure_default_plans(now)
    tenant: Tenant = create_tenant(name="A month", actor=MACHINE, now=now)
    user = User.objects.create_user(f"bea-{time.time_ns()}", first_name="Bea", last_name="Bench")
    set_member(tenant=tenant, user=user, role=Role.ADMIN, actor=MACHINE, now=now)
    workflows = [
        Workflow.objects.create(tenant=tenant, name=f"bench.work-{n}")
        for n in range(filling.WORKFLOWS)
    ]
    costs: dict[str, list[Cost]] = {path: [] for path in PATHS}
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        for events in sizes():
            start = time.perf_counter()
            ids = filling.fill(tenant, workflows, user, events, timezone.now()).ids
            print(f"{events:,} events in {time.perf_counter() - start:.0f} s", file=sys.stderr)
            client = Client()
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            client.get("/")
            for path in PATHS:
                costs[path].append(cost_of(client, path.format(**ids)))
    return costs
