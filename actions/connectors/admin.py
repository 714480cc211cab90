"""Admin pages: connectors, kept and tested here, and the log of their calls."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings as site
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from unfold.decorators import action
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from actions.connectors.kind import connector_kinds
from actions.connectors.models import Connector, Delivery
from actions.connectors.services import test_connection
from tenants.acts import switch
from tenants.backoffice import TenantAdmin, TenantFilter, TenantForm
from tenants.backoffice_lists import NewestChoices, ReadOnlyAdmin


def _kinds() -> list[tuple[str, str]]:
    return [(name, kind.label) for name, kind in connector_kinds().items()]


class _ConnectorForm(TenantForm):
    """The secret can be written and not read: an empty field keeps what is stored."""

    kind = forms.ChoiceField(choices=_kinds, widget=UnfoldAdminSelectWidget)
    secret = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Signed HTTP: whsec_…; Airflow, GitHub: a token; AWS: key id:secret key.",
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        kind = connector_kinds().get(values.get("kind", self.instance.kind))
        if kind is None or "settings" not in values:
            return values
        values["settings"] = values["settings"] or {}
        for error in kind.check(values["settings"], site.RETRY_ALLOWED_HOSTS):
            self.add_error("settings", ValidationError(f"{error.field}: {error.detail}"))
        secret = values.get("secret", "")
        if secret and not kind.takes_secret(secret):
            self.add_error("secret", f"It has the form: {kind.secret_form}.")
        if not secret and not self.instance.sealed:
            self.add_error("secret", f"It needs a secret: {kind.secret_form}.")
        return values


@admin.register(Connector)
class ConnectorAdmin(TenantAdmin):
    form = _ConnectorForm
    list_display = ("name", "tenant", "kind", "dry_run", "is_enabled")
    list_filter = (TenantFilter, "kind", "dry_run", "is_enabled")
    list_select_related = ("tenant",)
    search_fields = ("name",)
    search_help_text = "Part of a connector's name."
    fields = ("tenant", "name", "kind", "settings", "secret", "dry_run", "is_enabled")
    actions_submit_line = ("save_and_test",)
    actions = ("switch_off", "switch_on")
    switch_off = switch(
        "is_enabled", False, "Switch the selected connectors off",
        "A step that needs one fails, and its plan goes on as it says for that.", "switch_off",
    )  # fmt: skip
    switch_on = switch(
        "is_enabled", True, "Switch the selected connectors on",
        "Plans may call through them again.", "switch_on",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # What the secret was sealed for does not change.
        fixed = ("kind",) if obj is not None else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def save_model(self, request: HttpRequest, obj: Connector, form: Any, change: bool) -> None:
        if secret := form.cleaned_data["secret"]:
            obj.keep_secret(secret)
        super().save_model(request, obj, form, change)

    @action(description="Save and test the connection")
    def save_and_test(self, request: HttpRequest, obj: Connector) -> None:
        """The call is made once what was written is committed."""
        transaction.on_commit(lambda: self._test(request, obj))

    def _test(self, request: HttpRequest, connector: Connector) -> None:
        outcome = test_connection(connector)
        good = outcome.certainty == "accepted"
        words = "The connection works" if good else "The connection does not work"
        level = messages.SUCCESS if good else messages.ERROR
        self.message_user(request, f"{words}: {outcome.detail[:300]}", level, fail_silently=True)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "at", "connector", "method", "host", "status", "certainty", "duration_ms", "tenant",
    )  # fmt: skip
    list_filter = (TenantFilter, ("certainty", NewestChoices))
    search_fields = ("id", "action")
    search_help_text = "A delivery's id or its action's, whole."
    list_select_related = ("connector", "tenant")
