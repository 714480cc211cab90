"""Small real servers on loopback that speak the documented paths of others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


# A status and a document, or "drop": the call is carried out and its answer lost.
Answer = tuple[int, Any] | str


@dataclass
class Server:
    """`answer` says what each call gets; all are remembered."""

    answer: Callable[[Call], Answer]
    url: str = ""
    calls: list[Call] = field(default_factory=list)

    def made(self) -> list[tuple[str, str]]:
        return [(call.method, call.path) for call in self.calls]


@contextmanager
def a_server(answer: Callable[[Call], Answer]) -> Iterator[Server]:
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(text) if text else None
            call = Call(self.command, self.path, headers, body)
            server.calls.append(call)
            got = server.answer(call)
            if isinstance(got, str):
                self.connection.close()
                return
            status, document = got
            reply = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815  (what the base class looks for)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
    server.url = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()


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
