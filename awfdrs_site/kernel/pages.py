"""What pages share: an answer to a form post, and lists in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar, cast
from urllib.parse import urlsplit

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.request import Request
from rest_framework.views import APIView

from awfdrs_site.kernel.keyset import KeysetPages
from awfdrs_site.kernel.problem import FieldError, Problem, invalid

COMMENT_CHARS = 2_000
# What a person can read on the page they came from; anything else gets a page of its own.
_TOLD = frozenset({400, 409, 410})
Row = TypeVar("Row", bound=Model)


class SeeOther(HttpResponseRedirect):
    """303: the post is done, now look at this page (never repeats the post)."""

    status_code = 303


def back(request: HttpRequest, default: str, *args: object) -> SeeOther:
    """To the form's `next` if that is a place of this site, else to the page named `default`."""
    wanted = request.POST.get("next", "")
    hosts, https = {request.get_host()}, request.is_secure()
    if wanted and url_has_allowed_host_and_scheme(wanted, hosts, require_https=https):
        return SeeOther(wanted)
    return SeeOther(resolve_url(default, *args))


def posted(request: HttpRequest, name: str, limit: int = COMMENT_CHARS) -> str:
    """A text field of the form, without space around it; Problem 400 for what cannot be stored."""
    text = request.POST.get(name, "").strip()
    if len(text) > limit or "\x00" in text:
        raise invalid([FieldError(name, "invalid", f"At most {limit} characters of plain text.")])
    return text


def words_of(problem: Problem) -> str:
    """A refusal for people: what is wrong with each field, else the problem's sentence."""
    return " ".join(error.detail for error in problem.errors) or problem.detail


@contextmanager
def told(
    request: HttpRequest, done: str, refused: Callable[[Problem], str] = words_of
) -> Iterator[None]:
    """Run a service for a person: the next page says `done` (if anything), or why it was not done.

    A conflict or a bad field (400, 409, 410) is told and ends here; other problems go on up.
    """
    try:
        yield
    except Problem as problem:
        if problem.status not in _TOLD:
            raise
        messages.error(request, refused(problem))
    else:
        if done:
            messages.success(request, done)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list, and the links to the others ("" where there are none)."""

    rows: list[Row]
    newer_url: str
    older_url: str


class _Ordered:
    def __init__(self, order: Sequence[str]) -> None:
        self.order = order

    def get_order(self, request: Request) -> Sequence[str]:
        return self.order


def page_of(rows: QuerySet[Row], request: HttpRequest, order: Sequence[str]) -> Page[Row]:
    """The page of `rows` that the URL's `cursor` names; see `KeysetPages` for `order`."""
    pages = KeysetPages()
    found = pages.paginate_queryset(rows, Request(request), cast(APIView, _Ordered(order)))
    links = pages.get_paginated_response(None).data
    return Page(found, _query(links["previous"]), _query(links["next"]))


def _query(url: str | None) -> str:
    return f"?{urlsplit(url).query}" if url else ""
