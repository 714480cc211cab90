"""Admin pages: vendors, rules, automation policies, kill switches [S1 S6]."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget

from awfdrs_site.kernel.problem import Problem
from safety import rule_guides, rule_rows, services
from safety.codes import normalise_code
from safety.line_field import LinesField
from safety.models import (
    AutomationPolicy,
    Backoff,
    ErrorCode,
    EventTypeRule,
    KillSwitch,
    MessagePattern,
    RetryPolicy,
    SwitchScope,
    Vendor,
)
from safety.retry_picture import picture
from safety.rule_admin import RuleAdmin, RuleForm
from safety.rule_types import CATEGORIES
from safety.ruleset import check_pattern
from tenants.acts import act
from tenants.backoffice import (
    TenantAdmin,
    TenantFilter,
    TenantForm,
    actor_of,
    administered,
    changes,
)


class _VendorForm(RuleForm):
    """The breaker's knobs may be left empty: then they stay as they are."""

    KNOBS = (
        "window_seconds", "minimum_calls", "failure_ratio", "slow_call_ms", "half_open_probes",
        "probe_seconds", "on_open", "release_per_second",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.KNOBS:
            if name in self.fields:
                self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        stays = [name for name in self.KNOBS if values.get(name) in (None, "")]
        return values | {name: getattr(self.instance, name) for name in stays}


@admin.register(Vendor)
class VendorAdmin(TenantAdmin):
    """The breaker's state follows the vendor's behaviour; only its limits are set by hand."""

    list_display = (
        "name", "tenant", "breaker_state", "breaker_changed_at", "failure_threshold",
        "open_seconds", "requests_per_minute",
    )  # fmt: skip
    form = _VendorForm
    list_filter = (TenantFilter, "breaker_state")
    list_select_related = ("tenant",)
    search_fields = ("name",)
    search_help_text = "Part of a vendor's name."
    fields = (
        "tenant", "name", "failure_threshold", "window_seconds", "minimum_calls", "failure_ratio",
        "slow_call_ms", "open_seconds", "half_open_probes", "probe_seconds", "on_open",
        "release_per_second", "requests_per_minute",
        "breaker_state", "breaker_changed_at", "calls_saved",
    )  # fmt: skip
    readonly_fields = ("breaker_state", "breaker_changed_at", "calls_saved")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write what the form may change alone: the breaker may have moved since it was read."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        stored = Vendor.objects.get(pk=obj.pk)
        request.audited_values = changes(stored, obj)  # type: ignore[attr-defined]
        obj.save(update_fields=[n for n in self.fields if n not in self.readonly_fields])


class _RetryPolicyForm(RuleForm):
    guide = rule_guides.RETRY_POLICY

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        initial, longest = values.get("initial_delay_seconds"), values.get("max_delay_seconds")
        if initial is not None and longest is not None and longest < initial:
            self.add_error("max_delay_seconds", "Is less than the initial delay.")
        retries = values.get("max_retries")
        if retries is not None and (values.get("kind") == Backoff.NONE) != (retries == 0):
            self.add_error("max_retries", "0 goes with the kind “No retries”, and only with it.")
        return values


@admin.register(RetryPolicy)
class RetryPolicyAdmin(RuleAdmin):
    form = _RetryPolicyForm
    list_display = (
        "name", "tenant", "kind", "max_retries", "initial_delay_seconds", "max_delay_seconds"
    )  # fmt: skip
    search_fields = ("name",)
    search_help_text = "Part of a policy's name."
    readonly_fields = ("schedule",)

    @admin.display(description="When retries run")
    def schedule(self, policy: RetryPolicy) -> str:
        """The attempts as a picture, as the policy is stored."""
        if policy._state.adding:
            return "Shown once it is saved."
        return picture(rule_rows.as_ruleset(policy)[1].retry_policies[0])


# What a rule says about a failure, in the order people think of it.
_MEANING = (
    "category", "severity", "retry_policy", "plan", "escalate", "recommended_action", "description"
)  # fmt: skip


class _FailureForm(RuleForm):
    guide = rule_guides.FAILURE
    category = forms.ChoiceField(
        choices=[(name, name.replace("_", " ")) for name in CATEGORIES],
        widget=UnfoldAdminSelectWidget,
    )


class _ErrorCodeForm(_FailureForm):
    def clean_code(self) -> str:
        code = normalise_code(self.cleaned_data["code"])
        if not code:
            raise ValidationError("A code needs a letter or a digit.")
        return code


@admin.register(ErrorCode)
class ErrorCodeAdmin(RuleAdmin):
    form = _ErrorCodeForm
    fields = ("tenant", "code", *_MEANING)
    list_display = ("code", "tenant", "severity", "category", "retry_policy", "escalate")
    list_filter = (TenantFilter, "severity", "escalate")
    list_select_related = ("tenant", "retry_policy")
    search_fields = ("code", "category")
    search_help_text = "Part of a code or a category."


class _MessagePatternForm(_FailureForm):
    def clean_pattern(self) -> str:
        pattern: str = self.cleaned_data["pattern"]
        if reason := check_pattern(pattern):
            raise ValidationError(reason)
        return pattern


@admin.register(MessagePattern)
class MessagePatternAdmin(RuleAdmin):
    form = _MessagePatternForm
    fields = ("tenant", "name", "pattern", "position", *_MEANING)
    list_display = ("name", "tenant", "position", "pattern", "severity", "category")
    list_filter = (TenantFilter, "severity")
    search_fields = ("name", "pattern")
    search_help_text = "Part of a name or a pattern."


class _EventTypeForm(RuleForm):
    guide = rule_guides.EVENT_TYPE

    def clean_pattern(self) -> str:
        pattern: str = self.cleaned_data["pattern"].strip()
        allowed = set("abcdefghijklmnopqrstuvwxyz0123456789._-*")
        if set(pattern) - allowed or not set(pattern) - set("._-*"):
            raise ValidationError("Needs a letter or digit; only a-z, 0-9, . _ - and * may stand.")
        return pattern


@admin.register(EventTypeRule)
class EventTypeRuleAdmin(RuleAdmin):
    form = _EventTypeForm
    list_display = ("pattern", "tenant", "kind", "position")
    list_filter = (TenantFilter, "kind")
    search_fields = ("pattern",)
    search_help_text = "Part of a pattern."


class _AutomationPolicyForm(RuleForm):
    guide = rule_guides.AUTOMATION
    confidence_thresholds = LinesField(
        label="Lines of their own",
        help_text="For single kinds of action, such as 0.9 for plans. Empty: the auto line.",
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        tenant = values.get("tenant", getattr(self.instance, "tenant", None))
        if values.get("workflow") and tenant is None and "workflow" not in self.errors:
            self.add_error("tenant", "A workflow's policy needs its tenant.")
        return values | {"confidence_thresholds": values.get("confidence_thresholds") or {}}


@admin.register(AutomationPolicy)
class AutomationPolicyAdmin(RuleAdmin):
    form = _AutomationPolicyForm
    list_display = (
        "__str__", "tenant", "workflow", "confidence_threshold", "max_attempts",
        "max_actions_per_hour", "cooldown_seconds", "dry_run", "in_force", "expires_at",
    )  # fmt: skip
    list_select_related = ("tenant", "workflow")

    @admin.display(boolean=True)
    def in_force(self, policy: AutomationPolicy) -> bool:
        return policy.expires_at is None or timezone.now() < policy.expires_at


class _KillSwitchForm(TenantForm):
    """Adding engages a switch; on an engaged one only the reason for its release can be written."""

    class Meta:
        model = KillSwitch
        fields = (
            "tenant", "scope", "workflow", "vendor", "action_kind", "blocks", "reason",
            "expires_at", "release_reason",
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if "release_reason" in self.fields:
            if not values.get("release_reason", "").strip():
                self.add_error("release_reason", "Say why it is released.")
            return values
        if self.errors:
            return values
        try:
            services.check_engagement(KillSwitch(**values), timezone.now())
        except Problem as problem:
            for error in problem.errors:
                self.add_error(error.field if error.field in self.fields else None, error.detail)
        return values


@admin.register(KillSwitch)
class KillSwitchAdmin(TenantAdmin):
    """Engaged and released through the services alone: locked, audited, told to the open pages."""

    form = _KillSwitchForm
    services_audit = True
    holds_defaults = True
    list_display = (
        "target", "tenant", "blocks", "engaged", "engaged_at", "engaged_by", "expires_at", "reason"
    )  # fmt: skip
    list_filter = (TenantFilter, "scope", "blocks")
    list_select_related = ("tenant", "workflow")
    ordering = ("-engaged_at",)
    actions = ("release",)

    @act(
        "Release the selected switches",
        "What they stopped may run again. What they held back is not started by this.",
        permission="release",
    )
    def release(self, request: HttpRequest, switch: KillSwitch, reason: str) -> bool:
        now = timezone.now()
        if not switch.is_engaged(now):
            return False
        services.release_switch(switch=switch, reason=reason, actor=actor_of(request), now=now)
        return True

    def has_release_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj)

    @admin.display(boolean=True)
    def engaged(self, switch: KillSwitch) -> bool:
        return switch.is_engaged(timezone.now())

    def get_fields(self, request: HttpRequest, obj: KillSwitch | None = None) -> Any:
        asked = (
            "tenant", "scope", "workflow", "vendor", "action_kind", "blocks", "reason",
            "expires_at",
        )  # fmt: skip
        if obj is None:
            return asked
        return (*asked, "engaged_at", "engaged_by", "released_at", "released_by", "release_reason")

    def get_readonly_fields(self, request: HttpRequest, obj: KillSwitch | None = None) -> Any:
        if obj is None:
            return ()
        return tuple(name for name in self.get_fields(request, obj) if name != "release_reason")

    def has_change_permission(self, request: HttpRequest, obj: KillSwitch | None = None) -> bool:
        if obj is not None and not obj.is_engaged(timezone.now()):
            return False
        return super().has_change_permission(request, obj)

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "scope" and administered(request) is not None:
            kwargs["choices"] = [c for c in SwitchScope.choices if c[0] != SwitchScope.GLOBAL]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: KillSwitch, form: Any, change: bool) -> None:
        actor, now = actor_of(request), timezone.now()
        if change:
            services.release_switch(switch=obj, reason=obj.release_reason, actor=actor, now=now)
            return
        switch = services.engage_switch(
            tenant=obj.tenant,
            scope=obj.scope,
            workflow=obj.workflow,
            vendor=obj.vendor,
            action_kind=obj.action_kind,
            blocks=obj.blocks,
            reason=obj.reason,
            expires_at=obj.expires_at,
            actor=actor,
            now=now,
        )
        obj.pk = switch.pk
