"""Starts the other side: one process, one shared port, and a port of its own for each supplier.

Port `P` (8900): `/alipay/gateway.do`, `/wechatpay/v3/…` and `/v3/…`, `/epay/…`, `/suppliers/{code}/…`,
`/pay/{gateway}/{payment}`, `/_control/…`, `/healthz`; over UDP, a name server.
Ports `P+1…`: one for each supplier, which `down` really closes.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kameng.sandbox import alipay_login, keys, wechat_login
from kameng.sandbox.acgfaka import AcgFakaSupplier
from kameng.sandbox.alipay import AlipayGateway
from kameng.sandbox.book import Book
from kameng.sandbox.cashier import Cashier
from kameng.sandbox.control import Control
from kameng.sandbox.dns import NameServer
from kameng.sandbox.dtone import DtOneSupplier
from kameng.sandbox.dujiao import DujiaoSupplier
from kameng.sandbox.epay import EpayGateway
from kameng.sandbox.fulu import FuluSupplier
from kameng.sandbox.gateway import Gateway
from kameng.sandbox.generic import GenericSupplier
from kameng.sandbox.kameng import KamengSupplier
from kameng.sandbox.notices import Notifier
from kameng.sandbox.reloadly import ReloadlySupplier
from kameng.sandbox.supplier import Supplier
from kameng.sandbox.web import Handler, Listener, Reply, Request, json_reply
from kameng.sandbox.wechatpay import WechatPayGateway
from kameng.sandbox.yrapi import YrapiSupplier

PROTOCOLS: Mapping[str, type[Supplier]] = {
    "fulu": FuluSupplier,
    "dujiao": DujiaoSupplier,
    "acgfaka": AcgFakaSupplier,
    "generic": GenericSupplier,
    "yrapi": YrapiSupplier,
    "dtone": DtOneSupplier,
    "reloadly": ReloadlySupplier,
    "kameng": KamengSupplier,
}
LOOPBACK_NAMES = {"127.0.0.1", "localhost", "[::1]", ""}


class Sandbox:
    """Everything that listens, over one book."""

    def __init__(self, folder: Path, *, port: int, shop: str) -> None:
        self.folder = folder
        self.shop = shop
        self.notifier = Notifier()
        self.listener = Listener(self._handle, port)
        self.name_server = NameServer(folder / "names.json")
        self.listeners: dict[str, Listener] = {}
        for number, code in enumerate(keys.SUPPLIERS, start=1):
            self.listeners[code] = Listener(self._of(code), port + number if port else 0)

    async def open(self) -> None:
        """Take the ports, read keys and book, go on with what was under way. Raises `OSError` where a port is taken."""
        everyone = (self.listener, *self.listeners.values())
        for listener in everyone:
            await listener.bind()
        await self.name_server.open(self.listener.port)
        ports = {code: listener.port for code, listener in self.listeners.items()}
        ring = keys.ensure(self.folder, port=self.listener.port, supplier_ports=ports)
        address = f"http://127.0.0.1:{self.listener.port}"
        self.book = book = Book(self.folder / "book.sqlite3")
        self.wechatpay = WechatPayGateway(ring.wechatpay, book, self.notifier, address)
        self.login = wechat_login.WechatLogin(ring.wechatpay)
        self.alipay = AlipayGateway(ring.alipay, book, self.notifier, address)
        self.epay = EpayGateway(ring.epay, book, self.notifier, address)
        everybody: tuple[Gateway, ...] = (self.alipay, self.wechatpay, self.epay)
        gateways = {gateway.code: gateway for gateway in everybody}
        self.suppliers = {
            code: PROTOCOLS[protocol](code, ring.suppliers[code], book, self.notifier, self.shop)
            for code, protocol in keys.SUPPLIERS.items()
        }
        for supplier in self.suppliers.values():
            supplier.resume()
        self.cashier = Cashier(gateways)
        self.control = Control(book, self.notifier, gateways, self.suppliers, self.listeners)
        for listener in everyone:
            await listener.open()
        where = {"pid": os.getpid(), "url": address, "suppliers": ports}
        (self.folder / "sandbox.json").write_text(json.dumps(where) + "\n")

    def close(self) -> None:
        """Stop listening and close the book."""
        for listener in (self.listener, *self.listeners.values()):
            listener.shut()
        self.name_server.shut()
        self.notifier.forget()
        self.notifier.postman.close()
        self.book.close()

    async def _handle(self, request: Request) -> Reply:
        if not _from_here(request):
            return json_reply({"error": "forbidden", "message": "only for this machine"}, status=403)
        path = request.path
        if path == "/alipay/gateway.do":
            return await self.alipay.handle(request)
        if path == alipay_login.AUTHORIZE:
            return self.alipay.login.authorize(request)
        if path == "/alipay/bill":
            return self.alipay.download(request)
        if path.startswith(("/wechatpay/v3/", "/v3/")):
            return await self.wechatpay.handle(request)
        if path in (wechat_login.AUTHORIZE, wechat_login.TOKEN):
            return await self.login.handle(request)
        if path.startswith("/epay/"):
            return await self.epay.handle(request)
        if path.startswith("/suppliers/"):
            code, _, rest = path.removeprefix("/suppliers/").partition("/")
            if code in self.suppliers:
                return await self.suppliers[code].handle(request, f"/{rest}")
        if path.startswith("/pay/"):
            return await self.cashier.handle(request)
        if path.rstrip("/") == "/_control/dns":
            return self.name_server.control(request)
        if path.rstrip("/") == "/_control/reset" and request.method == "POST":
            self.name_server.reset()
        if path.startswith("/_control/"):
            return await self.control.handle(request)
        if path == "/healthz":
            return json_reply({"ok": True})
        return json_reply({"error": "not_found", "message": f"{path} does not exist"}, status=404)

    def _of(self, code: str) -> Handler:
        async def handle(request: Request) -> Reply:
            return await self.suppliers[code].handle(request, request.path.removeprefix(f"/suppliers/{code}"))

        return handle


def _from_here(request: Request) -> bool:
    # The name guards against pages elsewhere that make a browser on this machine call us under a name of theirs.
    host = request.headers.get("host", "").rsplit(":", 1)[0].lower()
    return request.peer in {"127.0.0.1", "::1"} and (host in LOOPBACK_NAMES or host.endswith(".localhost"))


async def serve(sandbox: Sandbox) -> None:
    """Run until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await sandbox.open()
    _say(f"沙箱已就绪：http://127.0.0.1:{sandbox.listener.port}/")
    await stop.wait()
    sandbox.close()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. 1 where a port is taken."""
    parser = argparse.ArgumentParser(prog="python -m kameng.sandbox", description="支付网关与供应商沙箱（仅限本机）")
    parser.add_argument(
        "--port",
        type=int,
        default=int(os.environ.get("SANDBOX_PORT") or keys.DEFAULT_PORT),
        help="0：任意空闲端口；供应商用其后的端口",
    )
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("KAMENG_VAR", "var")) / "sandbox")
    parser.add_argument(
        "--shop",
        default=f"http://localhost:{os.environ.get('PORT', '8000')}",
        help="福禄协议的供应商把回调发到这里的 /webhooks/suppliers/{code}/",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sandbox = Sandbox(options.folder, port=options.port, shop=options.shop.rstrip("/"))
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(sandbox))
    except OSError as error:
        _say(f"沙箱没有启动：{error}")
        return 1
    return 0
