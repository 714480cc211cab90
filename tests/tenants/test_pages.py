"""Signing in and out, the choice of tenant and theme, and who sees pages at all [T2 T4]."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from pytest_django import Settings

from awfdrs_site import urls
from awfdrs_site.kernel.problem import Problem
from tenants.access import require
from tests.cast import PASSWORD, Cast


def _page(request: HttpRequest) -> HttpResponse:
    identity = require(request.identity, "read")  # type: ignore[attr-defined]
    return HttpResponse(f"{identity.actor.name} in {identity.tenant.name}")


def _refusing_page(request: HttpRequest) -> HttpResponse:
    raise Problem(409, "invalid_transition", "Too late.")


def _broken_page(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("password=hunter2")


@login_not_required
def _public_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.identity))  # type: ignore[attr-defined]


urlpatterns = [
    path("page", _page),
    path("page/refusing", _refusing_page),
    path("page/broken", _broken_page),
    path("page/public", _public_page),
    path("", include(urls)),
]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500

pytestmark = pytest.mark.urls(__name__)


def test_it_tells_the_demos_log_ins_where_it_is_a_demo_alone(db: None, settings: Settings) -> None:
    assert urls.log_ins_shown() == {}
    page = Client().get("/login").content
    assert b"awfdrs-demo" not in page
    assert b"alice" not in page
    settings.DEMO = True
    shown = urls.log_ins_shown()
    assert shown["demo_password"] == "awfdrs-demo"
    assert {"name": "alice", "role": "responder"} in shown["demo_users"]


def test_it_sends_strangers_to_the_log_in_and_back(cast: Cast) -> None:
    response = Client().get("/page?x=1")
    assert response.status_code == 302
    assert response.headers["Location"] == f"/login?next={quote('/page?x=1', safe='/')}"


def test_it_moves_the_whole_page_of_htmx_to_the_log_in(cast: Cast) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/incidents?status=new"}
    response = Client().get("/page", headers=headers)
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/login?next=/incidents%3Fstatus%3Dnew"


def test_it_shows_pages_to_members_alone(cast: Cast) -> None:
    """Every view is closed unless it is marked public, so a forgotten check cannot open one."""
    assert cast.client_as("alice").get("/page").content == b"alice in Meridian Commerce"
    response = cast.client_as("noah").get("/page")
    assert response.status_code == 403
    assert b"not a member" in response.content
    assert b"Meridian" not in response.content
    assert Client().get("/page/public").content == b"None"


def test_it_lets_a_person_without_a_tenant_leave(cast: Cast) -> None:
    response = cast.client_as("noah").post("/logout")
    assert response.headers["Location"] == "/login"


def test_it_switches_between_the_persons_own_tenants(cast: Cast) -> None:
    browser = cast.client_as("anna")
    assert b"Meridian" in browser.get("/page").content
    response = browser.post("/switch-tenant", {"tenant": str(cast.northwind.pk)})
    assert response.headers["Location"] == "/"
    assert b"Northwind" in browser.get("/page").content


@pytest.mark.parametrize("wanted", ["northwind", "dormant", "garbled"])
def test_it_switches_to_no_other_tenant(cast: Cast, wanted: str) -> None:
    """Another tenant's id, an inactive one's and nonsense get the same 404."""
    tenant = getattr(cast, wanted, None)
    browser = cast.client_as("alice")
    response = browser.post("/switch-tenant", {"tenant": str(tenant.pk) if tenant else "\x00x"})
    assert response.status_code == 404
    assert b"Meridian" in browser.get("/page").content


def test_it_falls_back_when_the_chosen_tenant_is_lost(cast: Cast) -> None:
    browser = cast.client_as("anna")
    browser.post("/switch-tenant", {"tenant": str(cast.northwind.pk)})
    cast.people["anna"].memberships.filter(tenant=cast.northwind).delete()
    assert b"Meridian" in browser.get("/page").content


@pytest.mark.parametrize("name", ["dark", "light", "auto"])
def test_it_remembers_the_theme(db: None, name: str) -> None:
    response = Client().post("/theme", {"theme": name, "next": "/incidents?a=1"})
    assert response.headers["Location"] == "/incidents?a=1"
    assert response.cookies["theme"].value == name


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""],
)
def test_it_never_redirects_to_another_site(cast: Cast, elsewhere: str) -> None:
    response = Client().post("/theme", {"theme": "dark", "next": elsewhere})
    assert response.headers["Location"] == "/"
    signed_in = {"username": "alice", "password": PASSWORD, "next": elsewhere}
    response = Client().post("/login", signed_in)
    assert response.headers["Location"] == "/"


def test_it_takes_no_unknown_theme(db: None) -> None:
    response = Client().post("/theme", {"theme": "<script>"})
    assert response.status_code == 400
    assert "theme" not in response.cookies


@pytest.mark.parametrize("url", ["/theme", "/switch-tenant", "/logout"])
def test_it_changes_nothing_by_a_link(cast: Cast, url: str) -> None:
    response = cast.client_as("alice").get(url)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("url", ["/theme", "/switch-tenant", "/logout", "/login"])
def test_it_takes_no_form_without_its_csrf_token(cast: Cast, url: str) -> None:
    response = cast.client_as("alice", enforce_csrf_checks=True).post(url, {"theme": "dark"})
    assert response.status_code == 403
    assert b"Load the page again" in response.content


def test_it_locks_the_log_in_after_ten_wrong_passwords(cast: Cast) -> None:
    """The 429 does not tell whether there is such an account, and the right password waits too."""
    for name in ("alice", "nobody-of-that-name"):
        client = Client()
        for _ in range(10):
            client.post("/login", {"username": name, "password": "wrong"})
        response = client.post("/login", {"username": name, "password": PASSWORD})
        assert response.status_code == 429
        assert response.headers["Retry-After"] == "900"
        assert b"15 minutes" in response.content
        assert b"Meridian" not in response.content


def test_it_shows_a_problem_as_a_page_to_people(cast: Cast) -> None:
    browser = cast.client_as("alice")
    response = browser.get("/page/refusing", headers={"Accept": "text/html"})
    assert response.status_code == 409
    assert response.headers["Content-Type"].startswith("text/html")
    assert b"Too late." in response.content


def test_it_shows_a_problem_as_a_document_to_programs(cast: Cast) -> None:
    browser = cast.client_as("alice")
    response = browser.get("/page/refusing", headers={"Accept": "application/json"})
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "invalid_transition"


def test_it_shows_no_inside_of_a_crash(cast: Cast) -> None:
    browser = cast.client_as("alice", raise_request_exception=False)
    for accept in ("text/html", "application/json"):
        response = browser.get("/page/broken", headers={"Accept": accept})
        assert response.status_code == 500
        assert b"hunter2" not in response.content
        assert b"RuntimeError" not in response.content
