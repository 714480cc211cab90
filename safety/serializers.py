"""Kill switches, vendors and workflows as the API shows them, and the bodies it takes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from awfdrs_site.kernel.rest import Body, Instant, Text, Uuid
from safety.breaker import Breaker, State, half_open_at, in_window, probes_free
from safety.breakers import as_of, steps_by_hand
from safety.models import (
    BreakerChange,
    BreakerState,
    KillSwitch,
    SwitchBlocks,
    SwitchedKind,
    SwitchScope,
    Vendor,
)
from safety.selectors import breaker_history
from safety.services import REASON_CHARS, VENDOR_CHARS
from safety.throttle import Throttle
from tenants.models import Engine, Workflow
from tenants.serializers import WorkflowRef


class KillSwitchSerializer(serializers.ModelSerializer[KillSwitch]):
    """A stop lever that was pulled; `engaged` is false once it is released or has expired."""

    workflow = WorkflowRef(read_only=True, allow_null=True)
    target = serializers.CharField(read_only=True, help_text="What it stops, in words.")
    engaged = serializers.SerializerMethodField()

    class Meta:
        model = KillSwitch
        fields = (
            "id",
            "scope",
            "workflow",
            "vendor",
            "action_kind",
            "target",
            "blocks",
            "engaged",
            "reason",
            "engaged_at",
            "engaged_by",
            "expires_at",
            "released_at",
            "released_by",
            "release_reason",
        )
        read_only_fields = fields

    def get_engaged(self, switch: KillSwitch) -> bool:
        return switch.is_engaged(timezone.now())


class EngageBody(Body):
    """What to stop: scope `workflow` needs `workflow_id`, `vendor` its name, `action` its kind."""

    scope = serializers.ChoiceField(choices=SwitchScope.choices)
    workflow_id = Uuid(required=False)
    vendor = Text(required=False, max_length=VENDOR_CHARS)
    action_kind = serializers.ChoiceField(choices=SwitchedKind.choices, required=False)
    blocks = serializers.ChoiceField(choices=SwitchBlocks.choices, default=SwitchBlocks.AUTOMATION)
    reason = Text(required=False, allow_blank=True, max_length=REASON_CHARS)
    expires_at = Instant(required=False, allow_null=True)


class ExtendBody(Body):
    """`expires_at`: later than the present end, or null for "until it is released"."""

    expires_at = Instant(allow_null=True)


class ReleaseBody(Body):
    reason = Text(max_length=REASON_CHARS)


class ThrottleSerializer(serializers.Serializer[Throttle]):
    """At most so many calls a minute until then; `by`: the incident for which it was set."""

    per_minute = serializers.IntegerField()
    until = serializers.DateTimeField()
    by = serializers.CharField()


class VendorSerializer(serializers.ModelSerializer[Vendor]):
    """A vendor with its breaker as it stands now.

    `half_open_at`: when an open breaker lets the first probes through. `failures` of `calls`: the
    window's. `probes_free`: how many more calls may be made while half-open. `steps`: the states
    it may be set to by hand now. `throttle`: what keeps the calls to it below its limit now.
    """

    breaker_state = serializers.SerializerMethodField()
    breaker_changed_at = serializers.SerializerMethodField()
    half_open_at = serializers.SerializerMethodField()
    calls = serializers.SerializerMethodField()
    failures = serializers.SerializerMethodField()
    probes_free = serializers.SerializerMethodField()
    steps = serializers.SerializerMethodField()
    throttle = serializers.SerializerMethodField()

    class Meta:
        model = Vendor
        fields: tuple[str, ...] = (
            "name",
            "breaker_state",
            "breaker_changed_at",
            "half_open_at",
            "calls",
            "failures",
            "probes_free",
            "steps",
            "calls_saved",
            "failure_threshold",
            "window_seconds",
            "minimum_calls",
            "failure_ratio",
            "slow_call_ms",
            "open_seconds",
            "half_open_probes",
            "probe_seconds",
            "on_open",
            "release_per_second",
            "requests_per_minute",
            "throttle",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(serializers.ChoiceField(choices=BreakerState.choices))
    def get_breaker_state(self, vendor: Vendor) -> str:
        return _now(vendor).state

    def get_breaker_changed_at(self, vendor: Vendor) -> datetime | None:
        return _now(vendor).since

    def get_half_open_at(self, vendor: Vendor) -> datetime | None:
        return half_open_at(_now(vendor), vendor.policy())

    def get_calls(self, vendor: Vendor) -> int:
        return in_window(_now(vendor), vendor.policy(), timezone.now()).calls

    def get_failures(self, vendor: Vendor) -> int:
        window = in_window(_now(vendor), vendor.policy(), timezone.now())
        return window.failures + window.slow

    def get_probes_free(self, vendor: Vendor) -> int:
        return probes_free(_now(vendor), vendor.policy())

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_steps(self, vendor: Vendor) -> list[State]:
        return steps_by_hand(vendor, timezone.now())

    @extend_schema_field(ThrottleSerializer(allow_null=True))
    def get_throttle(self, vendor: Vendor) -> Any:
        found = vendor.throttle(timezone.now())
        return ThrottleSerializer(found).data if found else None


def _now(vendor: Vendor) -> Breaker:
    return as_of(vendor, timezone.now())


class BreakerChangeSerializer(serializers.ModelSerializer[BreakerChange]):
    """One step of a breaker: by the reports, by the clock or by a person."""

    class Meta:
        model = BreakerChange
        fields = ("at", "before", "after", "why", "actor")
        read_only_fields = fields


class VendorDetailSerializer(VendorSerializer):
    """`history`: the breaker's last steps, newest first."""

    history = serializers.SerializerMethodField()

    class Meta(VendorSerializer.Meta):
        fields = (*VendorSerializer.Meta.fields, "history")
        read_only_fields = fields

    @extend_schema_field(BreakerChangeSerializer(many=True))
    def get_history(self, vendor: Vendor) -> Any:
        return BreakerChangeSerializer(breaker_history(vendor), many=True).data


class PermitSerializer(serializers.Serializer[Any]):
    """A call may be made. `probe_until`: it is one of the probes of a half-open breaker, and its
    event should be here by then."""

    allowed = serializers.BooleanField()
    breaker_state = serializers.ChoiceField(choices=BreakerState.choices)
    probe_until = serializers.DateTimeField(allow_null=True)


class BreakerBody(Body):
    """`open` trips, `closed` resets, `half_open` probes now, `forced_open` stays open, `disabled`
    lets everything pass. All but `half_open` need a reason."""

    state = serializers.ChoiceField(choices=BreakerState.choices)
    reason = Text(max_length=REASON_CHARS, required=False, allow_blank=True, default="")


class WorkflowSerializer(serializers.ModelSerializer[Workflow]):
    """`can_retry`: its engine has a retry endpoint; `stopped_by`: the switches that hold it now.

    `engine`: which one is asked for retries; the standby since `failed_over_at`, for
    `failed_over_by`.
    """

    can_retry = serializers.SerializerMethodField()
    engine = serializers.ChoiceField(choices=Engine.choices, read_only=True)
    stopped_by = serializers.SerializerMethodField()

    class Meta:
        model = Workflow
        fields = (
            "id",
            "name",
            "description",
            "is_active",
            "can_retry",
            "engine",
            "failed_over_at",
            "failed_over_by",
            "stopped_by",
        )
        read_only_fields = fields

    def get_can_retry(self, workflow: Workflow) -> bool:
        return bool(workflow.retry_url)

    def get_stopped_by(self, workflow: Workflow) -> list[str]:
        switches: list[KillSwitch] = self.context["switches"]
        return [str(s.pk) for s in switches if _stops(s, workflow)]


def _stops(switch: KillSwitch, workflow: Workflow) -> bool:
    if switch.scope in (SwitchScope.GLOBAL, SwitchScope.TENANT, SwitchScope.ACTION):
        return True
    return switch.workflow_id == workflow.pk
