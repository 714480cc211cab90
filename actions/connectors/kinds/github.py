"""GitHub's REST API, of github.com or of an own server."""

from __future__ import annotations

import msgspec

from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller, Link
from actions.connectors.kind import ConnectorKind


class GitHubSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    base_url: str = "https://api.github.com"


class GitHub(ConnectorKind):
    name = "github"
    label = "GitHub"
    settings = GitHubSettings
    secret_form = "a token that may read and write actions"  # noqa: S105 (a form, no secret)

    def test(self, caller: Caller) -> Outcome:
        """Its limits are told to any token that is good, whatever else it may do."""
        link = caller.link
        reply = caller.http("GET", url_of(link, "/rate_limit"), headers_of(link))
        good = reply.status == 200
        return Outcome("accepted" if good else "refused", reply.status, f"HTTP {reply.status}")


def url_of(link: Link, path: str) -> str:
    return link.settings.base_url.rstrip("/") + path


def headers_of(link: Link) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {link.secret}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "awfdrs",
    }


CONNECTOR = GitHub()
