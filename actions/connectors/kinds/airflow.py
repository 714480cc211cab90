"""Apache Airflow's REST API: version 2 (Airflow 3) or 1 (Airflow 2)."""

from __future__ import annotations

import base64
from typing import Literal

import msgspec

from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller, Link
from actions.connectors.kind import ConnectorKind


class AirflowSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    base_url: str
    api: Literal["v1", "v2"] = "v2"


class Airflow(ConnectorKind):
    name = "airflow"
    label = "Airflow"
    settings = AirflowSettings
    secret_form = "a token, or user:password"  # noqa: S105 (a form, no secret)

    def test(self, caller: Caller) -> Outcome:
        link = caller.link
        reply = caller.http("GET", url_of(link, "/dags?limit=1"), headers_of(link))
        good = reply.status == 200
        return Outcome("accepted" if good else "refused", reply.status, f"HTTP {reply.status}")


def url_of(link: Link, path: str) -> str:
    return f"{link.settings.base_url.rstrip('/')}/api/{link.settings.api}{path}"


def headers_of(link: Link) -> dict[str, str]:
    """Basic for user:password, else a bearer token."""
    basic = base64.b64encode(link.secret.encode()).decode()
    scheme = f"Basic {basic}" if ":" in link.secret else f"Bearer {link.secret}"
    return {"Authorization": scheme, "Accept": "application/json"}


CONNECTOR = Airflow()
