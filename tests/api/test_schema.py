"""The OpenAPI document: valid, without a warning, and complete [U6]."""

from __future__ import annotations

import re
from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    said = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=said)
    loaded: dict[str, object] = yaml.safe_load(said.getvalue())
    return loaded


def test_it_is_valid_and_without_a_warning(document: dict[str, object]) -> None:
    assert str(document["openapi"]).startswith("3.")


def api_paths(resolver: URLResolver, before: str = "") -> set[str]:
    found = set()
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found |= api_paths(entry, path)
        elif isinstance(entry, URLPattern) and issubclass(
            getattr(entry.callback, "cls", object), APIView
        ):
            found.add(path)
    return found


def test_every_path_of_the_api_is_described(document: dict[str, object]) -> None:
    """Found from the URL table itself."""
    paths = document["paths"]
    assert isinstance(paths, dict)
    for path in api_paths(get_resolver()):
        if path.startswith("api/v1/"):
            plain = re.sub(r"<\w+:(\w+)>", r"{\1}", "/" + path).replace("{pk}", "{id}")
            assert plain in paths, plain


def test_every_list_has_the_same_envelope(document: dict[str, object]) -> None:
    schemas = document["components"]["schemas"]  # type: ignore[index]
    lists = [body for name, body in schemas.items() if name.startswith("Paginated")]
    assert len(lists) >= 7
    assert all(set(body["properties"]) == {"next", "previous", "results"} for body in lists)


def test_a_lists_filters_are_described(document: dict[str, object]) -> None:
    operation = document["paths"]["/api/v1/incidents"]["get"]  # type: ignore[index]
    named = {parameter["name"] for parameter in operation["parameters"]}
    assert named == {
        "status", "severity", "workflow", "vendor", "category", "assignee", "since", "until", "q",
        "ordering", "cursor", "page_size",
    }  # fmt: skip


def test_it_is_served(client: Client, db: None) -> None:
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
