"""The one line at the top of every page of the shop: what it says, in both languages, and from when until when."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from compliance.gate.selectors import case_telling, case_words
from compliance.gate.shops import shop_subject, shop_words_save, words_written
from kameng.admin.bases import write_down
from kameng.admin.forms import MomentInput, StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.problems import Problem
from kameng.manage.look import SHOP_GROUP, preview_of
from resellers.context import shop_face
from resellers.models import Reseller


class AnnouncementForm(StaffForm):
    """What is announced, and when."""

    announcement = forms.CharField(
        label=gettext_lazy("公告"), max_length=200, required=False,
        help_text=gettext_lazy("一行文字，显示在每一页顶上；留空就没有公告"),
    )  # fmt: skip
    announcement_en = forms.CharField(
        label=gettext_lazy("英文公告"), max_length=300, required=False,
        help_text=gettext_lazy("买家用英文看店时显示；留空就显示中文的"),
    )  # fmt: skip
    announcement_from = forms.DateTimeField(
        label=gettext_lazy("从"), required=False, widget=MomentInput, help_text=gettext_lazy("留空就是现在起")
    )
    announcement_until = forms.DateTimeField(
        label=gettext_lazy("到"), required=False, widget=MomentInput, help_text=gettext_lazy("留空就一直显示")
    )

    def clean(self) -> dict[str, Any] | None:
        """A time in which somebody may see it; none where nothing is said."""
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("announcement_from"), cleaned.get("announcement_until")
        if not cleaned.get("announcement"):
            cleaned["announcement_from"] = cleaned["announcement_until"] = None
            if cleaned.get("announcement_en"):
                self.add_error("announcement", _("先写中文公告"))
        elif until is not None and until <= (since or timezone.now()):
            self.add_error("announcement_until", _("结束要晚于开始"))
        elif until is not None and until <= timezone.now():
            self.add_error("announcement_until", _("这个时间已经过了"))
        return cleaned


def state_of(shop: Reseller, *, now: datetime) -> tuple[str, str]:
    """Whether shoppers see it, as a tone and a word."""
    if not shop.announcement:
        return "neutral", _("没有公告")
    if shop.announcement_from is not None and now < shop.announcement_from:
        return "info", _("还没开始")
    if shop.announcement_until is not None and now >= shop.announcement_until:
        return "neutral", _("已经结束")
    return "ok", _("正在显示")


@shop_site.page("announcement/", name="announcement", nav=Nav(SHOP_GROUP, gettext_lazy("公告"), "campaign", 41))
@require_http_methods(["GET", "HEAD", "POST"])
def announcement(request: HttpRequest) -> HttpResponse:
    """What is announced now, and the form. Words that wait for a person are there as they were written."""
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    case = case_telling(shop_subject(shop))
    written = words_written(shop, case)
    initial = {name: written.get(name, getattr(shop, name)) for name in AnnouncementForm.base_fields}
    is_preview = request.method == "POST" and request.POST.get("act") == "preview"
    typed = {name: request.POST.get(name, "")[:400] for name in AnnouncementForm.base_fields}
    form = AnnouncementForm(request.POST if request.method == "POST" and not is_preview else None, initial=initial)
    if is_preview:
        form = AnnouncementForm(initial=typed)
    elif request.method == "POST" and form.is_valid():
        try:
            saved = shop_words_save(shop_id=shop.pk, **form.cleaned_data)
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, shop, CHANGE, _said(form.cleaned_data))
            if saved.is_shown:
                messages.success(request, _("已保存，店铺页面一秒内更新"))
            return redirect("manage:announcement")
    said = typed["announcement"] if request.method == "POST" else str(initial["announcement"])
    context = {
        "title": _("公告"),
        "form": form,
        "told": case_words(case) if case is not None and not form.errors else [],
        "state": state_of(shop, now=timezone.now()),
        "shop_now": shop,
        "is_preview": is_preview,
        "preview": preview_of(shop, {"brand_color": shop.brand_color, "announcement": said, "tagline": shop.tagline}),
        "face": shop_face(shop),
    }
    return shop_site.render(request, "staff/announcement.html", context, status=422 if form.errors else 200)


def _said(typed: dict[str, Any]) -> str:
    if not typed["announcement"]:
        return _("撤下公告")
    moments = [
        f"{timezone.localtime(moment):%Y-%m-%d %H:%M}" if moment is not None else ""
        for moment in (typed["announcement_from"], typed["announcement_until"])
    ]
    told = {"text": typed["announcement"], "since": moments[0] or _("现在"), "until": moments[1] or _("一直")}
    return _("公告（%(since)s 到 %(until)s）：%(text)s") % told
