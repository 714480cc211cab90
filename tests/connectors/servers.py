"""Small real servers on loopback that speak the documented paths of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.loopback import Answer, Call, listening

__all__ = ["Answer", "Call"]


@dataclass
class Server:
    """`answer` says what each call gets; all are remembered."""

    answer: Callable[[Call], Answer]
    url: str = ""
    calls: list[Call] = field(default_factory=list)

    def made(self) -> list[tuple[str, str]]:
        return [(call.method, call.path) for call in self.calls]

    def take(self, call: Call) -> Answer:
        self.calls.append(call)
        return self.answer(call)


@contextmanager
def a_server(answer: Callable[[Call], Answer]) -> Iterator[Server]:
    server = Server(answer)
    with listening(server.take) as server.url:
        yield server


class Airflow:
    """One DAG `etl` with one run, as the REST API has them; the token is the test's."""

    def __init__(self) -> None:
        self.state = "failed"
        self.failed_tasks = ["load", "report"]
        self.drops = False

    def __call__(self, call: Call) -> Answer:
        if call.headers.get("authorization") != "Bearer canary-of-airflow":
            return 401, {"title": "Unauthorized"}
        path = call.path.removeprefix("/api/v2")
        if path == "/dags?limit=1":
            return 200, {"dags": [{"dag_id": "etl"}], "total_entries": 1}
        if path == "/dags/etl/dagRuns/manual__2026-01-01T00%3A00%3A00%2B00%3A00":
            return 200, {"dag_id": "etl", "state": self.state}
        if (call.method, path) == ("POST", "/dags/etl/clearTaskInstances"):
            asked = call.body.get("task_ids", self.failed_tasks)
            cleared = [one for one in self.failed_tasks if one in asked]
            if cleared:
                self.state = "queued"
            named = [{"task_id": one, "dag_id": "etl"} for one in cleared]
            return "drop" if self.drops else (200, {"task_instances": named})
        return 404, {"title": "Not Found"}


class GitHub:
    """One run of a workflow, as the REST API has it."""

    def __init__(self) -> None:
        self.run = {"id": 7, "run_attempt": 1, "status": "completed", "conclusion": "failure"}
        self.drops = False
        self.forbids = False

    def __call__(self, call: Call) -> Answer:
        if call.headers.get("authorization") != "Bearer canary-of-github":
            return 401, {"message": f"Bad credentials: {call.headers.get('authorization')}"}
        if call.path == "/rate_limit":
            return 200, {"resources": {}}
        if (call.method, call.path) == ("GET", "/repos/acme/site/actions/runs/7"):
            return 200, self.run
        rerun = "/repos/acme/site/actions/runs/7/rerun-failed-jobs"
        if (call.method, call.path) == ("POST", rerun):
            if self.forbids:
                return 403, {"message": "Resource not accessible by canary-of-github"}
            self.run |= {"run_attempt": 2, "status": "queued", "conclusion": None}
            return "drop" if self.drops else (201, {})
        return 404, {"message": "Not Found"}
