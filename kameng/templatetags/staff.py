"""What both admins draw again and again: amounts, states, numbers to copy, moments."""

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kameng.core.money import quantize
from kameng.templatetags.shop import currency_sign

register = template.Library()

#: The tones that a state may have; colour is used for nothing else.
TONES = frozenset({"ok", "warn", "bad", "info", "neutral"})


@register.filter
def yuan(amount: Decimal | None) -> str:
    """Yuan with thousands apart: `¥1,284.00`, `−¥5.00`; a dash for what nobody knows."""
    if amount is None:
        return "–"
    rounded = quantize(Decimal(amount))
    return f"{'−' if rounded < 0 else ''}{currency_sign()}{abs(rounded):,.2f}"


@register.filter
def share(part: Decimal | float | None) -> str:
    """A share of one as percent: `99.6%`; a dash for what nobody knows."""
    return "–" if part is None else f"{Decimal(part) * 100:.1f}%"


@register.filter
def seconds(length: float | None) -> str:
    """A duration in words: `41 秒`, `4 分 10 秒`, `2 小时 5 分`, `21 天`; a dash for what nobody knows."""
    if length is None:
        return "–"
    whole = round(length)
    if whole < 60:
        return _("%(count)s 秒") % {"count": round(length, 1) if length < 10 else whole}
    if whole < 3600:
        return _("%(minutes)s 分 %(seconds)s 秒") % {"minutes": whole // 60, "seconds": whole % 60}
    if whole >= 3 * 86_400:
        return ngettext("%(count)s 天", "%(count)s 天", whole // 86_400) % {"count": whole // 86_400}
    return _("%(hours)s 小时 %(minutes)s 分") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}


@register.filter
def left(length: float) -> str:
    """What is left of a time, in the two units that matter: `45 秒`, `23 分`, `2 小时 5 分`, `2 天 3 小时`."""
    minutes, hours = int(length // 60), int(length // 3600)
    if minutes < 1:
        return _("%(count)s 秒") % {"count": max(int(length), 0)}
    if hours < 1:
        return _("%(minutes)s 分") % {"minutes": minutes}
    if hours < 24:
        return _("%(hours)s 小时 %(minutes)s 分") % {"hours": hours, "minutes": minutes % 60}
    return _("%(days)s 天 %(hours)s 小时") % {"days": hours // 24, "hours": hours % 24}


@register.simple_tag
def badge(tone: str, text: str) -> SafeString:
    """A state: a word and a colour. Raises `KeyError` for a tone that does not exist."""
    if tone not in TONES:
        raise KeyError(tone)
    return format_html('<span class="k-badge k-{}">{}</span>', tone, text)


@register.simple_tag
def copyable(text: str, value: str = "") -> SafeString:
    """A number with a button that copies `value` (or the text itself)."""
    return format_html(
        '<button type="button" class="k-copy k-mono" data-copy="{}" title="{}">{}'
        '<span class="material-symbols-outlined" aria-hidden="true">content_copy</span>'
        '<span role="status" data-copied="{}"></span></button>',
        value or text,
        _("点一下复制"),
        text,
        _("已复制"),
    )


@register.filter
def person(actor: str) -> str:
    """Who acted, by the name that they sign in with."""
    return actor.removeprefix("staff:")


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """A moment in the site's time: the clock alone for today's, with the date for others; exact on hovering."""
    if moment is None:
        return "–"
    local, now = timezone.localtime(moment), timezone.localtime()
    if local.date() == now.date():
        text = f"{local:%H:%M:%S}"
    elif local.year == now.year:
        text = f"{local:%m-%d %H:%M}"
    else:
        text = f"{local:%Y-%m-%d %H:%M}"
    return format_html(
        '<time class="k-num" datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S}",
        text,
    )
