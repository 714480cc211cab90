"""Settings, notification: by which channels people are reached, how they fare, testing one [A6]."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from actions.escalation.models import EscalationPolicy
from actions.escalation.selectors import channels_for, get_channel_for
from actions.escalation.services import test_channel
from awfdrs_site.kernel.pages import SeeOther, back, told
from tenants.access import require
from tenants.middleware import PageRequest
from tenants.models import Scope
from tenants.selectors import admins_of

PAGE = "settings:notification"
MOST = 200


@require_safe
def notification(request: PageRequest) -> HttpResponse:
    identity = require(request.identity, Scope.READ)
    context = {
        "channels": channels_for(identity.tenant).defer("sealed")[:MOST],
        "policies": EscalationPolicy.objects.filter(tenant=identity.tenant).order_by("-severity"),
        "admins": [] if Scope.ADMIN in identity.scopes else admins_of(identity.tenant),
    }
    return render(request, "settings/notification.html", context)


@require_POST
def test(request: PageRequest, pk: UUID) -> SeeOther:
    identity = require(request.identity, Scope.ADMIN)
    channel = get_channel_for(identity.tenant, pk)
    with told(request, f"A test is on its way to {channel.name}"):
        test_channel(channel=channel, actor=identity.actor, now=timezone.now())
    return back(request, PAGE)
