"""`/api/v1/vendors/{name}/permit`: for workflows that ask before they call [S3 S4]."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from awfdrs_site.kernel.problem import Problem, echo
from ingestion import calls
from safety import breakers, limiter
from safety.breaker import Permit
from safety.models import Vendor
from safety.selectors import get_vendor_for
from safety.serializers import PermitSerializer
from tenants.rest import TenantView

TAGS = ["Safety"]


class VendorPermit(TenantView):
    """May one call to the vendor be made now? Ask before calling; report by the event that follows.

    It counts against the vendor's limit of calls a minute (429), and while its breaker is half-open
    it takes one of the probes (503 when there is none), so it needs the scope that reports events.
    """

    scopes = {"GET": "ingest"}
    serializer_class = PermitSerializer

    @extend_schema(tags=TAGS, operation_id="vendors_permit")
    def get(self, request: Request, name: str) -> Response:
        known, now = get_vendor_for(self.tenant, name), timezone.now()
        vendor = calls.current(self.tenant.pk, known.name, known, now) or known
        if not (permit := breakers.look(vendor, now)).allowed:
            raise _refused(vendor, permit, now)
        answer = limiter.take(limiter.calls_of(vendor, now))
        if answer.over is not None:
            raise limiter.refusal(answer, "calls a minute of this vendor")
        permit = breakers.take(vendor, f"permit:{uuid4()}", now)
        if not permit.allowed:
            raise _refused(vendor, permit, now)
        until = permit.lease.until if permit.lease else None
        document = {"allowed": True, "breaker_state": permit.state, "probe_until": until}
        return Response(PermitSerializer(document).data, headers={"Cache-Control": "no-store"})


def _refused(vendor: Vendor, permit: Permit, now: datetime) -> Problem:
    breakers.count_saved(vendor.pk, now)
    detail = f"The circuit breaker of vendor {echo(vendor.name)} lets no call through now."
    headers = {"Retry-After": str(permit.retry_after_seconds)}
    return Problem(503, "circuit_open", detail, headers=headers, vendor=vendor.name)
