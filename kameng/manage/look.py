"""How the shop looks and what it says, for its owner. What is said passes the gate."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from compliance.gate.selectors import case_telling, case_words
from compliance.gate.shops import WORDS, shop_subject, shop_words_save, words_written
from kameng.admin.bases import write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.problems import Problem
from resellers import theme
from resellers.models import Reseller

SHOP_GROUP = gettext_lazy("店铺")


class LookForm(StaffForm):
    """What the owner says about the shop."""

    name = forms.CharField(label=gettext_lazy("店名"), max_length=40)
    name_en = forms.CharField(label=gettext_lazy("英文店名"), max_length=60, required=False)
    tagline = forms.CharField(label=gettext_lazy("一句话介绍"), max_length=80, required=False)
    tagline_en = forms.CharField(label=gettext_lazy("英文介绍"), max_length=120, required=False)
    brand_color = forms.RegexField(
        label=gettext_lazy("品牌色"),
        regex=r"^#[0-9A-Fa-f]{6}$",
        error_messages={"invalid": gettext_lazy("颜色应像 #0B62D6 这样")},
        help_text=gettext_lazy("按钮、链接和重点都用它；文字看不清时会自动调深浅，下面能看到结果"),
    )
    radius = forms.ChoiceField(label=gettext_lazy("圆角"), choices=Reseller.Radius.choices)
    announcement = forms.CharField(
        label=gettext_lazy("公告"), max_length=200, required=False, help_text=gettext_lazy("一行文字，显示在每一页顶上")
    )
    announcement_en = forms.CharField(label=gettext_lazy("英文公告"), max_length=300, required=False)
    support = forms.CharField(
        label=gettext_lazy("客服方式"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("邮箱、微信号或电话，买家看得到"),
    )
    is_open = forms.BooleanField(
        label=gettext_lazy("营业中"), required=False, help_text=gettext_lazy("关掉以后不能下单；已付款的订单照常充值")
    )
    company = forms.CharField(
        label=gettext_lazy("经营主体"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("营业执照上的名称，公示在每一页页脚"),
    )
    credit_code = forms.CharField(
        label=gettext_lazy("统一社会信用代码"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("营业执照上的 18 位，最后一位会校验"),
    )
    telecom_license = forms.CharField(
        label=gettext_lazy("增值电信业务经营许可证"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("像 京B2-20261234 这样"),
    )
    icp = forms.CharField(
        label=gettext_lazy("ICP 备案号"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("像 京ICP备12345678号-1 这样，页脚会链接到备案查询"),
    )
    license_url = forms.CharField(
        label=gettext_lazy("执照核验链接"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("电子营业执照亮照或公示系统的网址，https:// 开头"),
    )


@shop_site.page("look/", name="look", nav=Nav(SHOP_GROUP, gettext_lazy("店铺外观"), "palette", 40, is_tab=True))
@require_http_methods(["GET", "HEAD", "POST"])
def look(request: HttpRequest) -> HttpResponse:
    """The shop's name, words and colour. Words that wait for a person are there as the owner wrote them."""
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    case = case_telling(shop_subject(shop))
    written = words_written(shop, case)
    initial = {name: written[name] if name in WORDS else getattr(shop, name) for name in LookForm.base_fields}
    form = LookForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            saved = shop_words_save(shop_id=shop.pk, **form.cleaned_data)
        except Problem as refused:
            add_problem(form, refused)
        else:
            changed = "、".join(str(form.fields[name].label) for name in form.changed_data)
            write_down(request, shop, CHANGE, _("店铺外观：%(changed)s") % {"changed": changed})
            if saved.is_shown:
                messages.success(request, _("已保存，店铺页面一秒内更新"))
            return redirect("manage:look")
    color = str(form["brand_color"].value() or "")
    told = case_words(case) if case is not None and not form.errors else []
    context = {"title": _("店铺外观"), "form": form, "told": told, **_swatches(color)}
    return shop_site.render(request, "staff/look.html", context, status=422 if form.errors else 200)


@shop_site.page("look/swatches/", name="look_swatches")
@require_safe
def look_swatches(request: HttpRequest) -> HttpResponse:
    """What a colour would look like."""
    return shop_site.render(request, "staff/_swatches.html", _swatches(request.GET.get("brand_color", "")))


def _swatches(color: str) -> dict[str, Any]:
    """Both schemes of a colour, each with the contrast of its texts; nothing for what is no colour."""
    try:
        derived = theme.derive(color)
    except ValueError:
        return {"swatches": [], "adjusted": False}
    schemes = (
        (_("浅色"), derived.light, theme.PAGE, theme.INK),
        (_("深色"), derived.dark, theme.DARK_RAISED, theme.WHITE),
    )
    return {
        "chosen": derived.chosen,
        "adjusted": derived.adjusted,
        "used": derived.light.brand,
        "swatches": [
            {
                "label": label,
                "palette": palette,
                "page": page,
                "ink": ink,
                "button": round(theme.contrast(palette.brand, palette.on_brand), 1),
                "link": round(theme.contrast(palette.brand_ink, page), 1),
            }
            for label, palette, page, ink in schemes
        ],
    }
