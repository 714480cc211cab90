"""Any service that takes signed calls (Standard Webhooks 1.0)."""

from __future__ import annotations

import binascii

import msgspec
from django.utils import timezone

from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller
from actions.connectors.kind import ConnectorKind
from actions.retry_call import signed
from awfdrs_site.kernel.ids import uuid7


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`status_url`: asked as `{status_url}/{id}` whether a call arrived: 200 it did, 404 not."""

    base_url: str
    status_url: str = ""


class Http(ConnectorKind):
    name = "http"
    label = "Signed HTTP"
    settings = HttpSettings
    secret_form = "whsec_ and base64"  # noqa: S105 (a form, no secret)
    addresses = ("base_url", "status_url")

    def takes_secret(self, secret: str) -> bool:
        key = secret.removeprefix("whsec_")
        try:
            return key != secret and bool(binascii.a2b_base64(key, strict_mode=True))
        except binascii.Error:
            return False

    def test(self, caller: Caller) -> Outcome:
        """Any answer but "who are you?" or a failure shows that it is there."""
        headers = signed(caller.link.secret, str(uuid7()), b"", timezone.now())
        reply = caller.http("GET", caller.link.settings.base_url, headers)
        good = reply.status < 500 and reply.status not in (401, 403)
        return Outcome("accepted" if good else "refused", reply.status, f"HTTP {reply.status}")


CONNECTOR = Http()
