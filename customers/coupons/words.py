"""What a coupon is called: made of what it gives, so that nobody writes anything that shoppers read."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from customers.coupons.models import Coupon
from resellers.context import in_english


def plain(number: Decimal) -> str:
    """`5`, `3.5`: without zeros that say nothing."""
    return f"{number.normalize():f}"


def coupon_name(coupon: Coupon) -> str:
    """`满50减3`, `满100打9折，最多减20`; in the reader's language."""
    facts = {
        "threshold": plain(coupon.threshold),
        "value": plain(coupon.value),
        # Chinese counts what is left to pay, in tenths; English what comes off, in percent.
        "rate": f"{plain(coupon.value)}%" if in_english() else plain((100 - coupon.value) / 10),
        "cap": plain(coupon.cap) if coupon.cap is not None else "",
    }
    if coupon.kind == Coupon.Kind.AMOUNT:
        return (_("满%(threshold)s减%(value)s") if coupon.threshold else _("减%(value)s")) % facts
    if coupon.cap is None:
        return (_("满%(threshold)s打%(rate)s折") if coupon.threshold else _("打%(rate)s折")) % facts
    if coupon.threshold:
        return _("满%(threshold)s打%(rate)s折，最多减%(cap)s") % facts
    return _("打%(rate)s折，最多减%(cap)s") % facts


def coupon_scope(coupon: Coupon) -> str:
    """What it is for."""
    if coupon.product is not None:
        return coupon.product.name
    if coupon.category is not None:
        return coupon.category.name
    return _("全部商品")


def why_closed(coupon: Coupon, *, now: datetime) -> str:
    """Why nobody can use it at that moment; empty where somebody can."""
    if coupon.is_paused:
        return _("这张券已停用")
    if now < coupon.starts_at:
        return _("这张券 %(when)s 才开始") % {"when": f"{timezone.localtime(coupon.starts_at):%m-%d %H:%M}"}
    if coupon.ends_at is not None and now >= coupon.ends_at:
        return _("这张券已过期")
    if coupon.use_limit is not None and coupon.used >= coupon.use_limit:
        return _("这张券已经用完了")
    return ""


def coupon_state(coupon: Coupon, *, now: datetime) -> tuple[str, str]:
    """A tone and a word for the list of whoever made it."""
    if coupon.is_paused:
        return "neutral", _("已停用")
    if now < coupon.starts_at:
        return "info", _("未开始")
    if coupon.ends_at is not None and now >= coupon.ends_at:
        return "neutral", _("已过期")
    if coupon.use_limit is not None and coupon.used >= coupon.use_limit:
        return "neutral", _("已用完")
    return "ok", _("可用")
