"""Coupons as owners and operators make and look at them: the same forms, and the same words."""

from base64 import b64encode
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Product
from customers.coupons.models import Coupon
from customers.coupons.services import Wanted
from customers.coupons.words import coupon_name, coupon_scope, coupon_state
from kameng.admin.forms import MomentInput, StaffForm
from kameng.core.qr import qr_drawn

_AMOUNT = {"inputmode": "decimal", "autocomplete": "off"}


class CouponForm(StaffForm):
    """A new coupon. Its name follows from what it gives."""

    coupon = forms.CharField(
        label=_("券码"), max_length=20, help_text=_("4 到 20 位字母和数字，买家在付款前填"),
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )  # fmt: skip
    kind = forms.ChoiceField(label=_("类型"), choices=Coupon.Kind.choices)
    value = forms.DecimalField(
        label=_("优惠"), max_digits=8, decimal_places=2, widget=forms.TextInput(_AMOUNT),
        help_text=_("减金额：减多少元。打折：减百分之几，填 10 就是打 9 折"),
    )  # fmt: skip
    cap = forms.DecimalField(
        label=_("最多减（元）"), max_digits=8, decimal_places=2, required=False, widget=forms.TextInput(_AMOUNT),
        help_text=_("打折的券封顶用；留空不封顶"),
    )  # fmt: skip
    threshold = forms.DecimalField(
        label=_("满多少可用（元）"), max_digits=8, decimal_places=2, required=False, widget=forms.TextInput(_AMOUNT),
        help_text=_("按适用商品的金额算；留空不限"),
    )  # fmt: skip
    category = forms.ModelChoiceField(
        label=_("只限类目"), queryset=Category.objects.none(), required=False, empty_label=_("全部")
    )
    product = forms.ModelChoiceField(
        label=_("只限商品"), queryset=Product.objects.none(), required=False, empty_label=_("全部")
    )
    starts_at = forms.DateTimeField(label=_("开始"), required=False, widget=MomentInput, help_text=_("留空就是现在起"))
    ends_at = forms.DateTimeField(label=_("结束"), required=False, widget=MomentInput, help_text=_("留空就一直有效"))
    use_limit = forms.IntegerField(
        label=_("总张数"), required=False, help_text=_("一单用一张，订单没成会退回；留空不限"),
        widget=forms.TextInput({"inputmode": "numeric"}),
    )  # fmt: skip
    contact_limit = forms.IntegerField(
        label=_("每人限用（次）"), initial=1, widget=forms.TextInput({"inputmode": "numeric"}),
        help_text=_("按下单时留的手机号或邮箱认人，每家店各算"),
    )  # fmt: skip

    def __init__(self, *args: Any, shop_id: int | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["category"].queryset = Category.objects.filter(is_active=True)
        sold = Product.objects.filter(is_active=True, is_on_shelves=True)
        fields["product"].queryset = sold.filter(Q(owner__isnull=True) | Q(owner=shop_id)) if shop_id else sold

    @property
    def wanted(self) -> Wanted:
        """What was asked for, of a form that is valid."""
        typed = {name: self.cleaned_data[name] for name in Wanted.__dataclass_fields__ if name != "code"}
        return Wanted(**{**typed, "code": self.cleaned_data["coupon"], "threshold": typed["threshold"] or Decimal(0)})


class LimitsForm(StaffForm):
    """What of a coupon may be changed: how long it holds, and for how many orders."""

    ends_at = CouponForm.base_fields["ends_at"]
    use_limit = CouponForm.base_fields["use_limit"]
    is_paused = forms.BooleanField(label=_("停用（已经用掉的不受影响）"), required=False)


def limits_of(coupon: Coupon) -> dict[str, Any]:
    """What such a form begins with."""
    ends_at = timezone.localtime(coupon.ends_at) if coupon.ends_at is not None else None
    return {"ends_at": ends_at, "use_limit": coupon.use_limit, "is_paused": coupon.is_paused}


def coupon_shared(coupon: Coupon, *, address: str) -> dict[str, str]:
    """What is handed on: a link into the shop at that address (ending in `/`), a code to scan, and a few words that say
    no more than the coupon's name. Empty where nobody can use it any more, or the shop is nowhere."""
    if not address or coupon_state(coupon, now=timezone.now())[0] == "neutral":
        return {}
    url = address + reverse("coupon_link", args=[coupon.code], urlconf="kameng.urls_shop").lstrip("/")
    picture = b64encode(qr_drawn(url, scale=8, border=4)).decode()
    said = {"name": coupon_name(coupon), "url": url}
    return {
        "url": url,
        "qr": f"data:image/png;base64,{picture}",
        "words": gettext("优惠券 %(name)s，打开就记下：%(url)s") % said,
    }


def coupon_row(coupon: Coupon, *, now: datetime) -> dict[str, Any]:
    """One, as a list and its own page show it."""
    tone, word = coupon_state(coupon, now=now)
    return {
        "coupon": coupon,
        "name": coupon_name(coupon),
        "scope": coupon_scope(coupon),
        "tone": tone,
        "word": word,
    }
