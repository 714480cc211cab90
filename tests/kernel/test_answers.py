"""Every error of every view is a problem document or a page, never a stack trace [E6 P23]."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelError
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from pytest_django import Settings
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from awfdrs_site import urls
from awfdrs_site.kernel.problem import MAX_ERRORS, FieldError, Problem, invalid, problem_of
from tests.cast import Cast

RAISED: dict[str, Exception] = {
    "problem": Problem(409, "already_decided", "Too late.", headers={"X-More": "1"}, by="alice"),
    "not-found": Http404("secret detail"),
    "denied": PermissionDenied("secret detail"),
    "suspicious": SuspiciousOperation("secret detail"),
    "bad": BadRequest("secret detail"),
    "model": ModelError("secret detail"),
    "database": OperationalError("secret detail"),
    "bug": RuntimeError("secret detail"),
    "parse": exceptions.ParseError(),
    "throttled": exceptions.Throttled(wait=7),
    "fields": exceptions.ValidationError({"a": {"b": ["no"]}, "c": [{"d": ["no"]}, {}]}),
    "nested-detail": exceptions.AuthenticationFailed({"detail": "expired", "code": "x"}),
}


class _Raising(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request, name: str) -> Response:
        raise RAISED[name]


def _raising(request: HttpRequest, name: str) -> HttpResponse:
    raise RAISED[name]


_raising.login_required = False  # type: ignore[attr-defined]

urlpatterns = [
    path("api/raise/<str:name>", _Raising.as_view()),
    path("raise/<str:name>", _raising),
    path("", include(urls)),
]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500

pytestmark = pytest.mark.urls(__name__)

API_ANSWERS = [
    ("problem", 409, "already_decided"),
    ("not-found", 404, "not_found"),
    ("denied", 403, "permission_denied"),
    ("database", 503, "unavailable"),
    ("bug", 500, "internal_error"),
    ("model", 500, "internal_error"),
    ("parse", 400, "bad_request"),
    ("throttled", 429, "rate_limited"),
    ("fields", 400, "validation_error"),
    ("nested-detail", 403, "permission_denied"),
]
PAGE_ANSWERS = [
    ("problem", 409),
    ("not-found", 404),
    ("denied", 403),
    ("suspicious", 400),
    ("bad", 400),
    ("database", 503),
    ("bug", 500),
]


def _client() -> Client:
    return Client(raise_request_exception=False)


def _document(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["correlation_id"] == response.headers["X-Correlation-ID"] != ""
    assert b"secret detail" not in response.content
    return document


@pytest.mark.parametrize(("name", "status", "code"), API_ANSWERS)
def test_it_answers_an_api_error_by_a_document(db: None, name: str, status: int, code: str) -> None:
    _document(_client().get(f"/api/raise/{name}"), status, code)


@pytest.mark.parametrize(("name", "status"), PAGE_ANSWERS)
def test_it_answers_a_page_error_by_what_is_wanted(db: None, name: str, status: int) -> None:
    page = _client().get(f"/raise/{name}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == status
    assert page.headers["Content-Type"].startswith("text/html")
    assert b"secret detail" not in page.content
    assert b"Traceback" not in page.content
    assert page.headers["X-Correlation-ID"]
    answer = _client().get(f"/raise/{name}", headers={"Accept": "application/json"})
    assert answer.status_code == answer.json()["status"] == status
    assert b"secret detail" not in answer.content


def test_it_keeps_headers_and_members_of_a_problem(db: None) -> None:
    response = _client().get("/api/raise/problem")
    assert response.headers["X-More"] == "1"
    assert response.json()["by"] == "alice"
    assert _client().get("/api/raise/throttled").headers["Retry-After"] == "8"
    assert _client().get("/api/raise/database").headers["Retry-After"] == "5"


def test_it_names_fields_by_their_path(db: None) -> None:
    errors = _client().get("/api/raise/fields").json()["errors"]
    assert [error["field"] for error in errors] == ["a.b", "c[0].d"]


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/events"])
def test_it_answers_an_unknown_api_path_by_a_document(
    db: None, settings: Settings, path: str
) -> None:
    """With DEBUG too, where Django has a page of its own."""
    for debug in (False, True):
        settings.DEBUG = debug
        _document(_client().get(path, headers={"Accept": "text/html"}), 404, "not_found")


def test_it_answers_an_unknown_page_by_a_page(db: None) -> None:
    response = _client().get("/nothing", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def test_it_answers_a_wrong_host_by_a_document(db: None) -> None:
    response = _client().get("/api/v1/health", headers={"Host": "evil.example"})
    document = _document(response, 400, "bad_request")
    assert "evil" not in str(document)


def test_it_answers_a_method_that_is_not_there_with_those_that_are(db: None) -> None:
    response = _client().post("/api/v1/health")
    _document(response, 405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


def test_it_answers_in_json_even_where_a_view_renders_otherwise(db: None) -> None:
    """The schema's renderers are YAML and HTML; an error is a problem document all the same."""
    for url in ("/api/schema/", "/api/docs/", "/api/redoc/"):
        _document(_client().post(url), 405, "method_not_allowed")
    unwanted = _client().get("/api/schema/", headers={"Accept": "image/png"})
    _document(unwanted, 406, "not_acceptable")


def test_it_shows_a_bare_page_where_a_template_is_broken(db: None, settings: Settings) -> None:
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [], "OPTIONS": {}}
    ]
    response = _client().get("/raise/problem", headers={"Accept": "text/html"})
    assert response.status_code == 409
    assert b"<h1>Conflict</h1><p>Too late.</p>" in response.content


def test_it_keeps_the_answer_short_however_much_is_wrong() -> None:
    problem = invalid([FieldError(f"f{i}", "wrong", "Wrong.") for i in range(1_000)])
    document = problem.document()
    assert len(document["errors"]) == MAX_ERRORS
    assert len(document["detail"]) < 100


@pytest.mark.parametrize(
    "url", ["/api/v1/health", "/api/v1/events", "/login", "/nothing", "/static/css/reset.css"]
)
def test_it_sends_a_correlation_id_with_everything(cast: Cast, url: str) -> None:
    """The caller's own if it is valid, on errors, redirects and static files too."""
    response = _client().get(url, headers={"X-Correlation-ID": "req-42"})
    assert response.headers["X-Correlation-ID"] == "req-42"
    first, second = (_client().get(url).headers["X-Correlation-ID"] for _ in range(2))
    assert first != second


def test_it_keeps_the_requests_id_though_the_view_works_under_another(cast: Cast) -> None:
    document = cast.document(correlation_id="run-1")
    headers = {"X-Correlation-ID": "req-1"}
    response = cast.api().post(
        "/api/v1/events", document, content_type="application/json", headers=headers
    )
    assert response.headers["X-Correlation-ID"] == "req-1"
    assert response.json()["correlation_id"] == "run-1"


def test_it_names_the_fields_of_a_serializers_lists() -> None:
    class Item(serializers.Serializer[Any]):
        name = serializers.CharField()

    class Order(serializers.Serializer[Any]):
        items = Item(many=True)

    serializer = Order(data={"items": [{"name": "x"}, {}]})
    assert not serializer.is_valid()
    problem = problem_of(exceptions.ValidationError(serializer.errors))
    assert [error.field for error in problem.errors] == ["items[1].name"]
