"""The OpenAPI document is whole, and its readers need nothing from elsewhere [U6]."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS

from awfdrs_site.kernel.csp import VENDOR_PATHS


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    response = Client().get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert response.status_code == 200
    loaded: dict[str, Any] = json.loads(response.content)
    return loaded


def test_it_is_generated_without_a_warning(
    document: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    GENERATOR_STATS.emit_summary()
    assert capsys.readouterr().err == ""


def test_it_describes_the_events(document: dict[str, Any]) -> None:
    post = document["paths"]["/api/v1/events"]["post"]
    event = document["components"]["schemas"]["EventDocument"]
    assert {"tenant_id", "idempotency_key", "occurred_at"} <= set(event["required"])
    assert "201" in post["responses"]
    assert {"apiKey", "token"} <= {name for way in post["security"] for name in way}


def test_it_says_of_every_operation_how_errors_look(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            errors = operation["responses"]["default"]["content"]
            assert list(errors) == ["application/problem+json"], f"{method} {path}"
    problem = document["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "detail", "code"} <= set(problem["required"])


def test_it_has_an_open_door_only_where_there_must_be_one(document: dict[str, Any]) -> None:
    open_to_all = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("security", [{}]) in ([], [{}])
    }
    assert open_to_all == {
        "/api/v1/health",
        "/api/v1/health/ready",
        "/api/v1/auth/token",
        "/api/v1/auth/token/refresh",
    }


@pytest.mark.parametrize("path", ["/api/docs/", "/api/redoc/"])
def test_it_reads_offline(db: None, path: str) -> None:
    response = Client().get(path)
    html = response.content.decode()
    assert response.status_code == 200
    assert path in VENDOR_PATHS
    assert "googleapis" not in html
    assert "gstatic" not in html
    sources = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert sources
    for source in sources:
        assert source.startswith("/static/"), source
        assert finders.find(source.removeprefix("/static/").split("?")[0]), source
