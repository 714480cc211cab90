"""What the admin pages of all rules share: the files' limits, history, and restoring [S1 S11]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path

from awfdrs_site.kernel.models import AuditEntry
from safety import rule_rows
from safety.rule_export import mistakes_in
from safety.rule_history import Version, deletions_of, told, versions_of
from safety.selectors import forget_rules
from tenants.backoffice import TenantAdmin, TenantFilter, TenantForm, administered

# Where a form's field has another name than the key of the files.
_FIELD_OF = {
    "backoff_multiplier": "multiplier",
    "jitter": "jitter_ratio",
    "timeout_seconds": "open_seconds",
}


class RuleForm(TenantForm):
    """Refuses what no rule file could hold: files and forms have the same limits."""

    # What a field means in plain words, and an example.
    guide: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.guide.keys() & self.fields.keys():
            # Only a superuser may leave the tenant empty.
            if name != "tenant" or not self.fields[name].required:
                self.fields[name].help_text = self.guide[name]
        if "plan" in self.fields:
            self.fields["plan"].widget.attrs["list"] = "plan-names"

    def is_valid(self) -> bool:
        # A preview is shown again and never stored, however right it is.
        return super().is_valid() and "_preview" not in self.data

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        section, rules = rule_rows.as_ruleset(self.instance)
        for mistake in mistakes_in(rules):
            if mistake.path.startswith(section):
                key = mistake.path.rpartition(".")[2]
                name = _FIELD_OF.get(key, key)
                self.add_error(name if name in self.fields else None, mistake.message)


class RuleAdmin(TenantAdmin):
    """A rule: without a tenant it is everyone's default. It holds within a second, unstarted."""

    form = RuleForm
    holds_defaults = True
    deletable = True
    empty_value_display = "all"
    list_after_template = "admin/safety/rules_deleted_link.html"
    # Of the app that knows what happened lately; without it the form is the same, but alone.
    change_form_after_template = "admin/rules/preview.html"
    list_filter: tuple[Any, ...] = (TenantFilter,)
    list_select_related: tuple[str, ...] = ("tenant",)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name in ("tenant", "workflow") and not field.required:
            field.empty_label = "All"
        return field

    class Media:
        js = (Script("js/rule-preview.js", type="module"),)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """The form; to the script beside it only what stands beside it."""
        page = super().changeform_view(request, object_id, form_url, extra_context)
        alone = "_preview" in request.POST and "X-Preview" in request.headers
        if alone and isinstance(page, TemplateResponse):
            page.template_name = self.change_form_after_template
        return page

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_rules()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        forget_rules()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        forget_rules()

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Every state of the rule; POST `restore` writes one of them again."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return super().history_view(request, object_id, extra_context)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if request.method == "POST":
            return self._restored(request, row)
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {row}",
            "opts": self.opts,
            "object": row,
            "entries": told(row),
            "empty": "Nobody has changed this rule since it was imported.",
            "may_restore": self.has_change_permission(request, row),
        }
        return TemplateResponse(request, "admin/safety/rule_history.html", context)

    def _restored(self, request: HttpRequest, row: Model) -> HttpResponse:
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        with transaction.atomic():
            row = type(row)._default_manager.select_for_update().get(pk=row.pk)
            refused = self._restore(request, row, versions_of(row))
        if refused:
            messages.error(request, refused)
        else:
            messages.success(request, f"{row} is as it was then.")
        return HttpResponseRedirect(request.path)

    def _restore(self, request: HttpRequest, row: Model, versions: list[Version]) -> str:
        """Write the chosen state through the form; why not, or "". The caller holds the row."""
        chosen = {str(version.entry_id): version for version in versions}
        version = chosen.get(request.POST.get("restore", ""))
        if version is None or str(versions[0].entry_id) != request.POST.get("newest"):
            return "The rule was changed meanwhile: look again before you restore."
        form_class: Any = self.get_form(request, row, change=True)
        form = form_class(as_posted(version.values, form_class.base_fields), instance=row)
        if not form.is_valid():
            return f"That state cannot be any more. {_mistakes(form)}"
        self.save_model(request, form.save(commit=False), form, change=True)
        request.audited_verb = "restored"  # type: ignore[attr-defined]
        since = f"{version.at:%Y-%m-%d %H:%M} UTC" if version.at else "before the first change"
        self.log_change(request, row, f"Restored the state of {since}")
        return ""

    def get_urls(self) -> list[Any]:
        opts = self.opts
        name = f"{opts.app_label}_{opts.model_name}_deleted"
        view = self.admin_site.admin_view(self.deleted_view)
        return [path("deleted/", view, name=name), *super().get_urls()]

    def deleted_view(self, request: HttpRequest) -> HttpResponse:
        """What was deleted; POST `restore` adds one of them again, as if typed anew.

        404 for a deletion that is not in the list for this person; 409 when the rule is there
        again or cannot be any more.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        refused = ""
        if request.method == "POST":
            entry = self._deletion(request)
            refused = self._added_again(request, entry)
            if not refused:
                messages.success(request, "The rule is there again, as it was when it was deleted.")
                return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Deleted {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "refused": refused,
            "deletions": deletions_of(self.model, administered(request)),
        }
        status = 409 if refused else 200
        return TemplateResponse(request, "admin/safety/rules_deleted.html", context, status=status)

    def _deletion(self, request: HttpRequest) -> AuditEntry:
        """The posted entry, if this person might ever have restored it."""
        mine, chosen = administered(request), request.POST.get("restore", "")
        entries = AuditEntry.objects.filter(subject_type=self.opts.label_lower, verb="deleted")
        found = entries.filter(pk=chosen).first() if chosen.isdecimal() else None
        if found is None or not (mine is None or found.tenant_id in mine):
            raise Http404
        return found

    def _added_again(self, request: HttpRequest, entry: AuditEntry) -> str:
        """Insert the deleted rule under the id it had, through the form; why not, or "".

        Whoever else restores or adds it meanwhile is found out by the unique keys.
        """
        if entry.pk not in {one.pk for one in deletions_of(self.model, administered(request))}:
            return "The rule is there again, or was deleted once more since."
        form_class: Any = self.get_form(request, None, change=False)
        posted = as_posted(entry.before, form_class.base_fields)
        form = form_class(posted, instance=self.model(pk=entry.subject_id))
        if not form.is_valid():
            return f"The rule cannot be any more. {_mistakes(form)}"
        try:
            with transaction.atomic():
                row = form.save(commit=False)
                row.save(force_insert=True)
                request.audited_verb = "restored"  # type: ignore[attr-defined]
                self.log_addition(request, row, "Restored after it was deleted")
        except IntegrityError:
            return "Somebody else has added the rule meanwhile."
        forget_rules()
        return ""


def _mistakes(form: Any) -> str:
    return " ".join(f"{name}: {' '.join(texts)}" for name, texts in form.errors.items())


def as_posted(values: Any, fields: Any) -> dict[str, Any]:
    """Stored values as a browser would post them: an unticked box is not there."""
    posted: dict[str, Any] = {}
    for name, field in fields.items():
        value = values.get(name)
        if isinstance(field, forms.SplitDateTimeField):
            value = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(field, forms.MultiValueField):
            parts = field.widget.decompress(value)
            posted |= {f"{name}_{index}": part or "" for index, part in enumerate(parts)}
        elif value is not False:
            posted[name] = "" if value is None else field.prepare_value(value)
    return posted
