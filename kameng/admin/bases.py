"""Bases of the models' pages: services write, states are read-only, and nothing is deleted unless a service does it."""

import json
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.contenttypes.models import ContentType
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from unfold.admin import ModelAdmin, TabularInline

from kameng.admin.forms import RowForm, ServiceForm, add_problem
from kameng.admin.sites import Nav, Text
from kameng.core.problems import Problem

PER_PAGE = 50


def actor_of(request: HttpRequest) -> str:
    """Who acts, as histories name people: never to be confused with `system`, `worker` or `notice`."""
    return f"staff:{request.user.get_username()}"[:80]


class _NoRelatedButtons:
    """A choice of related rows without buttons that add or change those."""

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **options: Any) -> Any:
        """The theme's field without the wrapper's buttons."""
        formfield = super().formfield_for_dbfield(db_field, request, **options)  # type: ignore[misc]
        widget = getattr(formfield, "widget", None)
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget.can_add_related = widget.can_change_related = False
            widget.can_delete_related = widget.can_view_related = False
        return formfield


class _StaffOnly:
    """Everybody who may enter the site may look; `can_*` say what the service behind the page offers."""

    admin_site: Any
    opts: Any
    can_add = can_change = can_delete = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may enter the site."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may enter the site."""
        return bool(self.admin_site.has_permission(request))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Where a service adds."""
        return self.can_add and self._may_send(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Where a service changes."""
        return self.can_change and self._may_send(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Where a service removes: rows of public are archived, never deleted."""
        return self.can_delete and self._may_send(request, "delete")

    def _may_send(self, request: HttpRequest, act: str) -> bool:
        name = f"{self.opts.app_label}_{self.opts.model_name}_{act}"
        return self.has_view_permission(request) and bool(self.admin_site.may(request, name, sends=True))


class ReadOnlyAdmin(_StaffOnly, _NoRelatedButtons, ModelAdmin):
    """Rows to look at."""

    nav: Nav | None = None
    #: What the list is called, where that is not what many of its rows are called.
    heading: Text = ""
    list_per_page = list_max_show_all = PER_PAGE
    show_full_result_count = False
    #: Whole lists of rows are never changed at once here, so there is nothing to tick.
    actions = None

    def get_urls(self) -> list[URLPattern]:
        """Without the framework's history, which goes by ids that differ between schemas; there is a list instead."""
        urls: list[URLPattern] = super().get_urls()
        return [url for url in urls if not str(url.name or "").endswith("_history")]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing is written but by a service: a page that can write says by which."""
        raise NotImplementedError(f"{type(self).__name__} names no service")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """The same for removing."""
        raise NotImplementedError(f"{type(self).__name__} names no service")

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        """Never many at once."""
        raise NotImplementedError

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """The same for rows inside the page."""
        raise NotImplementedError(f"{type(self).__name__} names no service for its rows")


class ServiceAdmin(ReadOnlyAdmin):
    """Rows that services write. A refusal of the service is shown in the form, at the field it is about."""

    can_add = can_change = True
    form = ServiceForm

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Draw or save the form; what a service refuses is drawn again as it was typed, with the reason."""
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        except Problem as refused:
            request.refused = (None, refused)  # type: ignore[attr-defined]
            response = super().changeform_view(request, object_id, form_url, extra_context)
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """One button that saves is enough."""
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        response: HttpResponse = super().render_change_form(request, {**context, **one_button}, *args, **options)
        return response

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list; where it is edited in place, a refusal leaves every row as it was."""
        try:
            response: HttpResponse = super().changelist_view(request, extra_context)
        except Problem as refused:
            request.refused = (getattr(request, "saving", None), refused)  # type: ignore[attr-defined]
            response = super().changelist_view(request, extra_context)
        return response

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """The row as the form has it; remembered, so that a refusal finds its row in a list."""
        request.saving = form.instance.pk  # type: ignore[attr-defined]
        return super().save_form(request, form, change)

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **options: Any) -> Any:
        """The form, which repeats what a service refused a moment ago."""
        return _with_refusal(super().get_form(request, obj, change=change, **options), request)

    def get_changelist_form(self, request: HttpRequest, **options: Any) -> Any:
        """The row's form, which repeats what a service refused a moment ago."""
        form_class = super().get_changelist_form(request, **{"form": RowForm, **options})
        return _with_refusal(form_class, request)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Who added what."""
        write_down(request, obj, ADDITION, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Who changed what."""
        write_down(request, obj, CHANGE, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """Who removed what."""
        for obj in queryset:
            write_down(request, obj, DELETION, "")


def _with_refusal(form_class: Any, request: HttpRequest) -> Any:
    """The form, knowing what a service refused; in a list, the row that was being saved knows it."""
    row, refused = getattr(request, "refused", (None, None))
    if refused is None:
        return form_class

    problem: Problem = refused

    class Refused(form_class):
        """The same form, and why not."""

        def clean(self) -> Any:
            """What the form itself finds wrong, and what the service did."""
            cleaned = super().clean()
            if row is None or row == self.instance.pk:
                add_problem(self, problem)
            return cleaned

    return Refused


def write_down(request: HttpRequest, thing: Model, flag: int, message: Any) -> None:
    """Leave a line in this schema's list of who did what; `message` is the framework's or a sentence.

    Ids of content types differ between schemas, and the framework's cache of them does not know that: ask each time.
    """
    kind = ContentType.objects.filter(app_label=thing._meta.app_label, model=thing._meta.model_name).first()
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=kind,
        object_id=str(thing.pk),
        object_repr=str(thing)[:200],
        action_flag=flag,
        change_message=message if isinstance(message, str) else json.dumps(message),
    )


class StaffTabularInline(_StaffOnly, _NoRelatedButtons, TabularInline):
    """Rows inside a page, as a table."""

    form = RowForm
    extra = 0
    show_change_link = False
