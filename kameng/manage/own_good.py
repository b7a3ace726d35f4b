"""The page on which an own good is written: what is sold, how it is delivered, for how much."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.forms import BaseFormSet, formset_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from catalog.fees import fee_of
from catalog.listings.faces import minutes_words, name_of
from catalog.models import Category, Product
from compliance.gate.models import SubjectKind
from compliance.gate.selectors import case_words, cases_telling
from compliance.gate.subjects import Standing
from compliance.selectors import permits_of_own_goods
from fulfillment.suppliers.own_goods import (
    DEADLINES,
    MOST_VARIANTS,
    Wanted,
    categories_of,
    own_good_save,
)
from fulfillment.suppliers.stock_imports import stock_counts
from kameng.admin.bases import write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import shop_site
from kameng.core.problems import Problem
from kameng.manage.own_goods import how_of, lacks_of, own_good_of
from kameng.templatetags.staff import yuan
from resellers.models import Reseller

STOCK, BY_HAND_CODE, BY_HAND_ACCOUNT = "stock", "hand_code", "hand_account"
#: What an account is asked for by: its type, and what it has to look like.
_PATTERNS: Mapping[str, tuple[str, str]] = {
    "text": (r"[^<>]{1,80}", "player_01"),
    "tel": (r"1[0-9]{10}", "13800138000"),
    "email": (r"[^@\s]{1,60}@[^@\s]{1,60}", "name@example.com"),
}
#: Names of the answers, by their places in the form.
_NAMES = ("account", "second", "third")


class GoodForm(StaffForm):
    """What is sold, and how it is delivered."""

    name = forms.CharField(label=gettext_lazy("商品名称"), max_length=80)
    category = forms.ModelChoiceField(Category.objects.none(), label=gettext_lazy("类目"))
    summary = forms.CharField(
        label=gettext_lazy("一句话介绍"), max_length=200, required=False, help_text=gettext_lazy("商品页标题下面那一行")
    )
    notes = forms.CharField(
        label=gettext_lazy("购买须知和使用方法"), max_length=5000, required=False,
        widget=forms.Textarea({"rows": 4}), help_text=gettext_lazy("下单前看得到，拿到卡密时再显示一次"),
    )  # fmt: skip
    how = forms.ChoiceField(
        label=gettext_lazy("怎么交付"),
        choices=[
            (STOCK, gettext_lazy("自动发卡密：付款后从你的库存里发")),
            (BY_HAND_CODE, gettext_lazy("手工发卡密：付款后你来填")),
            (BY_HAND_ACCOUNT, gettext_lazy("手工充到账号：买家填账号，你来充")),
        ],
    )
    hand_minutes = forms.TypedChoiceField(
        label=gettext_lazy("手工交付时限"), coerce=int, initial=60,
        help_text=gettext_lazy("从付款算起。到时没有交付，钱自动退给买家。自动发卡密不用管这一项。"),
    )  # fmt: skip
    hand_in_hours = forms.BooleanField(
        label=gettext_lazy("只算客服时间"), required=False,
        help_text=gettext_lazy("夜里付款的，从第二天开门开始算。客服时间在「店铺外观」里写；没写就一直算。"),
    )  # fmt: skip

    def __init__(self, *args: Any, shop: Reseller, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["category"].queryset = categories_of(shop)  # type: ignore[attr-defined]
        self.fields["category"].label_from_instance = name_of  # type: ignore[attr-defined]
        self.fields["hand_minutes"].choices = [  # type: ignore[attr-defined]
            (minutes, minutes_words(minutes)) for minutes in DEADLINES
        ]


class VariantRow(StaffForm):
    """One amount; a row without a name is none."""

    variant_id = forms.IntegerField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(label=gettext_lazy("面额"), max_length=60, required=False)
    price = forms.DecimalField(label=gettext_lazy("售价（元）"), max_digits=8, decimal_places=2, required=False)
    official_price = forms.DecimalField(
        label=gettext_lazy("原价，可不填"), max_digits=8, decimal_places=2, required=False
    )
    max_quantity = forms.IntegerField(label=gettext_lazy("每单最多"), min_value=1, max_value=100, required=False)

    def clean(self) -> dict[str, Any]:
        """A name needs a price, and a price a name."""
        cleaned = super().clean() or {}
        if not self.errors and bool(cleaned.get("name")) != (cleaned.get("price") is not None):
            raise forms.ValidationError(_("面额和售价要一起填"))
        return cleaned


class AccountRow(StaffForm):
    """One thing that the shopper is asked; a row without a label is none."""

    label = forms.CharField(label=gettext_lazy("问买家什么"), max_length=40, required=False)
    type = forms.ChoiceField(
        label=gettext_lazy("怎么填"), required=False,
        choices=[
            ("text", gettext_lazy("任意文字")),
            ("tel", gettext_lazy("手机号")),
            ("email", gettext_lazy("邮箱")),
            ("select", gettext_lazy("从选项里选")),
        ],
    )  # fmt: skip
    choices = forms.CharField(
        label=gettext_lazy("选项，用逗号隔开"), max_length=400, required=False,
    )  # fmt: skip

    def field(self, place: int) -> dict[str, Any] | None:
        """As the schema of account forms has it."""
        typed = self.cleaned_data
        if not typed.get("label"):
            return None
        found: dict[str, Any] = {"name": _NAMES[place], "type": typed["type"] or "text", "label": typed["label"]}
        if found["type"] == "select":
            texts = [text.strip() for text in typed["choices"].replace("，", ",").split(",") if text.strip()]
            choices = [{"value": text, "label": text} for text in dict.fromkeys(texts)]
            return {**found, "choices": choices, "example": texts[0] if texts else ""}
        pattern, example = _PATTERNS[found["type"]]
        return {**found, "pattern": pattern, "example": example}


Variants = formset_factory(VariantRow, extra=2, min_num=1, max_num=MOST_VARIANTS, absolute_max=MOST_VARIANTS)
Accounts = formset_factory(AccountRow, extra=3, max_num=3, absolute_max=3)
Rows = BaseFormSet[Any]


@shop_site.page("own/new/", name="own_good_new")
@require_http_methods(["GET", "HEAD", "POST"])
def own_good_new(request: HttpRequest) -> HttpResponse:
    """A new one."""
    return _written(request, Product(kind=Product.Kind.CODE))


@shop_site.page("own/<int:product_id>/", name="own_good")
@require_http_methods(["GET", "HEAD", "POST"])
def own_good(request: HttpRequest, product_id: int) -> HttpResponse:
    """One that is there."""
    return _written(request, own_good_of(request.shop, product_id))  # type: ignore[attr-defined]


def _written(request: HttpRequest, product: Product) -> HttpResponse:
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    data = request.POST if request.method == "POST" else None
    is_new = product.pk is None
    form = GoodForm(data, shop=shop, initial=_initial(product))
    variants: Rows = Variants(data, prefix="variants", initial=[] if is_new else _variant_rows(product))
    accounts: Rows = Accounts(data, prefix="accounts", initial=_account_rows(product))
    if data is not None and form.is_valid() and variants.is_valid() and accounts.is_valid():
        try:
            _take(product, form.cleaned_data, accounts)
            own_good_save(shop=shop, product=product, wanted=list(_wanted(variants)))
        except Problem as refused:
            add_problem(form, refused)
            for name, text in refused.fields.items():
                if name not in form.fields:
                    form.add_error(None, str(text))
        else:
            write_down(request, product, ADDITION if is_new else CHANGE, _as_written(product))
            return _saved(request, shop, product)
    context = {
        "title": _("新的自有商品") if is_new else product.name,
        "up_url": reverse("manage:own_goods"),
        "up_title": _("自有商品"),
        "form": form,
        "variants": variants,
        "accounts": accounts,
        "product": product,
        "fee": fee_of(Decimal(100)),
        "is_house": shop.is_house,
        "has_errors": data is not None,
    }
    return shop_site.render(request, "staff/own_good.html", context, status=200 if data is None else 422)


def _as_written(product: Product) -> str:
    """The whole of what counts, for the list of changes: two entries side by side say what became of what."""
    amounts = product.variants.filter(is_active=True).order_by("position", "pk")
    told = {
        "category": name_of(product.category),
        "how": how_of(product),
        "amounts": "、".join(f"{one.name} {yuan(one.own_price)}" for one in amounts),
    }
    return _("%(category)s，%(how)s：%(amounts)s") % told


def _saved(request: HttpRequest, shop: Reseller, product: Product) -> HttpResponse:
    lacks = lacks_of(permits_of_own_goods(shop), product)
    if product.standing == Standing.CLEAR and lacks:
        about = {"name": product.name, "kinds": "、".join(lacks)}
        said = _("已保存：%(name)s。这个类目要有：%(kinds)s；在「证照」里提交，核对通过以后才能卖")
        messages.warning(request, said % about)
    elif product.standing == Standing.CLEAR:
        messages.success(request, _("已保存：%(name)s。店铺页面一秒内更新") % {"name": product.name})
    else:
        cases = cases_telling(SubjectKind.OWN_GOOD, shop.schema_name, [product.pk])
        told = case_words(cases[product.pk]) if product.pk in cases else []
        messages.warning(request, " ".join([_("已保存，先不上架，等平台审核。"), *told]))
    if product.hand_minutes is None and not any(stock_counts(product.variants.values_list("pk", flat=True)).values()):
        return redirect("manage:own_codes", product_id=product.pk)
    return redirect("manage:own_goods")


def _initial(product: Product) -> dict[str, Any]:
    if product.pk is None:
        return {"how": STOCK}
    by_hand = BY_HAND_CODE if product.kind == Product.Kind.CODE else BY_HAND_ACCOUNT
    return {
        "name": product.name,
        "category": product.category_id,
        "summary": product.summary,
        "notes": product.notes,
        "how": STOCK if product.hand_minutes is None else by_hand,
        "hand_minutes": product.hand_minutes or 60,
        "hand_in_hours": product.hand_in_hours,
    }


def _variant_rows(product: Product) -> list[dict[str, Any]]:
    return [
        {
            "variant_id": one.pk,
            "name": one.name,
            "price": one.own_price,
            "official_price": None if one.official_price == one.own_price else one.official_price,
            "max_quantity": one.max_quantity,
        }
        for one in product.variants.all()
        if one.is_active
    ]


def _account_rows(product: Product) -> list[dict[str, Any]]:
    return [
        {
            "label": field["label"],
            "type": field["type"],
            "choices": "，".join(choice["label"] for choice in field["choices"]),
        }
        for field in product.account_fields
    ]


def _take(product: Product, typed: Mapping[str, Any], accounts: Rows) -> None:
    """Write what was typed into the row that the service is to save."""
    product.name, product.category = typed["name"], typed["category"]
    product.summary, product.notes = typed["summary"], typed["notes"]
    is_account = typed["how"] == BY_HAND_ACCOUNT
    product.kind = Product.Kind.TOPUP if is_account else Product.Kind.CODE
    product.hand_minutes = None if typed["how"] == STOCK else typed["hand_minutes"]
    product.hand_in_hours = typed["hand_in_hours"] and typed["how"] != STOCK
    asked = [form.field(place) for place, form in enumerate(accounts)]
    product.account_fields = [field for field in asked if field] if is_account else []


def _wanted(rows: Rows) -> Iterable[Wanted]:
    for row in rows:
        typed = row.cleaned_data
        if typed.get("name"):
            yield Wanted(
                name=typed["name"],
                price=typed["price"],
                official_price=typed["official_price"],
                max_quantity=typed["max_quantity"] or 1,
                variant_id=typed["variant_id"],
            )
