from __future__ import annotations

from typing import Any

from actions.models import Connector
from tenants.models import Tenant

WHSEC = "whsec_" + "Y2FuYXJ5LW9mLXRoZS1jb25uZWN0b3ItMDAwMQ=="


def a_connector(tenant: Tenant, kind: str = "http", **fields: Any) -> Connector:
    """A connector that is switched to real calls; what is not said is that of its kind."""
    secret = fields.pop("secret", WHSEC)
    given = {"name": f"my-{kind}", "dry_run": False} | fields
    connector = Connector(tenant=tenant, kind=kind, **given)
    connector.keep_secret(secret)
    connector.save()
    return connector
