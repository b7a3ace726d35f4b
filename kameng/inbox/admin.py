"""What gateways and suppliers told us, for operators: to look at."""

from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from kameng.admin.bases import ReadOnlyAdmin
from kameng.admin.sites import Nav, operations_site
from kameng.inbox.models import InboxEvent
from kameng.templatetags.staff import badge, when

_TONES = {
    InboxEvent.Verdict.UNAPPLIED: "wait",
    InboxEvent.Verdict.ACCEPTED: "ok",
    InboxEvent.Verdict.IGNORED: "neutral",
    InboxEvent.Verdict.REFUSED: "bad",
}


class InboxEventAdmin(ReadOnlyAdmin):
    """Genuine notices as they came. Bodies may hold codes or accounts, so only their size is shown."""

    nav = Nav(gettext_lazy("业务"), gettext_lazy("收到的通知"), "move_to_inbox", 16)
    list_display = ("event", "account", "subject", "shop", "verdict_cell", "at")
    list_display_links = None
    list_filter = ("verdict", "source", "account")
    search_fields = ("subject", "event_id")
    search_help_text = gettext_lazy("关联单号或事件编号")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxEvent]:
        """Without bodies."""
        found: QuerySet[InboxEvent] = super().get_queryset(request)
        return found.defer("body", "headers")

    def has_view_permission(self, request: HttpRequest, obj: InboxEvent | None = None) -> bool:
        """The list; a notice has no page of its own."""
        return obj is None and bool(super().has_view_permission(request))

    @display(description=gettext_lazy("事件"))
    def event(self, event: InboxEvent) -> SafeString:
        """Its number at the source."""
        return format_html(
            '<span class="k-cell"><span class="k-mono k-wrap">{}</span><span class="k-sub">{}</span></span>',
            event.event_id,
            event.source,
        )

    @display(description=gettext_lazy("店铺"))
    def shop(self, event: InboxEvent) -> str:
        """Whose it is."""
        return event.schema_name.removeprefix("shop_") or "–"

    @display(description=gettext_lazy("处理"), ordering="verdict")
    def verdict_cell(self, event: InboxEvent) -> SafeString:
        """What we made of it, and why."""
        label = str(InboxEvent.Verdict(event.verdict).label)
        return format_html(
            '<span class="k-cell">{}<span class="k-sub k-wrap">{}</span></span>',
            badge(_TONES[InboxEvent.Verdict(event.verdict)], label),
            event.reason,
        )

    @display(description=gettext_lazy("收到"), ordering="received_at")
    def at(self, event: InboxEvent) -> SafeString | str:
        """When."""
        return when(event.received_at)


operations_site.register(InboxEvent, InboxEventAdmin)
