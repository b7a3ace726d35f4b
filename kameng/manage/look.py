"""How the shop looks and what it says, for its owner. What is said passes the gate."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from compliance.gate.pictures import picture_subject, shop_picture_remove, shop_picture_save
from compliance.gate.selectors import case_telling, case_words, standing_words
from compliance.gate.shops import Saved, shop_subject, shop_words_save, shop_words_screen, words_written
from kameng.admin.bases import actor_of, write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.problems import Problem
from resellers import hours, theme
from resellers.brand.models import BrandPicture
from resellers.brand.services import KINDS, MAX_BYTES, Use
from resellers.context import announcement_now, hours_words, shop_face
from resellers.models import Reseller

SHOP_GROUP = gettext_lazy("店铺")
#: Longer than any field takes.
LONGEST_TYPED = 400
#: The days that are entered together, by their places in the week.
_DAYS = {"work": range(5), "saturday": range(5, 6), "sunday": range(6, 7)}


class ClockInput(forms.TimeInput):
    """A time to the minute."""

    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M")


def _clock(label: Any) -> forms.TimeField:
    return forms.TimeField(label=label, required=False, widget=ClockInput)


def _upload(label: Any, hint: Any) -> forms.FileField:
    accepted = ",".join(f"image/{kind}" for kind in sorted(KINDS))
    return forms.FileField(
        label=label, required=False, help_text=hint, widget=forms.FileInput({"accept": accepted}), max_length=255
    )


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
    density = forms.ChoiceField(label=gettext_lazy("疏密"), choices=Reseller.Density.choices, required=False)
    theme_default = forms.ChoiceField(
        label=gettext_lazy("默认主题"),
        choices=Reseller.ThemeDefault.choices,
        required=False,
        help_text=gettext_lazy("买家自己切换过的，以买家的为准"),
    )
    logo = _upload(
        gettext_lazy("标志"),
        gettext_lazy(
            "PNG、JPEG 或 WebP，最多 2 MB，宽最多是高的 3 倍，会自动缩小。"
            "像受保护品牌的标志会先审核；图片里的文字不会自动检查，违规由平台下架"
        ),
    )
    logo_remove = forms.BooleanField(label=gettext_lazy("不用标志"), required=False)
    favicon = _upload(gettext_lazy("网站图标"), gettext_lazy("正方形，浏览器标签页上用"))
    favicon_remove = forms.BooleanField(label=gettext_lazy("不用网站图标"), required=False)
    work_opens = _clock(gettext_lazy("周一至周五 开始"))
    work_closes = _clock(gettext_lazy("周一至周五 结束"))
    saturday_opens = _clock(gettext_lazy("周六 开始"))
    saturday_closes = _clock(gettext_lazy("周六 结束"))
    sunday_opens = _clock(gettext_lazy("周日 开始"))
    sunday_closes = _clock(gettext_lazy("周日 结束"))
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

    def clean(self) -> dict[str, Any] | None:
        """The days become one text; what was not sent stays."""
        cleaned = super().clean() or self.cleaned_data
        for name in ("density", "theme_default"):
            cleaned[name] = cleaned.get(name) or self.initial[name]
        week: list[hours.Range | None] = []
        for days, places in _DAYS.items():
            opens, closes = cleaned.pop(f"{days}_opens", None), cleaned.pop(f"{days}_closes", None)
            if (opens is None) != (closes is None) or (opens is not None and opens == closes):
                self.add_error(f"{days}_closes", _("开始和结束都要填，不能一样；休息就都留空"))
                return cleaned
            week += [(opens, closes) if opens is not None else None] * len(places)
        cleaned["hours"] = hours.written(week)
        return cleaned

    @property
    def look(self) -> dict[str, Any]:
        """What of it is words and looks, without the pictures."""
        pictures = {"logo", "logo_remove", "favicon", "favicon_remove"}
        return {name: value for name, value in self.cleaned_data.items() if name not in pictures}


@shop_site.page("look/", name="look", nav=Nav(SHOP_GROUP, gettext_lazy("店铺外观"), "palette", 40, is_tab=True))
@require_http_methods(["GET", "HEAD", "POST"])
def look(request: HttpRequest) -> HttpResponse:
    """The shop's name, words and colour. Words that wait for a person are there as the owner wrote them."""
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    case = case_telling(shop_subject(shop))
    written = words_written(shop, case)
    form = _form(request, shop, written)
    previews = request.method == "POST" and (request.POST.get("act") == "preview" or "preset" in request.POST)
    if previews:
        # Nothing is saved, so nothing has to be right yet.
        form = LookForm(initial={**form.initial, **_typed(request)})
    elif request.method == "POST" and form.is_valid():
        try:
            saved = _save(request, shop, form)
        except Problem as refused:
            add_problem(form, refused)
        else:
            changed = "、".join(str(form.fields[name].label) for name in form.changed_data)
            write_down(request, shop, CHANGE, _("店铺外观：%(changed)s") % {"changed": changed})
            if saved:
                messages.success(request, _("已保存，店铺页面一秒内更新"))
            return redirect("manage:look")
    color = str((request.POST.get("preset") if previews else "") or form["brand_color"].value() or "")
    told = case_words(case) if case is not None and not form.errors else []
    if not form.errors:
        told += [sentence for use in Use for sentence in _told_of_picture(shop, use)]
    typed = {**form.initial, **_typed(request)} if request.method == "POST" else form.initial
    context = {
        "title": _("店铺外观"),
        "form": form,
        "told": told,
        "presets": theme.PRESETS.items(),
        "face": shop_face(shop),
        "is_preview": previews,
        "preview": preview_of(shop, typed),
        **_swatches(color),
    }
    return shop_site.render(request, "staff/look.html", context, status=422 if form.errors else 200)


@shop_site.page("look/swatches/", name="look_swatches")
@require_safe
def look_swatches(request: HttpRequest) -> HttpResponse:
    """What a colour would look like."""
    return shop_site.render(request, "staff/_swatches.html", _swatches(request.GET.get("brand_color", "")))


@shop_site.page("look/preview/", name="look_preview")
@require_http_methods(["GET", "HEAD", "POST"])
def look_preview(request: HttpRequest) -> HttpResponse:
    """What the shop would look like with what has been typed; nothing is saved."""
    shop: Reseller = Reseller.objects.get(pk=request.shop.pk)  # type: ignore[attr-defined]
    context = {"preview": preview_of(shop, {**_initial(shop, {}), **_typed(request)}), "face": shop_face(shop)}
    return shop_site.render(request, "staff/_preview.html", context)


def _initial(shop: Reseller, written: Mapping[str, str]) -> dict[str, Any]:
    """The form as the shop is."""
    plain = [name for name in LookForm.base_fields if hasattr(shop, name) and name not in ("logo", "favicon")]
    initial: dict[str, Any] = {name: written.get(name, getattr(shop, name)) for name in plain}
    week = hours.read(shop.hours)
    for days, places in _DAYS.items():
        known = week[places[0]] if week else None
        initial[f"{days}_opens"], initial[f"{days}_closes"] = known or (None, None)
    return initial


def _form(request: HttpRequest, shop: Reseller, written: Mapping[str, str]) -> LookForm:
    sent = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    return LookForm(*sent, initial=_initial(shop, written))


def _typed(request: HttpRequest) -> dict[str, str]:
    """What was typed, as far as the form knows it; a preset takes the place of the color."""
    typed = {name: request.POST[name][:LONGEST_TYPED] for name in LookForm.base_fields if name in request.POST}
    if "preset" in request.POST:
        typed["brand_color"] = request.POST["preset"][:LONGEST_TYPED]
    return typed


@transaction.atomic
def _save(request: HttpRequest, shop: Reseller, form: LookForm) -> bool:
    """Words and looks, and then the pictures: all of it, or nothing. Whether shoppers see all of it."""
    typed = form.cleaned_data
    saved = shop_words_save(shop_id=shop.pk, **form.look)
    changed, is_shown = False, True
    for use in Use:
        if upload := typed.get(use.value):
            # No more than one byte too many is read of what is too large.
            said = {"use": use.value, "upload": upload.read(MAX_BYTES + 1), "actor": actor_of(request)}
            is_shown = shop_picture_save(shop_id=shop.pk, **said).is_clear and is_shown
        elif typed.get(f"{use.value}_remove"):
            shop_picture_remove(shop_id=shop.pk, use=use.value)
        changed = changed or bool(upload)
    if changed and saved.gated is None:
        # What a picture says nobody reads here; the words that stand beside a new one are looked at again.
        saved = Saved(saved.shop, shop_words_screen(saved.shop))
    return saved.is_shown and is_shown


def _told_of_picture(shop: Reseller, use: BrandPicture.Use) -> list[str]:
    """Why a picture is not shown, with which of them it is."""
    words = standing_words(picture_subject(shop, use))
    return [f"{use.label}：{words[0]}", *words[1:]] if words else []


def preview_of(shop: Reseller, typed: Mapping[str, Any]) -> dict[str, Any]:
    """What the shop would say and wear; what is impossible is shown as it is now."""
    color = str(typed.get("brand_color", ""))
    try:
        derived = theme.derive(color)
    except ValueError:
        derived = theme.derive(shop.brand_color)
    radius = theme.RADII.get(str(typed.get("radius", "")), theme.RADII["normal"])
    is_dark = typed.get("theme_default") == Reseller.ThemeDefault.DARK
    is_compact = typed.get("density") == Reseller.Density.COMPACT
    return {
        "name": str(typed.get("name", "")).strip() or shop.name,
        "announcement": typed.get("announcement", announcement_now(shop, english=False)),
        "tagline": typed.get("tagline", ""),
        "support": typed.get("support", ""),
        "hours": hours_words(shop.hours),
        "palette": derived.dark if is_dark else derived.light,
        "page": theme.DARK_SURFACE if is_dark else theme.PAGE,
        "surface": theme.DARK_RAISED if is_dark else theme.WHITE,
        "ink": theme.WHITE if is_dark else theme.INK,
        "radius": radius[1],
        "gap": 8 if is_compact else 14,
    }


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
        "darker": max(derived.darkened, 0),
        "lighter": max(-derived.darkened, 0),
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
