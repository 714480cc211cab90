"""Bodies are measured before anything reads them."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from awfdrs_site.kernel.body import BATCH_BYTES, EVENT_BYTES, body_limit_middleware


def _status(method: str, path: str, **meta: str) -> int:
    request: HttpRequest = RequestFactory().generic(method, path)
    request.META |= meta
    if not meta.get("CONTENT_TYPE"):
        request.META.pop("CONTENT_TYPE", None)
    return body_limit_middleware(lambda _: HttpResponse(status=204))(request).status_code


JSON = "application/json"


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/v1/events", EVENT_BYTES),
        ("/api/v1/events/batch", BATCH_BYTES),
        ("/api/v1/ingest/cloudevents", BATCH_BYTES),
        ("/api/v1/incidents/batches", EVENT_BYTES),
        ("/login", EVENT_BYTES),
    ],
)
def test_it_has_a_limit_for_each_path(path: str, limit: int) -> None:
    assert _status("POST", path, CONTENT_LENGTH=str(limit), CONTENT_TYPE=JSON) == 204
    assert _status("POST", path, CONTENT_LENGTH=str(limit + 1), CONTENT_TYPE=JSON) == 413


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_it_measures_whatever_the_method(method: str) -> None:
    assert _status(method, "/api/x", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="") == 411
    assert _status(method, "/api/x", CONTENT_LENGTH="-1", CONTENT_TYPE=JSON) == 400
    assert _status(method, "/api/x", CONTENT_LENGTH="5", CONTENT_TYPE="") == 415
    assert _status(method, "/api/x", CONTENT_LENGTH="0", CONTENT_TYPE="") == 204
    assert _status(method, "/api/x") == 204


def test_it_takes_no_compressed_body() -> None:
    for coding, status in (("gzip", 415), ("br", 415), ("identity", 204), ("Identity", 204)):
        assert _status("POST", "/api/x", HTTP_CONTENT_ENCODING=coding) == status
