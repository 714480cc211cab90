"""`/api/v1/audit`: who changed what [T6]."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awfdrs_site.kernel.models import AuditEntry
from tenants.audit_log import ORDER, AuditFilter, AuditSerializer, entries_for
from tenants.rest import TenantList


class AuditList(TenantList):
    """The tenant's audit log, newest first."""

    scopes = {"GET": "admin"}
    serializer_class = AuditSerializer
    filterset_class = AuditFilter
    queryset = AuditEntry.objects.none()

    def get_order(self, request: Request) -> tuple[str, ...]:
        return ORDER

    @extend_schema(tags=["Audit"], operation_id="audit_list")
    def get(self, request: Request) -> Response:
        return self.listing(entries_for(self.tenant))
