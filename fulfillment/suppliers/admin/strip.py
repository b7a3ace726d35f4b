"""A supplier's day as a strip of hours, and its breaker in words."""

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from fulfillment.suppliers.health import Health, Hour
from fulfillment.suppliers.models import SupplierBreaker
from kameng.templatetags.staff import badge, share, when

CELL, GAP, HEIGHT = 7, 2, 22
#: An hour in which something failed shows at least so much of it, however small the share was.
LEAST = 4


def _clock(hour: Hour) -> str:
    return f"{timezone.localtime(hour.start):%H:00}"


def _told(health: Health) -> str:
    """The strip in a sentence."""
    if not health.calls:
        return _("近 24 小时没有调用")
    counts = {"calls": f"{health.calls:,}", "failed": f"{health.failed:,}"}
    worst = health.worst
    if worst is None:
        return _("近 24 小时调用 %(calls)s 次，没有失败") % counts
    return _("近 24 小时调用 %(calls)s 次，失败 %(failed)s 次；最差 %(hour)s，失败 %(bad)s / %(all)s") % {
        **counts,
        "hour": _clock(worst),
        "bad": worst.failed,
        "all": worst.calls,
    }


def _cells(health: Health) -> SafeString:
    """Full height for an hour with calls, of which the failed share stands at the bottom; a dash without calls."""
    rects = []
    for place, hour in enumerate(health.hours):
        left = place * (CELL + GAP)
        failed = max(LEAST, round(HEIGHT * hour.share_failed)) if hour.failed else 0
        said = _("%(hour)s 失败 %(failed)s / %(calls)s") % {
            "hour": _clock(hour),
            "failed": hour.failed,
            "calls": hour.calls,
        }
        if not hour.calls:
            rects.append((left, HEIGHT - 2, 2, "k-idle", said))
            continue
        if failed < HEIGHT:
            rects.append((left, 0, HEIGHT - failed - (1 if failed else 0), "k-fine", said))
        if failed:
            rects.append((left, HEIGHT - failed, failed, "k-failed", said))
    return format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}" class="{}"><title>{}</title></rect>',
        ((left, top, CELL, tall, look, said) for left, top, tall, look, said in rects),
    )


def strip(health: Health) -> SafeString:
    """24 cells, the oldest hour first, with the same in words below."""
    width = len(health.hours) * (CELL + GAP) - GAP
    told = _told(health)
    short = _("没有调用")
    if health.calls:
        counts = {"calls": f"{health.calls:,}", "rate": share(health.failed / health.calls)}
        short = _("%(calls)s 次，失败 %(rate)s") % counts
    return format_html(
        '<span class="k-cell"><svg class="k-strip" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" '
        'height="{}">{}</svg><span class="k-sub k-num">{}</span></span>',
        told,
        width,
        HEIGHT,
        width,
        HEIGHT,
        _cells(health),
        short,
    )


_TONES = {
    SupplierBreaker.State.CLOSED: "ok",
    SupplierBreaker.State.OPEN: "bad",
    SupplierBreaker.State.HALF_OPEN: "warn",
}


def breaker_cell(breaker: SupplierBreaker | None) -> SafeString:
    """Closed, or why not and when it is tried again. No row is the same as closed."""
    if breaker is None or breaker.state == SupplierBreaker.State.CLOSED:
        return badge("ok", _("正常"))
    state = SupplierBreaker.State(breaker.state)
    retry = breaker.retry_at if state == SupplierBreaker.State.OPEN else None
    return format_html(
        '<span class="k-cell">{}<span class="k-sub k-wrap">{} · {}</span>{}</span>',
        badge(_TONES[state], str(state.label)),
        _(breaker.reason) if breaker.reason else "",
        when(breaker.opened_at),
        format_html('<span class="k-sub">{} {}</span>', _("下次试探"), when(retry)) if retry else "",
    )
