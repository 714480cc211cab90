"""A page that is as it should be, or not."""

from __future__ import annotations

from typing import Any

import pytest

from actions.catalog import kind_named
from tests.connectors.conftest import Perform
from tests.connectors.servers import Server

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("answer", "wanted", "state"),
    [
        ((200, "all up"), {}, "succeeded"),
        ((200, "all up"), {"contains": "up"}, "succeeded"),
        ((200, "all down"), {"contains": "up"}, "failed"),
        ((503, ""), {}, "failed"),
        ((503, ""), {"status": 503}, "succeeded"),
        ("drop", {}, "failed"),
    ],
)
def test_it_says_whether_a_page_is_as_it_should(
    perform: Perform, service: Server, answer: Any, wanted: dict[str, Any], state: str
) -> None:
    """An answer that is lost is a "no", not a doubt: asking changed nothing."""
    service.answer = lambda call: answer
    assert perform("probe_http", url=f"{service.url}/up", **wanted).status == state


@pytest.mark.parametrize(
    "url", ["https://127.0.0.2/", "file:///etc/passwd", "http://example.org/", "https://10.1/"]
)
def test_a_plan_with_a_hostile_address_is_refused(url: str) -> None:
    [error] = kind_named("probe_http").check({"url": url}, "verify.with")
    assert (error.field, error.code) == ("verify.with.url", "url_not_allowed")
