"""Engines and settings that misbehave: a call is over in time, and one bad row stops no other."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.utils import timezone

from actions import asking, retry_call, sending
from actions.catalog import retry as catalog_retry
from actions.models import Action
from actions.retry_call import Endpoint, ask_status, request_retry
from tenants.models import Workflow
from tests.actions.conftest import SECRET
from tests.actions.target import Target

Planned = Callable[..., Action]


@contextmanager
def a_dripping_engine(first: bytes) -> Iterator[str]:
    """Answers `first`, then one byte every 50 ms for as long as anybody listens."""
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            try:
                connection.sendall(first)
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/retry"
    finally:
        server.close()


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 60000\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nX-Slow: ",
    ],
    ids=["body", "headers"],
)
def test_a_dripping_answer_is_given_up_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    """Each byte comes in time, the whole never does: the call ends, and is in doubt."""
    monkeypatch.setattr(retry_call, "DEADLINE_SECONDS", 0.4)
    answers: list[retry_call.Outcome] = []

    def call(url: str) -> None:
        endpoint = Endpoint(url, SECRET, ("127.0.0.1",))
        answers.append(request_retry(endpoint, "key", {}, timezone.now()))

    with a_dripping_engine(first) as url:
        caller = threading.Thread(target=call, args=(url,), daemon=True)
        caller.start()
        caller.join(20)
        assert [answer.certainty for answer in answers] == ["unknown"]


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://127.0.0.1:9/retry", "whsec_not base64"),
        ("http://127.0.0.1:99999/retry", SECRET),
        ("http://[::1/retry", SECRET),
    ],
    ids=["secret", "port", "address"],
)
def test_a_setting_nobody_can_use_is_a_refusal_and_no_crash(url: str, secret: str) -> None:
    """Nothing was sent, and that is certain; asked about a call, nothing is known."""
    endpoint = Endpoint(url, secret, ("127.0.0.1", "[::1]"))
    assert request_retry(endpoint, "key", {}, timezone.now()).certainty == "refused"
    assert ask_status(endpoint, "key", timezone.now()).certainty == "unknown"


@pytest.mark.django_db
def test_an_action_in_doubt_with_a_broken_secret_holds_up_no_other(
    planned: Planned, target: Target, workflow: Workflow
) -> None:
    """Two actions are in doubt, the first engine's secret was spoilt since: the second is asked."""
    target.answers = ["drop"]
    broken, other = planned(), planned()
    sending.run_due()
    spoilt = Workflow.objects.create(
        tenant=workflow.tenant, name="spoilt", retry_url=target.url, retry_secret="whsec_no"
    )
    type(broken.incident).objects.filter(pk=broken.incident_id).update(workflow=spoilt)
    Action.objects.update(due_at=timezone.now())
    asking.run_due(timezone.now())
    states = dict(Action.objects.values_list("pk", "status"))
    assert states == {broken.pk: "unknown", other.pk: "verifying"}


@pytest.mark.django_db
def test_what_is_in_doubt_is_asked_after_by_one_worker_at_a_time(
    planned: Planned, target: Target
) -> None:
    """While one worker waits for the engine's word, another does not ask the same."""
    target.answers = ["drop"]
    planned()
    sending.run_due()
    Action.objects.update(due_at=timezone.now())
    asked: list[str] = []

    def ask(endpoint: Endpoint, key: str, now: object) -> retry_call.Outcome:
        asked.append(key)
        if len(asked) == 1:
            asking.run_due(timezone.now())
        return retry_call.Outcome("unknown", 0, "no answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog_retry, "ask_status", ask)
        asking.run_due(timezone.now())
    assert len(asked) == 1
    assert Action.objects.get().result["asked"] == 1
