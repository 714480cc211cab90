"""The retry protocol over HTTP: who is heard, what runs, how often, and what the ledger says."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from simulator.engine import Engine, ScenarioRun
from simulator.workflows import DEMO_DIRECTORY, Directory
from tests.simulator.fake_awfdrs import KEY, FakeAwfdrs
from tests.simulator.retry_client import RetryClient, headers_for, retry_body, sign

OTHER_SECRET = "whsec_" + "YW5vdGhlci10ZXN0LXNlY3JldC0wMDAwMDI="


def test_it_runs_the_failed_items_again_and_reports_success(
    client: RetryClient, run: ScenarioRun, awfdrs: FakeAwfdrs
) -> None:
    """202, then one success event a resource, with the run's own correlation id."""
    action_id = str(uuid4())
    answer = client.post(retry_body(run, action_id))
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert client.wait_until(action_id, "succeeded", "failed") == "succeeded"
    failures = awfdrs.wait_for_events(4)[:2]
    successes = awfdrs.events[2:]
    assert {event["event_type"] for event in failures} == {"payment.capture.timed_out"}
    assert {event["event_type"] for event in successes} == {"payment.capture.succeeded"}
    wanted = {(e["resource_type"], e["resource_id"], e["correlation_id"]) for e in failures}
    assert wanted == {
        (e["resource_type"], e["resource_id"], e["correlation_id"]) for e in successes
    }
    assert {event["payload"]["attempt"] for event in successes} == {2}


def test_it_reports_failure_until_enough_retries(
    client: RetryClient, engine: Engine, awfdrs: FakeAwfdrs
) -> None:
    """The first retry fails with a failure event, the second succeeds."""
    run = engine.run_scenario("payment-timeout", items=1, recovers_after=2)
    assert client.retry(run) == "failed"
    assert client.retry(run, attempt=2) == "succeeded"
    kinds = [event["event_type"].rsplit(".")[-1] for event in awfdrs.wait_for_events(3)]
    assert kinds == ["timed_out", "timed_out", "succeeded"]
    assert [event["payload"]["attempt"] for event in awfdrs.events] == [1, 2, 3]


def test_it_runs_all_failed_items_of_the_workflow_when_none_is_named(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """An empty list means everything failed of that workflow, and of no other."""
    other = engine.run_scenario("connection-reset", items=2)
    assert client.retry(run, resources=[]) == "succeeded"
    assert all(item.healed for item in run.items)
    assert not any(item.healed for item in other.items)


def test_it_runs_an_item_it_never_saw(
    client: RetryClient, run: ScenarioRun, awfdrs: FakeAwfdrs
) -> None:
    """An item of before a restart runs like a healthy one and is reported."""
    unseen = [{"resource_type": "payment", "resource_id": "pi_unseen"}]
    assert client.retry(run, resources=unseen) == "succeeded"
    last = awfdrs.wait_for_events(3)[-1]
    assert (last["resource_id"], last["correlation_id"]) == ("pi_unseen", run.correlation_ids[0])


def test_it_runs_without_a_correlation_id(client: RetryClient, run: ScenarioRun) -> None:
    """It may be empty or missing; the items know their own."""
    assert client.retry(run, correlation_id="") == "succeeded"
    assert client.retry(run, correlation_id=None, attempt=2) == "succeeded"


def test_it_does_not_run_a_healed_item_again(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """A second action for a payment that went through captures nothing twice."""
    assert client.retry(run) == "succeeded"
    assert client.retry(run, attempt=2) == "succeeded"
    assert set(engine.ledger()["item_runs"].values()) == {1}


def test_it_answers_the_same_key_with_duplicate_and_runs_nothing_twice(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """Same key, same request: 200 duplicate, whatever the time of asking."""
    action_id = str(uuid4())
    assert client.post(retry_body(run, action_id)).status_code == 202
    client.wait_until(action_id, "succeeded")
    again = client.post(retry_body(run, action_id, requested_at="2024-11-21T10:05:00+00:00"))
    assert (again.status_code, again.json()) == (200, {"status": "duplicate"})
    assert engine.ledger()["executions"] == {action_id: 1}
    verdicts = engine.ledger()["verdicts"]
    assert (verdicts["POST accepted"], verdicts["POST duplicate"]) == (1, 1)


def test_it_runs_one_of_many_simultaneous_requests_with_one_key(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """Seen red with the lock of Reruns.admit removed and a pause between look-up and store."""
    action_id = str(uuid4())
    body = retry_body(run, action_id)
    with ThreadPoolExecutor(16) as pool:
        codes = [a.status_code for a in pool.map(lambda _: client.post(body), range(32))]
    client.wait_until(action_id, "succeeded")
    assert sorted(codes) == [200] * 31 + [202]
    assert engine.ledger()["executions"] == {action_id: 1}


def test_it_answers_the_same_key_with_another_body_with_409(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """A key is one request; a second meaning is refused and not run."""
    action_id = str(uuid4())
    assert client.post(retry_body(run, action_id)).status_code == 202
    answer = client.post(retry_body(run, action_id, resources=[]))
    assert answer.status_code == 409
    client.wait_until(action_id, "succeeded")
    assert engine.ledger()["executions"] == {action_id: 1}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"workflow_id": str(uuid4())}, 404, id="unknown workflow"),
        pytest.param({"workflow_id": "payments.capture"}, 404, id="a name is no id"),
        pytest.param({"tenant_id": str(uuid4())}, 404, id="other tenant"),
        pytest.param({"workflow_id": None}, 400, id="no workflow"),
        pytest.param({"attempt": 0}, 400, id="attempt 0"),
        pytest.param({"attempt": "1"}, 400, id="attempt a string"),
        pytest.param({"attempt": True}, 400, id="attempt a boolean"),
        pytest.param({"resources": None}, 400, id="resources null"),
        pytest.param({"resources": ["pi_1"]}, 400, id="resources of strings"),
        pytest.param({"resources": [{"resource_type": "payment"}]}, 400, id="resource without id"),
        pytest.param({"correlation_id": 5}, 400, id="correlation id a number"),
    ],
)
def test_it_refuses_a_body_it_cannot_use(
    client: RetryClient,
    engine: Engine,
    run: ScenarioRun,
    changes: dict[str, Any],
    status: int,
) -> None:
    """Authentic, but wrong: answered, noted, nothing run."""
    answer = client.post(retry_body(run, str(uuid4()), **changes))
    assert answer.status_code == status
    assert engine.ledger()["executions"] == {}


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 400), (b"[" * 90_000, 400)]
)
def test_it_refuses_a_body_that_is_no_object(engine: Engine, body: bytes, status: int) -> None:
    """Signed nonsense is a 400, never a 500."""
    headers = headers_for(engine.secret, "a1", body)
    assert httpx.post(engine.retry_url, content=body, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"webhook_signature": "v1,AAAA"}, 401, id="wrong signature"),
        pytest.param({"webhook_timestamp": "1"}, 401, id="old"),
        pytest.param({"webhook_id": "other"}, 401, id="other id"),
        pytest.param({"idempotency_key": "other"}, 409, id="key is not the action's"),
        pytest.param({"idempotency_key": ""}, 400, id="no key"),
    ],
)
def test_it_refuses_headers(
    client: RetryClient, engine: Engine, run: ScenarioRun, headers: dict[str, str], status: int
) -> None:
    """Seen red with check_signature not called (the first three)."""
    answer = client.post(retry_body(run, str(uuid4())), **headers)
    assert answer.status_code == status
    assert engine.ledger()["executions"] == {}
    assert not any(item.healed for item in run.items)


def test_it_takes_the_workflow_in_the_address_too(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """By name or id; when it is not the body's, nothing runs."""
    body = retry_body(run, str(uuid4()))
    assert client.post(body, path="/crm.contact-sync").status_code == 409
    assert client.post(body, path="/nothing").status_code == 409
    assert engine.ledger()["executions"] == {}
    assert client.post(body, path="/payments.capture").status_code == 202
    assert client.post(body, path=f"/{run.workflow.id}").status_code == 200


def test_it_keeps_secrets_of_workflows_apart(awfdrs: FakeAwfdrs) -> None:
    """A workflow with its own secret does not accept the common one."""
    own = Directory(
        DEMO_DIRECTORY.tenant_id, DEMO_DIRECTORY.workflows, {"payments.capture": OTHER_SECRET}
    )
    with Engine(awfdrs.url, KEY, directory=own, delay_seconds=0.0) as engine:
        client = RetryClient(engine)
        run = engine.run_scenario("payment-timeout", items=1)
        body = retry_body(run, "a1")
        assert client.post(body).status_code == 401
        content, now = json.dumps(body).encode(), str(int(time.time()))
        signature = sign(OTHER_SECRET, "a1", int(now), content)
        answer = client.post(body, webhook_timestamp=now, webhook_signature=signature)
        assert answer.status_code == 202
        client.http.close()


def test_it_tells_the_status_of_a_key(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """accepted and running before the end, 404 for a key never received."""
    engine.control(delay_seconds=3_600)
    action_id = str(uuid4())
    client.post(retry_body(run, action_id))
    assert client.status(action_id).json() == {"status": "accepted"}
    assert client.status("never").status_code == 404
    assert engine.ledger()["executions"] == {}


def test_it_tells_the_status_only_to_the_secrets_holder(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """A signature for one key reads no other."""
    action_id = str(uuid4())
    client.post(retry_body(run, action_id))
    address = f"{engine.retry_url}/{action_id}"
    for headers in ({}, headers_for(engine.secret, "other", b"")):
        assert httpx.get(address, headers=headers).status_code == 401


def test_it_refuses_a_body_without_length_or_too_long(engine: Engine) -> None:
    """411 and 413, and the connection is closed."""
    chunked = httpx.post(engine.retry_url, content=iter([b"{}"]))
    assert (chunked.status_code, chunked.headers["connection"]) == (411, "close")
    address = engine.base_url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=10) as raw:
        raw.sendall(b"POST /retry HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n")
        assert b" 413 " in raw.recv(200)
