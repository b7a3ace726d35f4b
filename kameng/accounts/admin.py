"""Which operators sign in, and what they did."""

from typing import Any

from django import forms
from django.contrib.admin import display
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminPasswordWidget

from kameng.accounts import second_factor_admin
from kameng.accounts.models import User
from kameng.accounts.services import staff_add, staff_change
from kameng.admin.bases import ReadOnlyAdmin, ServiceAdmin
from kameng.admin.forms import ServiceForm
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import badge, when

__all__ = ["LogEntryAdmin", "StaffAccountAdmin", "second_factor_admin"]

GROUP = gettext_lazy("设置")


class StaffAccountForm(ServiceForm):
    """An account; its password is written and never shown."""

    new_password = forms.CharField(
        label=gettext_lazy("密码"),
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("至少 8 个字符，不能太常见。修改已有账号时留空表示不改"),
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "email", "is_active")


class StaffAccountAdmin(ServiceAdmin):
    """Operators. Only whoever runs it adds and changes accounts; everybody changes their own password."""

    form = StaffAccountForm
    nav = Nav(GROUP, gettext_lazy("员工账号"), "group", 92)
    heading = gettext_lazy("员工账号")
    list_display = ("username", "first_name", "role", "is_in", "seen")
    search_fields = ("username", "first_name")
    ordering = ("username",)
    fields = ("username", "first_name", "email", "is_active", "new_password")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Staff only."""
        found: QuerySet[User] = super().get_queryset(request)
        return found.filter(is_staff=True)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever runs the place."""
        return bool(super().has_add_permission(request, obj) and request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever runs the place."""
        return bool(super().has_change_permission(request, obj) and request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A name stays, because histories name people by it."""
        return ("username",) if obj is not None else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A new account is active, and a password is not there to be looked at."""
        hidden = "is_active" if obj is None else "" if self.has_change_permission(request, obj) else "new_password"
        return tuple(name for name in self.fields if name != hidden)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        typed = form.cleaned_data
        if change:
            staff_change(
                user_id=obj.pk,
                by=request.user.pk or 0,
                first_name=typed["first_name"],
                email=typed["email"],
                is_active=typed["is_active"],
                password=typed["new_password"],
            )
        else:
            made = staff_add(
                username=typed["username"],
                password=typed["new_password"],
                first_name=typed["first_name"],
                email=typed["email"],
            )
            obj.pk = made.pk

    @display(description=gettext_lazy("身份"))
    def role(self, user: User) -> str:
        """Who adds accounts, and who does not."""
        return _("负责人") if user.is_superuser else _("员工")

    @display(description=gettext_lazy("状态"))
    def is_in(self, user: User) -> SafeString:
        """Whether they may enter."""
        return badge("ok", _("启用")) if user.is_active else badge("neutral", _("停用"))

    @display(description=gettext_lazy("上次登录"), ordering="last_login")
    def seen(self, user: User) -> SafeString | str:
        """When they last signed in."""
        return when(user.last_login)


class LogEntryAdmin(ReadOnlyAdmin):
    """Who did what in this admin."""

    nav = Nav(GROUP, gettext_lazy("操作记录"), "history", 95)
    heading = gettext_lazy("操作记录")
    list_display = ("at", "who", "did", "what", "change_text")
    list_display_links = None
    list_filter = ("action_flag",)
    search_fields = ("object_repr", "change_message")
    search_help_text = gettext_lazy("对象名称或内容")
    list_select_related = ("user", "content_type")
    ordering = ("-action_time",)

    @display(description=gettext_lazy("时间"), ordering="action_time")
    def at(self, entry: LogEntry) -> SafeString | str:
        """When."""
        return when(entry.action_time)

    @display(description=gettext_lazy("谁"))
    def who(self, entry: LogEntry) -> str:
        """By name."""
        return str(entry.user.get_username())

    @display(description=gettext_lazy("做了什么"))
    def did(self, entry: LogEntry) -> str:
        """One word."""
        return {ADDITION: _("新增"), CHANGE: _("修改"), DELETION: _("删除")}.get(entry.action_flag, "")

    @display(description=gettext_lazy("对象"))
    def what(self, entry: LogEntry) -> SafeString:
        """What kind of thing, and which."""
        kind = entry.content_type.name if entry.content_type else ""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub">{}</span></span>',
            entry.object_repr,
            kind,
        )

    @display(description=gettext_lazy("内容"))
    def change_text(self, entry: LogEntry) -> SafeString:
        """What was changed."""
        return format_html('<span class="k-cell">{}</span>', entry.get_change_message())


# A shop has pages of its own for both (`kameng.manage.staff`, `kameng.manage.changes`).
operations_site.register(User, StaffAccountAdmin)
operations_site.register(LogEntry, LogEntryAdmin)
