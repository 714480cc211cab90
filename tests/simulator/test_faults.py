"""Faults and controls of a drill: what is injected, what is run all the same, what is refused."""

import threading
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from simulator.engine import Engine, ScenarioRun
from tests.simulator.fake_awfdrs import FakeAwfdrs
from tests.simulator.retry_client import RetryClient, retry_body


@pytest.mark.parametrize(
    ("changes", "code", "runs"),
    [
        ({"mode": "status", "status": 500}, 500, 0),
        ({"mode": "status", "status": 503}, 503, 0),
        ({"mode": "status", "status": 500, "accept": True}, 500, 1),
        ({"mode": "hang", "hang_seconds": 0.05}, 202, 1),
    ],
)
def test_it_injects_answers(
    client: RetryClient,
    engine: Engine,
    run: ScenarioRun,
    changes: dict[str, Any],
    code: int,
    runs: int,
) -> None:
    """The answer asked for, with or without the work being done; the ledger names the fault."""
    engine.control(**changes)
    action_id = str(uuid4())
    assert client.post(retry_body(run, action_id)).status_code == code
    wanted = "succeeded" if runs else None
    if wanted:
        client.wait_until(action_id, wanted)
    else:
        assert client.status(action_id).status_code == 404
    assert engine.ledger()["executions"] == ({action_id: 1} if runs else {})
    entry = engine.ledger(action_id)["requests"][0]
    assert (entry["fault"], entry["answer"]) == (changes["mode"], code)


@pytest.mark.parametrize("accept", [True, False])
def test_it_drops_the_connection_after_receiving(
    client: RetryClient, engine: Engine, run: ScenarioRun, accept: bool
) -> None:
    """No answer; the caller learns only by asking for the status whether it ran."""
    engine.control(mode="drop", accept=accept, times=1)
    action_id = str(uuid4())
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(retry_body(run, action_id))
    if accept:
        assert client.wait_until(action_id, "succeeded") == "succeeded"
    else:
        assert client.status(action_id).status_code == 404
    entry = engine.ledger(action_id)["requests"][0]
    assert (entry["fault"], entry["answer"]) == ("drop", None)
    assert sum(engine.ledger()["executions"].values()) == int(accept)


def test_it_hangs_before_it_answers_and_stops_all_the_same(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """The caller's deadline passes, the work was taken in; stop does not wait for the hang."""
    engine.control(mode="hang", hang_seconds=600)
    client.http.timeout = httpx.Timeout(0.3)
    action_id = str(uuid4())
    with pytest.raises(httpx.ReadTimeout):
        client.post(retry_body(run, action_id))
    assert client.wait_until(action_id, "succeeded") == "succeeded"
    stopping = threading.Thread(target=engine.stop, daemon=True)
    stopping.start()
    stopping.join(20)
    assert not stopping.is_alive()


def test_it_injects_a_fault_so_many_times(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """After `times` requests the endpoint is normal again."""
    engine.control(mode="status", status=502, times=2)
    body = retry_body(run, str(uuid4()))
    assert [client.post(body).status_code for _ in range(4)] == [502, 502, 202, 200]


def test_it_can_be_a_target_without_idempotency(
    client: RetryClient, engine: Engine, run: ScenarioRun
) -> None:
    """Then the ledger shows that a caller sent twice: the guard is the caller's."""
    engine.control(honour_idempotency=False)
    action_id = str(uuid4())
    body = retry_body(run, action_id)
    assert [client.post(body).status_code for _ in range(2)] == [202, 202]
    deadline = time.monotonic() + 20
    while engine.ledger()["executions"].get(action_id) != 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert engine.ledger()["executed_more_than_once"] == [action_id]


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "explode"},
        {"status": 99},
        {"status": "500"},
        {"hang_seconds": -1},
        {"hang_seconds": 1e9},
        {"times": 0},
        {"methods": []},
        {"methods": [["POST"]]},
        {"accept": "yes"},
        {"unknown": 1},
    ],
)
def test_it_refuses_a_control_request(engine: Engine, changes: dict[str, Any]) -> None:
    """400, and nothing has changed."""
    before = engine.faults.as_dict()
    answer = httpx.post(f"{engine.base_url}/control", json={"delay_seconds": 5, **changes})
    assert answer.status_code == 400
    assert engine.faults.as_dict() == before


def test_it_is_controlled_over_http(engine: Engine, awfdrs: FakeAwfdrs) -> None:
    """/fail plays a scenario, /control sets a fault and ends an outage, /ledger and / tell."""
    played = httpx.post(
        f"{engine.base_url}/fail",
        json={"scenario": "vendor-outage", "items": 3, "wait_seconds": 20},
    )
    assert played.status_code == 202
    assert [event["fate"] for event in played.json()["events"]] == ["accepted"] * 3
    assert len(awfdrs.events) == 3
    assert httpx.get(f"{engine.base_url}/status").json()["outages"] == ["stripe"]
    ended = httpx.post(f"{engine.base_url}/control", json={"end_outage": "stripe"})
    assert ended.json()["outages_ended"] == 1
    httpx.post(f"{engine.base_url}/control", json={"mode": "status", "status": 503})
    assert httpx.post(engine.retry_url, content=b"{}").status_code == 503
    ledger = httpx.get(f"{engine.base_url}/ledger").json()
    assert (ledger["received"], ledger["executions"]) == (1, {})
    assert ledger["requests"][0]["verdict"] == "ignored"
    assert "vendor-outage" in httpx.get(engine.base_url).json()["scenarios"]


@pytest.mark.parametrize(
    ("method", "path", "content", "kind", "status"),
    [
        ("POST", "/fail", b'{"scenario":"nothing"}', "application/json", 404),
        ("POST", "/fail", b'{"scenario":["x"]}', "application/json", 404),
        ("POST", "/fail", b"{", "application/json", 400),
        ("POST", "/fail", b"[]", "application/json", 400),
        ("POST", "/fail", b'{"scenario":"bad-data","items":0}', "application/json", 400),
        ("POST", "/fail", b'{"scenario":"bad-data","items":1.5}', "application/json", 400),
        ("POST", "/fail", b'{"scenario":"bad-data","items":NaN}', "application/json", 400),
        ("POST", "/fail", b'{"scenario":"bad-data"}', "text/plain", 415),
        ("GET", "/nothing", b"", "application/json", 404),
        ("POST", "/ledger", b"{}", "application/json", 404),
    ],
)
def test_it_refuses_what_it_does_not_know(
    engine: Engine, method: str, path: str, content: bytes, kind: str, status: int
) -> None:
    """JSON answers, and a form of a foreign web page is never obeyed."""
    answer = httpx.request(
        method, engine.base_url + path, content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == status
    assert answer.json()["error"]
    assert engine.troubles.failed() == []
