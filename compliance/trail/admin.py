"""The audit trail, for operators: to look at, and to take along."""

import json
from tempfile import TemporaryFile
from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import CharField, F, Func, QuerySet, Value
from django.http import FileResponse, Http404, HttpRequest
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from compliance.trail.models import AuditEntry
from compliance.trail.selectors import in_order, json_line
from compliance.trail.words import ACTIONS, KINDS
from kameng.admin.bases import ReadOnlyAdmin
from kameng.admin.sites import Nav, operations_site
from kameng.templatetags.staff import when

#: Characters of an entry's data, and digits of its hash, that the list shows.
SHOWN, DIGITS = 160, 12
_KIND = Func(F("subject"), Value(":"), Value(1), function="split_part", output_field=CharField())


class KindFilter(admin.SimpleListFilter):
    """What kind of thing was decided about."""

    title = gettext_lazy("对象类型")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The kinds that there are."""
        kinds = AuditEntry.objects.annotate(kind=_KIND).order_by("kind").values_list("kind", flat=True).distinct()
        return [(kind, KINDS.get(kind, kind)) for kind in kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """Those of the chosen kind."""
        kind = self.value()
        return queryset.filter(subject__startswith=f"{kind}:") if kind else queryset


class AuditEntryAdmin(ReadOnlyAdmin):
    """Everything that people decided, the newest first; all about one thing by a click on it."""

    nav = Nav(gettext_lazy("合规"), gettext_lazy("审计记录"), "link", 68)
    heading = gettext_lazy("审计记录")
    list_display = ("did", "subject_cell", "said", "at_cell", "hash_cell")
    list_display_links = ("did",)
    list_filter = (KindFilter, "at")
    list_before_template = "staff/_trail_hint.html"
    search_fields = ("subject", "actor", "action")
    search_help_text = gettext_lazy("对象、员工或动作")
    ordering = ("-sequence",)
    fields = ("did", "subject", "said_in_full", "at_cell", "previous", "hash")
    readonly_fields = ("did", "said_in_full", "at_cell")

    @display(description=gettext_lazy("动作"), ordering="sequence")
    def did(self, entry: AuditEntry) -> SafeString:
        """What, its place in the chain, and who."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub">#{} · {}</span></span>',
            ACTIONS.get(entry.action, entry.action),
            entry.sequence,
            entry.actor,
        )

    @display(description=gettext_lazy("对象"), ordering="subject")
    def subject_cell(self, entry: AuditEntry) -> SafeString:
        """About what; leads to all that was decided about it."""
        return format_html(
            '<a class="k-link k-mono k-wrap" href="?{}">{}</a>', urlencode({"subject": entry.subject}), entry.subject
        )

    @display(description=gettext_lazy("内容"))
    def said(self, entry: AuditEntry) -> SafeString:
        """The beginning of its data."""
        text = json.dumps(entry.data, ensure_ascii=False)
        return format_html('<span class="k-sub k-mono k-wrap">{}</span>', Truncator(text).chars(SHOWN))

    @display(description=gettext_lazy("内容"))
    def said_in_full(self, entry: AuditEntry) -> SafeString:
        """All of its data."""
        text = json.dumps(entry.data, ensure_ascii=False, indent=2)
        return format_html('<pre class="k-evidence" tabindex="0">{}</pre>', text)

    @display(description=gettext_lazy("时间"), ordering="sequence")
    def at_cell(self, entry: AuditEntry) -> SafeString | str:
        """When."""
        return when(entry.at)

    @display(description=gettext_lazy("哈希"))
    def hash_cell(self, entry: AuditEntry) -> SafeString:
        """How its hash begins; all of it on hovering."""
        return format_html('<span class="k-mono" title="{}">{}…</span>', entry.hash, entry.hash[:DIGITS])


@operations_site.page("audit-trail/export/", name="audit_trail_export")
@require_safe
def export(request: HttpRequest) -> FileResponse:
    """What the list's filters show, all pages of it, oldest first, as lines of JSON that can be checked."""
    asked = request.GET.copy()
    asked.pop(PAGE_VAR, None)
    request.GET = asked  # type: ignore[assignment]
    try:
        shown = operations_site.get_model_admin(AuditEntry).get_changelist_instance(request)
    except IncorrectLookupParameters as error:
        raise Http404 from error
    file = TemporaryFile()  # noqa: SIM115 -- the response closes it, once it is sent
    try:
        for entry in in_order(shown.queryset):
            file.write(f"{json_line(entry)}\n".encode())
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename="audit-trail.jsonl", content_type="application/x-ndjson")


operations_site.register(AuditEntry, AuditEntryAdmin)
