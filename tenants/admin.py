"""Admin pages: tenants, workflows, people, keys; the audit log and the work in the queue."""

from __future__ import annotations

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet, URLField
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectMultipleWidget

from awfdrs_site.kernel.models import AuditEntry, Work
from tenants import services
from tenants.account_admin import LockedLogInAdmin, PeopleAdmin
from tenants.acts import act, switch
from tenants.backoffice import (
    TenantAdmin,
    TenantFilter,
    TenantForm,
    actor_of,
    administered,
    changes,
)
from tenants.backoffice_lists import ReadOnlyAdmin
from tenants.members import check_admin_stays
from tenants.models import ApiKey, Membership, Role, Scope, Tenant, Workflow

__all__ = [
    "ApiKeyAdmin",
    "AuditAdmin",
    "LockedLogInAdmin",
    "MembershipAdmin",
    "PeopleAdmin",
    "TenantsAdmin",
    "WorkAdmin",
    "WorkflowAdmin",
]


@admin.register(Tenant)
class TenantsAdmin(TenantAdmin):
    tenant_field = "pk"
    list_display = ("name", "is_active", "events_per_minute", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name",)
    search_help_text = "Part of a tenant's name."
    fields = ("name", "is_active", "events_per_minute", "created_at")
    actions = ("switch_off", "switch_on")
    switch_off = switch(
        "is_active", False, "Switch the selected tenants off",
        "Their keys and people are refused. Nothing stored goes away.", "switch_off",
    )  # fmt: skip
    switch_on = switch(
        "is_active", True, "Switch the selected tenants on",
        "Their keys and people are let in again.", "switch_on",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return administered(request) is None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # The quota and the switch are the operator's; the name is the tenant's own.
        kept = () if administered(request) is None else ("is_active", "events_per_minute")
        return ("created_at", *kept)


class _WorkflowForm(TenantForm):
    """The secrets can be written and not read: an empty field keeps what is stored."""

    class Meta:
        widgets = {
            name: UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
            for name in ("retry_secret", "standby_retry_secret")
        }

    def clean_retry_secret(self) -> str:
        return self._secret("retry_secret")

    def clean_standby_retry_secret(self) -> str:
        return self._secret("standby_retry_secret")

    def _secret(self, name: str) -> str:
        written: str = self.cleaned_data[name].strip()
        if written and not written.startswith("whsec_"):
            raise ValidationError("A secret looks like whsec_…")
        return written or self.initial.get(name, "")


@admin.register(Workflow)
class WorkflowAdmin(TenantAdmin):
    form = _WorkflowForm
    list_display = ("name", "tenant", "is_active", "can_retry", "description")
    list_filter = (TenantFilter, "is_active")
    list_select_related = ("tenant",)
    search_fields = ("name", "description")
    search_help_text = "Part of a name or a description."
    fields = (
        "tenant", "name", "description", "is_active", "retry_url", "retry_secret", "secret_is_set",
        "standby_retry_url", "standby_retry_secret", "standby_is_set", "failed_over_at",
        "failed_over_by",
    )  # fmt: skip
    readonly_fields = ("secret_is_set", "standby_is_set", "failed_over_at", "failed_over_by")
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    actions = ("switch_off", "switch_on")
    switch_off = switch(
        "is_active", False, "Switch the selected workflows off",
        "Their events are refused. Nothing stored goes away.", "switch_off",
    )  # fmt: skip
    switch_on = switch(
        "is_active", True, "Switch the selected workflows on",
        "Their events are taken again.", "switch_on",
    )  # fmt: skip

    @admin.display(boolean=True, description="retries")
    def can_retry(self, workflow: Workflow) -> bool:
        return bool(workflow.retry_url)

    @admin.display(boolean=True, description="secret is set")
    def secret_is_set(self, workflow: Workflow) -> bool:
        return bool(workflow.retry_secret)

    @admin.display(boolean=True, description="standby secret is set")
    def standby_is_set(self, workflow: Workflow) -> bool:
        return bool(workflow.standby_retry_secret)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write what the form may change alone: a plan may have failed it over since."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        request.audited_values = changes(Workflow.objects.get(pk=obj.pk), obj)  # type: ignore[attr-defined]
        obj.save(update_fields=[n for n in self.fields if n not in self.readonly_fields])


@admin.register(Membership)
class MembershipAdmin(TenantAdmin):
    deletable = True
    list_display = ("user", "tenant", "role")
    list_filter = (TenantFilter, "role")
    list_select_related = ("user", "tenant")
    search_fields = ("user__username__startswith",)
    search_help_text = "The beginning of a user name."
    fields = ("tenant", "user", "role")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change and obj.role != Role.ADMIN:
            self._keep_an_admin(request, obj)
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._keep_an_admin(request, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            self.delete_model(request, membership)

    def _keep_an_admin(self, request: HttpRequest, membership: Membership) -> None:
        # Who runs the installation may leave a tenant without one.
        if administered(request) is not None:
            check_admin_stays(membership)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = ("user",) if obj is not None else ()
        return (*super().get_readonly_fields(request, obj), *fixed)


class _ApiKeyForm(TenantForm):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=UnfoldAdminSelectMultipleWidget, initial=[Scope.INGEST]
    )

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise ValidationError("Must be in the future.")
        return expires_at


@admin.register(ApiKey)
class ApiKeyAdmin(TenantAdmin):
    """Keys are issued and revoked, never edited; the key itself is shown once."""

    form = _ApiKeyForm
    services_audit = True
    list_display = (
        "name", "tenant", "prefix", "scopes", "created_at", "expires_at", "revoked_at",
        "last_used_at",
    )  # fmt: skip
    list_filter = (TenantFilter,)
    list_select_related = ("tenant",)
    search_fields = ("name", "prefix")
    search_help_text = "Part of a key's name, or of what it begins with after awf_."
    fields = ("tenant", "name", "scopes", "expires_at")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        kept = ("prefix", "created_at", "revoked_at", "last_used_at") if obj is not None else ()
        return (*self.fields, *kept)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            return
        row, text = services.issue_key(
            tenant=obj.tenant,
            name=obj.name,
            scopes=form.cleaned_data["scopes"],
            expires_at=obj.expires_at,
            actor=actor_of(request),
            now=timezone.now(),
        )
        obj.pk, obj.prefix = row.pk, row.prefix
        self.message_user(
            request, f"The key, shown this once: {text}", messages.WARNING, fail_silently=True
        )

    @act("Revoke the selected keys", "Their next call answers 401. A revoked key never comes back.")
    def revoke(self, request: HttpRequest, key: ApiKey, reason: str) -> bool:
        was, actor = key.revoked_at, actor_of(request)
        services.revoke_key(api_key=key, actor=actor, now=timezone.now(), comment=reason)
        return was is None


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "verb", "subject_type", "subject_id", "comment")
    search_fields = ("subject_id",)
    search_help_text = "The id of what was changed, whole."
    in_tenant = ("-at",)

    def leading(self, request: HttpRequest) -> Q:
        """The index begins with the kind of the object."""
        return Q(subject_type__in=[model._meta.label_lower for model in apps.get_models()])


@admin.register(Work)
class WorkAdmin(ReadOnlyAdmin):
    """What the stages have yet to do; a row with a last error is one that failed."""

    list_display = ("stage", "due_at", "attempts", "last_error", "subject_id")
    search_fields = ("stage",)
    search_help_text = "A stage, whole, such as analyse."
