"""Work that is to be done, for operators: what is late, and why."""

from django.contrib.admin import display
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.admin.bases import ReadOnlyAdmin
from kameng.admin.sites import Nav, operations_site
from kameng.outbox.models import OutboxEvent
from kameng.templatetags.staff import badge, when

LATE_SECONDS = 60


class OutboxEventAdmin(ReadOnlyAdmin):
    """Rows that nobody has finished, the most overdue first."""

    nav = Nav(gettext_lazy("业务"), gettext_lazy("待办队列"), "outbox", 18)
    heading = gettext_lazy("待办队列")
    list_display = ("topic", "shop", "state", "tries", "due")
    list_display_links = None
    list_filter = ("topic", "schema_name")
    search_fields = ("topic", "last_error")
    ordering = ("run_at",)

    def has_view_permission(self, request: HttpRequest, obj: OutboxEvent | None = None) -> bool:
        """The list; a row has no page of its own."""
        return obj is None and bool(super().has_view_permission(request))

    @display(description=gettext_lazy("店铺"))
    def shop(self, event: OutboxEvent) -> str:
        """Whose work it is."""
        return event.schema_name.removeprefix("shop_")

    @display(description=gettext_lazy("状态"))
    def state(self, event: OutboxEvent) -> SafeString:
        """In somebody's hands, late, failed before, or simply not due."""
        now = timezone.now()
        if event.lease_until and event.lease_until > now:
            return badge("info", _("处理中"))
        if (now - event.run_at).total_seconds() > LATE_SECONDS:
            return badge("bad", _("超时"))
        return badge("warn", _("重试中")) if event.last_error else badge("neutral", _("等时间"))

    @display(description=gettext_lazy("失败"))
    def tries(self, event: OutboxEvent) -> SafeString:
        """How often it failed, and how."""
        return format_html(
            '<span class="k-cell"><span class="k-num">{}</span><span class="k-sub k-wrap">{}</span></span>',
            event.attempts,
            event.last_error[:160],
        )

    @display(description=gettext_lazy("应执行"), ordering="run_at")
    def due(self, event: OutboxEvent) -> SafeString | str:
        """When it is due."""
        return when(event.run_at)


operations_site.register(OutboxEvent, OutboxEventAdmin)
