"""The page that a QR code or a cashier address opens: a person pretends to pay, and chooses how the notice fares.

Opening it is what scanning or signing in is in reality: from then on an Alipay trade exists. Works without scripts.
"""

import html
import re
import time
from urllib.parse import parse_qs, urlsplit

from kameng.sandbox.book import Trade, TradeState, china_time, yuan
from kameng.sandbox.gateway import CannotPay, Gateway
from kameng.sandbox.notices import LATE_SECONDS, Delivery
from kameng.sandbox.web import Reply, Request, html_reply, redirect
from kameng.sandbox.wechatpay import H5_SECONDS

PATH = re.compile(r"/pay/(?P<gateway>[a-z]+)/(?P<payment>[^/]+)")
COLORS = {"alipay": ("#1677FF", "#0B5CD6"), "wechatpay": ("#07A35A", "#067A43"), "epay": ("#6D4AE0", "#5535BF")}
DELIVERIES = {
    Delivery.OK: "正常送达",
    Delivery.LOST: "丢失（商家收不到，要自己查单）",
    Delivery.LATE: f"迟到 {LATE_SECONDS:g} 秒",
    Delivery.TWICE: "同时送两次",
    Delivery.FORGED: "签名是错的",
}


class Cashier:
    """Pages over all gateways."""

    def __init__(self, gateways: dict[str, Gateway]) -> None:
        self.gateways = gateways

    async def handle(self, request: Request) -> Reply:
        """`GET` shows, `POST` pays."""
        found = PATH.fullmatch(request.route)
        gateway = self.gateways.get(found["gateway"]) if found else None
        trade = gateway.trade(found["payment"]) if gateway and found else None
        if gateway is None or trade is None:
            return html_reply(_page("没有这笔交易", "<p>这个付款码已经失效，请回到商家页面重新下单。</p>"), status=404)
        back = _way_back(parse_qs(request.query).get("redirect_url", [""])[0])
        if request.method == "POST":
            return self._pay(gateway, trade, request, back)
        if "package=" in request.query and time.time() > trade.prepaid_at + H5_SECONDS:
            return html_reply(_page("链接已过期", "<p>链接 5 分钟内有效，请回到商家页面重新发起。</p>"), status=410)
        gateway.open_trade(trade)
        if trade.state is TradeState.PAID:
            return html_reply(_paid(gateway, trade, _return_link(gateway, trade, back)))
        if trade.state is TradeState.CLOSED or trade.expired:
            return html_reply(_page("不能付款了", "<p>这笔交易已经关闭或超过付款时间，没有扣款。</p>"), status=410)
        return html_reply(_checkout(gateway, trade, request.target))

    def _pay(self, gateway: Gateway, trade: Trade, request: Request, back: str) -> Reply:
        form = parse_qs(request.body.decode(errors="replace"))
        choice = form.get("notify", ["ok"])[0]
        delivery = Delivery(choice) if choice in set(DELIVERIES) else Delivery.OK
        try:
            gateway.pay(trade.payment, delivery=delivery, strict=True)
        except CannotPay as refused:
            return html_reply(_page("没有扣款", f"<p>{html.escape(str(refused))}。</p>"), status=409)
        link = _return_link(gateway, trade, back)
        return redirect(link) if link else html_reply(_paid(gateway, trade, ""))


def _return_link(gateway: Gateway, trade: Trade, back: str) -> str:
    return gateway.return_address(trade) if trade.return_url else back


def _way_back(address: str) -> str:
    return address if urlsplit(address).scheme in {"http", "https"} else ""


def _checkout(gateway: Gateway, trade: Trade, target: str) -> str:
    amount = yuan(trade.amount)
    options = "".join(f'<option value="{value}">{label}</option>' for value, label in DELIVERIES.items())
    expires = f"<div><dt>最晚付款</dt><dd>{china_time(trade.expires_at)}</dd></div>" if trade.expires_at else ""
    content = f"""
<p class=amount data-testid=amount><small>¥</small>{amount}</p>
<dl><div><dt>商品</dt><dd>{html.escape(trade.subject)}</dd></div>
<div><dt>商户单号</dt><dd class=number>{html.escape(trade.payment)}</dd></div>{expires}</dl>
<form method=post action="{html.escape(target)}">
<button data-testid=pay>确认付款 ¥{amount}</button>
<details><summary>沙箱选项：通知怎么送</summary>
<label for=notify>付款通知</label><select id=notify name=notify>{options}</select></details>
</form>"""
    return _page(f"{gateway.name}付款", content, gateway=gateway)


def _paid(gateway: Gateway, trade: Trade, link: str) -> str:
    back = f'<a class=button href="{html.escape(link)}">返回商家</a>' if link else "<p>可以回到商家页面了。</p>"
    content = f"""
<p class=done role=status>已付给商家</p>
<p class=amount><small>¥</small>{yuan(trade.amount)}</p>
<dl><div><dt>商户单号</dt><dd class=number>{html.escape(trade.payment)}</dd></div>
<div><dt>交易号</dt><dd class=number>{html.escape(trade.reference)}</dd></div></dl>{back}"""
    return _page("付款成功", content, gateway=gateway)


def _page(title: str, content: str, *, gateway: Gateway | None = None) -> str:
    color, strong = COLORS.get(gateway.code if gateway else "", ("#465062", "#333B49"))
    name = gateway.name if gateway else "支付"
    return f"""<!doctype html>
<html lang=zh-CN><head><meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">
<meta name=robots content=noindex><link rel=icon href="data:,"><title>{html.escape(title)} · 沙箱</title><style>
:root{{--brand:{strong};--bright:{color};--bg:#F4F6F8;--surface:#fff;--ink:#14181F;--ink-2:#465062;--line:#D8DEE6}}
@media(prefers-color-scheme:dark){{:root{{--bg:#0E1217;--surface:#171D25;--ink:#EEF2F7;--ink-2:#B9C3D1;--line:#2C3744}}}}
*{{box-sizing:border-box}}
body{{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.6 system-ui,"PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif}}
.sandbox{{margin:0;padding:8px 16px;background:#FFF3DC;color:#8A5300;text-align:center;font-size:14px}}
header{{padding-bottom:72px;background:var(--brand);color:#fff;text-align:center}}
h1{{margin:28px 16px 0;font-size:20px;font-weight:600}}
main{{width:calc(100% - 24px);max-width:26rem;margin:-44px auto 32px;padding:24px 20px;
background:var(--surface);border-radius:16px;box-shadow:0 6px 24px rgba(20,24,31,.08)}}
.amount{{margin:0 0 16px;text-align:center;font-size:40px;font-weight:700;line-height:1.2;
font-variant-numeric:tabular-nums}}
.amount small{{font-size:22px;margin-right:2px}}
.done{{margin:0 0 4px;text-align:center;font-weight:600}}
dl{{margin:0 0 20px;border-top:1px solid var(--line)}}
dl div{{display:flex;gap:16px;justify-content:space-between;padding:10px 0;border-bottom:1px solid var(--line)}}
dt{{flex:none;color:var(--ink-2)}}dd{{margin:0;text-align:right;overflow-wrap:anywhere}}
.number{{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:14px}}
button,.button{{display:block;width:100%;min-height:48px;padding:10px 16px;border:0;border-radius:12px;
background:var(--brand);color:#fff;font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}}
button:focus-visible,.button:focus-visible,summary:focus-visible,select:focus-visible{{outline:3px solid var(--bright);
outline-offset:2px}}
details{{margin-top:16px;color:var(--ink-2)}}summary{{min-height:44px;padding:10px 0;cursor:pointer}}
label{{display:block;margin-bottom:4px}}
select{{width:100%;min-height:44px;padding:8px;border:1px solid #7C8798;border-radius:8px;background:var(--surface);
color:var(--ink);font:inherit}}
</style></head><body>
<header><p class=sandbox><strong>沙箱</strong>：模拟的{html.escape(name)}收银台，不会真的扣钱</p>
<h1>{html.escape(title)}</h1></header>
<main>{content}</main></body></html>"""
