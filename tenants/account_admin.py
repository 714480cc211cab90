"""Admin pages of accounts and locked log-ins, for superusers alone."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tenants.acts import switch
from tenants.backoffice import Audited, administered, rows_within

admin.site.unregister([User, Group, AccessAttempt, AccessLog, AccessFailureLog])


@admin.register(User)
class PeopleAdmin(DjangoUserAdmin, Audited):  # type: ignore[type-arg, misc]
    """Accounts, for superusers alone; what a person may do in a tenant is their membership."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()
    actions = ("switch_off", "switch_on")
    switch_off = switch(
        "is_active", False, "Switch the selected accounts off",
        "Their next click asks them to sign in, which is refused. What they did keeps their name.",
        "switch_off",
    )  # fmt: skip
    switch_on = switch(
        "is_active", True, "Switch the selected accounts on",
        "They may sign in again, with the roles they had.", "switch_on",
    )  # fmt: skip
    ordering = ("username",)
    search_fields = ("username__startswith",)
    search_help_text = "The beginning of a user name."

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """All for superusers; the look-up of a form offers others the people of their tenants."""
        rows: QuerySet[User] = super().get_queryset(request)
        mine = administered(request)
        return rows if mine is None else rows_within(User, mine)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return administered(request) is None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        looked_up = getattr(request.resolver_match, "url_name", "") == "autocomplete"
        return administered(request) is None or (looked_up and bool(administered(request)))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return administered(request) is None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return administered(request) is None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # An account is switched off; what it did keeps its name.
        return False


@admin.register(AccessAttempt)
class LockedLogInAdmin(Audited):
    """Failed log-ins; deleting one opens the door again before its 15 minutes are over."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time")
    ordering = ("-id",)
    search_fields = ("username__exact",)
    search_help_text = "A user name, whole."

    def has_module_permission(self, request: HttpRequest) -> bool:
        return administered(request) is None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return administered(request) is None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return administered(request) is None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
