"""Admin pages: channels, who is called when, and the ledger of calls."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminPasswordWidget

from actions.escalation import services
from actions.escalation.models import Channel, EscalationPolicy, Page
from actions.escalation.schedule import read_steps
from awfdrs_site.kernel.problem import Problem
from tenants.acts import switch
from tenants.backoffice import TenantAdmin, TenantFilter, TenantForm, actor_of
from tenants.backoffice_lists import NewestChoices, ReadOnlyAdmin


class _ChannelForm(TenantForm):
    """The URL can be written and not read: an empty field keeps what is stored."""

    url = forms.CharField(
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="As apprise writes it: mailto://…, slack://…, pagerduty://…, jsons://… "
        "Empty: it stays as it is.",
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        written = (values.get("url") or "").strip()
        if not written and self.instance._state.adding:
            self.add_error("url", "A channel needs one.")
        tenant = values.get("tenant") or getattr(self.instance, "tenant", None)
        if written and tenant is not None:
            self.instance.tenant = tenant
            try:
                services.write_url(self.instance, written)
            except Problem as refusal:
                said = refusal.errors[0].detail if refusal.errors else refusal.detail
                self.add_error("url", ValidationError(said))
        return values


@admin.register(Channel)
class ChannelAdmin(TenantAdmin):
    """A channel keeps its name: policies call it by that. One that is not used is switched off."""

    form = _ChannelForm
    list_display = (
        "name", "tenant", "kind", "enabled", "failing_since", "last_error", "last_delivered_at"
    )  # fmt: skip
    list_filter = (TenantFilter, "kind", "enabled")
    list_select_related = ("tenant",)
    search_fields = ("name",)
    search_help_text = "Part of a channel's name."
    fields = (
        "tenant", "name", "url", "enabled", "kind", "failures", "failing_since", "last_error",
        "last_delivered_at",
    )  # fmt: skip
    readonly_fields = ("kind", "failures", "failing_since", "last_error", "last_delivered_at")
    actions = ("test", "switch_off", "switch_on")
    switch_off = switch(
        "enabled", False, "Switch the selected channels off",
        "Nobody is called by them; what waits for them is not sent.", "switch_off",
    )  # fmt: skip
    switch_on = switch(
        "enabled", True, "Switch the selected channels on",
        "Calls go to them from the next escalation on.", "switch_on",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = ("name",) if obj is not None else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    @admin.action(description="Test the selected channels", permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        now, actor = timezone.now(), actor_of(request)
        channels = list(queryset)
        for channel in channels:
            services.test_channel(channel=channel, actor=actor, now=now)
        said = f"A test goes to {len(channels)}; under Pages is whether it arrived."
        self.message_user(request, said, messages.INFO)


class _PolicyForm(TenantForm):
    """Its steps name channels that there are in the tenant."""

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        tenant = values.get("tenant") or getattr(self.instance, "tenant", None)
        try:
            steps = read_steps(values.get("steps", []))
        except ValueError as error:
            self.add_error("steps", str(error))
            return values
        known = set(Channel.objects.filter(tenant=tenant).values_list("name", flat=True))
        if missing := sorted({name for step in steps for name in step.channels} - known):
            self.add_error("steps", f"There is no channel {', '.join(missing)[:200]}.")
        return values


@admin.register(EscalationPolicy)
class EscalationPolicyAdmin(TenantAdmin):
    form = _PolicyForm
    deletable = True
    list_display = ("__str__", "tenant", "steps", "repeats", "repeat_after_seconds")
    list_filter = (TenantFilter,)
    list_select_related = ("tenant",)
    fields = ("tenant", "severity", "steps", "repeats", "repeat_after_seconds")


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    """The ledger: every notice to a channel, what became of it, and those to come."""

    list_display = (
        "due_at", "channel", "incident", "status", "attempts", "finished_at", "detail", "tenant"
    )  # fmt: skip
    list_filter = (TenantFilter, ("status", NewestChoices))
    search_fields = ("id", "incident")
    search_help_text = "A page's id or its incident's, whole."
    list_select_related = ("channel", "incident", "tenant")
