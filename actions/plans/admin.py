"""Admin pages: recovery plans, written as YAML, drawn, kept as versions [A2 S11]."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.views import ChangeList

from actions.plans.form import PlanForm, placed_words
from actions.plans.models import RecoveryPlan
from actions.plans.reading import STARTER, difference
from actions.plans.reference import drawn, kinds_in_plans
from actions.plans.selectors import newest_versions, versions_of
from actions.plans.templates import lock_newest, retire_plan, save_plan
from actions.plans.uses import with_uses
from awfdrs_site.kernel.problem import Problem
from tenants.acts import act
from tenants.backoffice import TenantAdmin, TenantFilter, actor_of, administered

VERSIONS_SHOWN = 100


class _RetiredFilter(admin.SimpleListFilter):
    title = "use"
    parameter_name = "retired"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "In use"), ("yes", "Retired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("no", "yes"):
            return queryset
        return queryset.filter(retired_at__isnull=self.value() == "no")


class _NewestVersions(ChangeList):
    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return with_uses(newest_versions(rows), administered(request))


@admin.register(RecoveryPlan)
class RecoveryPlanAdmin(TenantAdmin):
    """A line a plan, its newest version. Saving stores the next one; nothing is edited in place."""

    form = PlanForm
    services_audit = True
    holds_defaults = True
    empty_value_display = "all"
    list_display = (
        "name", "tenant", "title", "version", "steps", "begins", "rules", "recoveries", "in_use",
    )  # fmt: skip
    list_filter = (TenantFilter, _RetiredFilter)
    list_select_related = ("tenant",)
    search_fields = ("name",)
    search_help_text = "Part of a plan's name."
    ordering = ("name", "tenant")
    actions = ("retire",)
    sortable_by = ("name", "tenant", "version")
    change_form_after_template = "admin/actions/plan_preview.html"
    change_form_outer_after_template = "admin/actions/plan_below.html"

    class Media:
        css = {"all": ("css/plan.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _NewestVersions

    # The list

    @admin.display(description="title")
    def title(self, row: RecoveryPlan) -> str:
        return row.plan().title

    @admin.display(description="steps")
    def steps(self, row: RecoveryPlan) -> int:
        return len(list(row.plan().steps()))

    @admin.display(description="begins")
    def begins(self, row: RecoveryPlan) -> str:
        plan = row.plan()
        if plan.has_irreversible_step():
            return "Asks a person: point of no return"
        return "Asks a person" if plan.approval == "always" else "Can be automatic"

    @admin.display(description="used by rules")
    def rules(self, row: Any) -> str:
        """Of this owner, or everybody's: codes and patterns that name it, each with its list."""
        found = (("errorcode", row.codes, "code"), ("messagepattern", row.patterns, "pattern"))
        links = [
            format_html(
                '<a class="link" href="{}?plan={}">{} {}{}</a>',
                reverse(f"admin:safety_{table}_changelist"),
                row.name, count, word, "" if count == 1 else "s",
            )
            for table, count, word in found
            if count
        ]  # fmt: skip
        return format_html_join(", ", "{}", ((link,) for link in links)) or "none"

    @admin.display(description="recoveries")
    def recoveries(self, row: Any) -> int:
        return int(row.runs)

    @admin.display(description="in use", boolean=True)
    def in_use(self, row: RecoveryPlan) -> bool:
        return row.retired_at is None

    # The form

    def get_fields(self, request: HttpRequest, obj: RecoveryPlan | None = None) -> Any:
        may_write = obj is None or self.has_change_permission(request, obj)
        return ("tenant", "source" if may_write else "text")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "text")

    @admin.display(description="Plan")
    def text(self, row: RecoveryPlan) -> str:
        return format_html('<pre class="plan-source" tabindex="0">{}</pre>', row.source)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if not field.required:
            field.empty_label = "All"
        return field

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """The newest version's page; an older one's address leads there, and stores nothing."""
        row = self.get_object(request, unquote(object_id)) if object_id else None
        if row is not None and request.method == "GET":
            newest = versions_of(row).first()
            if newest is not None and newest.pk != row.pk:
                return HttpResponseRedirect(self._page("change", newest))
        context = {"kinds": kinds_in_plans(), "starter": STARTER, **(extra_context or {})}
        if row is not None:
            context["stored"] = drawn(row.plan())
        return super().changeform_view(request, object_id, form_url, context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        saved = save_plan(
            tenant=obj.tenant, source=obj.source, actor=actor_of(request), now=timezone.now()
        )
        request.stored_nothing = change and saved.pk == obj.pk  # type: ignore[attr-defined]
        obj.pk, obj.name, obj.version = saved.pk, saved.name, saved.version

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        if not getattr(request, "stored_nothing", False):
            return super().log_change(request, obj, message)
        return None

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if getattr(request, "stored_nothing", False):
            messages.info(request, f"Nothing is different: version {obj.version} stays the newest.")
            return HttpResponseRedirect(self._page("change", obj))
        return super().response_change(request, obj)

    # Versions

    @act(
        "Retire the selected plans",
        "No further recovery begins them; those that run go on. A failure whose rule names one "
        "then calls a person. Saving a plan again brings it back.",
    )
    def retire(self, request: HttpRequest, row: RecoveryPlan, reason: str) -> bool:
        was, actor = row.retired_at, actor_of(request)
        retire_plan(plan=row, actor=actor, now=timezone.now(), comment=reason)
        return was is None

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.retire_view)
        name = "actions_recoveryplan_retire"
        return [path("<path:object_id>/retire/", view, name=name), *super().get_urls()]

    def retire_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """POST `retire` or `bring_back`; the latter stores the text as the next version."""
        row = self._changeable(request, object_id)
        with transaction.atomic():
            newest = lock_newest(row.tenant, row.name)
            if newest is None or newest.pk != row.pk:
                messages.error(request, "The plan was changed meanwhile: look again.")
            elif "bring_back" in request.POST:
                self._save_again(request, row, "is in use again")
            elif "retire" in request.POST:
                retire_plan(plan=newest, actor=actor_of(request), now=timezone.now())
                self.log_change(request, newest, "Retired")
                messages.success(request, f"{row.name} is retired: no further recovery begins it.")
        return HttpResponseRedirect(self._page("change", row))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Every version beside the one before; POST `restore` saves one as the next."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return super().history_view(request, object_id, extra_context)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if request.method == "POST":
            self._restore(request, self._changeable(request, object_id))
            return HttpResponseRedirect(request.path)
        versions = list(versions_of(row)[: VERSIONS_SHOWN + 1])
        before = [*(one.source for one in versions[1:]), ""]
        changes = [difference(old, one.source) for old, one in zip(before, versions, strict=True)]
        context = {
            **self.admin_site.each_context(request),
            "title": f"Versions of {row.name}",
            "opts": self.opts,
            "object": row,
            "media": self.media,
            "versions": list(zip(versions, changes, strict=True))[:VERSIONS_SHOWN],
            "may_restore": self.has_change_permission(request, row),
        }
        return TemplateResponse(request, "admin/actions/plan_history.html", context)

    def _restore(self, request: HttpRequest, row: RecoveryPlan) -> None:
        with transaction.atomic():
            newest = lock_newest(row.tenant, row.name)
            chosen = {str(one.version): one for one in versions_of(row)}
            version = chosen.get(request.POST.get("restore", ""))
            seen = chosen.get(request.POST.get("newest", ""))
            if version is None or seen is None or seen != newest:
                messages.error(request, "The plan was changed meanwhile: look again.")
            else:
                self._save_again(request, version, f"is as in version {version.version}")

    def _save_again(self, request: HttpRequest, row: RecoveryPlan, words: str) -> None:
        """The text of `row` as the next version; what the catalog refuses by now is said."""
        actor, now = actor_of(request), timezone.now()
        try:
            saved = save_plan(tenant=row.tenant, source=row.source, actor=actor, now=now)
        except Problem as problem:
            said = " ".join(placed_words(row.source, error) for error in problem.errors)
            messages.error(request, f"That text cannot be any more. {said}")
            return
        self.log_change(request, saved, f"Saved again: {words}")
        messages.success(request, f"{row.name} {words}; that is version {saved.version}.")

    def _changeable(self, request: HttpRequest, object_id: str) -> RecoveryPlan:
        """404 for what this person does not see, 403 for what they may not change."""
        row: RecoveryPlan | None = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if request.method != "POST" or not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def _page(self, name: str, row: RecoveryPlan) -> str:
        return reverse(f"admin:actions_recoveryplan_{name}", args=[row.pk])
