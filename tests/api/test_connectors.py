"""Connectors by the API: shown without their secret, tested, their calls listed [A7]."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actions.models import Connector
from tests.cast import Cast
from tests.connectors.conftest import WHSEC, a_connector
from tests.connectors.servers import Server, a_server


@pytest.fixture
def server() -> Iterator[Server]:
    with a_server(lambda call: (200, {"you_sent": WHSEC})) as server:
        yield server


@pytest.fixture
def connector(cast: Cast, server: Server) -> Connector:
    return a_connector(cast.meridian, settings={"base_url": server.url}, dry_run=True)


def paths(connector: Connector) -> tuple[str, str]:
    base = f"/api/v1/connectors/{connector.pk}"
    return f"{base}/test", f"{base}/deliveries"


def test_it_lists_connectors_without_their_secret(cast: Cast, connector: Connector) -> None:
    answer = cast.api().get("/api/v1/connectors")
    [row] = answer.json()["results"]
    assert (row["name"], row["kind"], row["has_secret"], row["dry_run"]) == (
        "my-http", "http", True, True,
    )  # fmt: skip
    assert set(row) == {
        "id", "name", "kind", "settings", "has_secret", "dry_run", "is_enabled", "created_at",
    }  # fmt: skip
    assert WHSEC not in answer.content.decode()


def test_it_tests_a_connection_and_logs_the_call(
    cast: Cast, connector: Connector, server: Server
) -> None:
    """Also in a dry run: asking changes nothing."""
    test, deliveries = paths(connector)
    answer = cast.api().post(test, {}, content_type="application/json")
    assert answer.json() == {"certainty": "accepted", "status": 200, "detail": "HTTP 200"}
    [row] = cast.api().get(deliveries).json()["results"]
    assert server.made() == [("GET", "/")]
    assert (row["method"], row["status"], row["certainty"]) == ("GET", 200, "accepted")
    assert (f"http://{row['host']}", row["action_id"]) == (server.url, None)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_it_says_that_a_connection_does_not_work(
    cast: Cast, connector: Connector, server: Server, status: int
) -> None:
    server.answer = lambda call: (status, {})
    answer = cast.api().post(paths(connector)[0], {}, content_type="application/json")
    assert (answer.status_code, answer.json()["certainty"]) == (200, "refused")


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/", "file:///etc/passwd", "https://localhost.localdomain:1/"]
)
def test_it_tests_no_address_inside(cast: Cast, connector: Connector, url: str) -> None:
    """Whatever way such an address got into the row."""
    connector.settings = {"base_url": url}
    connector.save()
    answer = cast.api().post(paths(connector)[0], {}, content_type="application/json").json()
    assert (answer["certainty"], answer["status"]) == ("refused", 0)


def test_a_seal_that_does_not_open_is_told(cast: Cast, connector: Connector) -> None:
    other = a_connector(cast.northwind)
    Connector.objects.filter(pk=connector.pk).update(sealed=other.sealed)
    answer = cast.api().post(paths(connector)[0], {}, content_type="application/json").json()
    assert answer["certainty"] == "refused"
    assert "does not open" in answer["detail"]


@pytest.mark.parametrize(("who", "status"), [("anna", 200), ("alice", 403), ("vera", 403)])
def test_admins_test_connections(cast: Cast, connector: Connector, who: str, status: int) -> None:
    client = cast.client_as(who, headers={"X-Tenant-ID": str(cast.meridian.pk)})
    answer = client.post(paths(connector)[0], {}, content_type="application/json")
    assert answer.status_code == status
    assert client.get(paths(connector)[1]).status_code == 200


def test_a_body_with_unknown_fields_is_refused(cast: Cast, connector: Connector) -> None:
    body = {"url": "https://example.org"}
    answer = cast.api().post(paths(connector)[0], body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
