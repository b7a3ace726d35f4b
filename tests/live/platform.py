"""The product as it really runs: web, worker and sandbox as processes, over a database and a broker of their own."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg2

from kameng.embedded import environment, paths, ports, processes
from kameng.embedded.processes import Process, wait_ready
from kameng.embedded.storage import Storage
from kameng.embedded.valkey import Valkey
from kameng.sandbox import keys
from tests import databases
from tests.kameng.sandbox.running import RunningSandbox
from tests.live.shopper import Address, Shopper, until

READY_SECONDS = 90
STOP_SECONDS = 4.0
#: What the processes believe, where waiting would take too long; everything else is as in production.
SETTINGS = {
    "NOT_FOUND_WINDOW_SECONDS": "2",
    "SUPPLIER_EXPLORATION_PERCENT": "0",
    "SUPPLIER_THREADS": "8",
    "OUTAGE_PATIENCE_SECONDS": "20",
}
HOUSE, GAMES, LIFE = "localhost", "yueyou.localhost", "qinghe.localhost"
SCHEMAS = {HOUSE: "shop_house", GAMES: "shop_yueyou", LIFE: "shop_qinghe"}
OPERATIONS = "ops.localhost"

#: What one test did to its suppliers says nothing about them in the next. Price lists count as read, as if beat ran.
_TRUSTED_AGAIN = """
DELETE FROM suppliers_supplierbreaker; DELETE FROM suppliers_supplierincident; DELETE FROM suppliers_suppliercall;
DELETE FROM outbox_outboxevent WHERE topic = 'supplier.probe';
UPDATE suppliers_supplieroffer SET synced_at = now() + interval '1 hour';
UPDATE catalog_variant SET is_available = TRUE WHERE NOT is_available;
UPDATE catalog_revision SET number = number + 1
"""

_AUDITOR = """
import django, io, json, os, sys
django.setup()
from django.core.management import call_command
for _ in sys.stdin:
    said = io.StringIO()
    try:
        call_command("audit", "--json", "--sandbox", os.environ["SANDBOX_URL"], stdout=said)
        code = 0
    except SystemExit as end:
        code = end.code
    print(json.dumps([code, said.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Good:
    """One thing to buy, with an account that the demo's suppliers accept."""

    sku: str
    product: str
    kind: str
    host: str
    price: str
    account: Mapping[str, str]


@dataclass
class Platform:
    """Started by `start`, ended by `stop`; everything it makes is below `folder`, or in its own database."""

    folder: Path
    _goods: dict[str, list[Good]] = field(default_factory=dict)
    _shoppers: int = 0
    _auditor: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.port = ports.free()
        self.server = urlsplit(os.environ["DATABASE_URL"])._replace(scheme="postgresql")
        self.database = f"kameng_live_{os.getpid()}_{secrets.token_hex(3)}"
        #: As whoever runs the tests: its data lies in their own folder, and is worth nothing.
        self.valkey = Valkey(Storage(home=self.folder, account=None), durable=False)
        self.processes: list[Process] = []

    # --- starting and stopping ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything that `manage.py up` starts but beat: what a sweep would find is a defect here."""
        databases.create(self.database)
        with _var(self.folder):
            self.valkey.prepare()
        self.env = {
            **os.environ,
            **SETTINGS,
            "KAMENG_VAR": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "kameng.settings.base",
            "DATABASE_URL": self.server._replace(scheme="postgres", path=f"/{self.database}").geturl(),
            "REDIS_URL": self.valkey.url,
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
        }
        for name in ("KAMENG_TEST", "KAMENG_BENCH", "SANDBOX_PORT", "SANDBOX_URL", *environment.SECRETS):
            self.env.pop(name, None)
        self.sandbox = self._start_sandbox()
        self.env["SANDBOX_URL"] = self.sandbox.url
        self._prepare()
        self.valkey.wait()
        self.web = self._python("web", "gunicorn", "--config=python:kameng.embedded.gunicorn", "kameng.wsgi",
                                f"--bind={ports.LOOPBACK}:{self.port}")  # fmt: skip
        self.worker = self._python("worker", "celery", "--app=kameng.celery", "worker", "--pool=threads",
                                   "--concurrency=8", "--without-mingle", "--without-gossip",
                                   "--loglevel=INFO")  # fmt: skip
        wait_ready(self.web, lambda: self._is_well("database", "migrations"), seconds=READY_SECONDS)
        self.wait_for_worker()
        self.sql(_TRUSTED_AGAIN)

    def stop(self) -> None:
        """End every process and drop the database."""
        if self._auditor is not None:
            self._auditor.kill()
            self._auditor.wait()
        broker = [self.valkey.process] if self.valkey.process else []
        processes.stop([*self.processes, *broker], seconds=STOP_SECONDS)
        databases.drop(self.database)

    def wait_for_worker(self) -> None:
        """Until it has reached the broker, and its poller the database."""
        wait_ready(self.worker, lambda: " ready." in self.worker.said(), seconds=READY_SECONDS)
        wait_ready(self.worker, lambda: self._is_well("poller"), seconds=READY_SECONDS)

    def second_web(self, **settings: str) -> int:
        """Another web server over the same data that believes other settings; its port."""
        port = ports.free()
        web = self._python("web-2", "gunicorn", "--config=python:kameng.embedded.gunicorn", "kameng.wsgi",
                           f"--bind={ports.LOOPBACK}:{port}", **settings)  # fmt: skip
        wait_ready(web, lambda: ports.accepts(port), seconds=READY_SECONDS)
        return port

    @contextmanager
    def second_worker(self, **settings: str) -> Iterator[Process]:
        """Another worker over the same data that may believe other settings, for as long as the block lasts."""
        command = [*self.worker.command[1:], "--hostname=second@%h"]
        worker = self._python("worker-2", *command[1:], **settings)
        try:
            wait_ready(worker, lambda: " ready." in worker.said(), seconds=READY_SECONDS)
            yield worker
        finally:
            processes.stop([worker], seconds=STOP_SECONDS)
            self.processes.remove(worker)

    def _start_sandbox(self) -> RunningSandbox:
        folder = self.folder / "sandbox"
        self._python("sandbox", "kameng.sandbox", "--port=0", f"--folder={folder}",
                     f"--shop=http://localhost:{self.port}")  # fmt: skip
        process = self.processes[-1]
        where = folder / "sandbox.json"
        wait_ready(process, lambda: where.exists() and where.read_text().endswith("\n"), seconds=READY_SECONDS)
        assert process.popen is not None
        return RunningSandbox(folder, process.popen, json.loads(where.read_text())["url"])

    def _prepare(self) -> None:
        steps = subprocess.run(
            [sys.executable, "-m", "kameng.embedded.prepare", "seed", "static"],
            cwd=paths.ROOT, env=self.env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert steps.returncode == 0, steps.stderr[-2000:]

    def _python(self, name: str, module: str, *arguments: str, **settings: str) -> Process:
        process = Process(
            name=name,
            command=[sys.executable, "-m", module, *arguments],
            log=self.folder / "log" / f"{name}.log",
            env={**self.env, **settings},
            cwd=paths.ROOT,
        )
        process.start()
        self.processes.append(process)
        return process

    def _is_well(self, *checks: str) -> bool:
        try:
            said = httpx.get(f"http://{ports.LOOPBACK}:{self.port}/readyz", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return False
        return all(said.get(check) is True for check in checks)

    # --- the database -------------------------------------------------------------------------------------------------

    def sql(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query, or none for a change: for what has no public address, such as the passing of time."""
        connection = psycopg2.connect(self.server._replace(path=f"/{self.database}").geturl())
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def pass_time(self, seconds: float) -> None:
        """As if everything that waits for an answer had waited that much longer."""
        for (schema,) in self.sql("SELECT schema_name FROM resellers_reseller WHERE schema_name <> 'public'"):
            self.sql(
                f"UPDATE {schema}.fulfillment_supplierorder SET created_at = created_at - %s * interval '1 second',"
                " missing_since = missing_since - %s * interval '1 second' WHERE finished_at IS NULL",
                [seconds, seconds],
            )
        self.sql(
            "UPDATE outbox_outboxevent SET run_at = run_at - %s * interval '1 second',"
            " lease_until = lease_until - %s * interval '1 second'"
            " WHERE topic IN ('fulfillment.run', 'order.paid', 'fulfillment.wake')",
            [seconds, seconds],
        )

    def forget_unpaid(self) -> None:
        """As if whoever has not paid yet were others than those who come."""
        for (schema,) in self.sql("SELECT schema_name FROM resellers_reseller WHERE schema_name <> 'public'"):
            self.sql(
                f"UPDATE {schema}.orders_order SET address_digest = '', contact_digest = 'forgotten ' || id"
                " WHERE status = 'pending'"
            )

    def inbox(self, payment: str) -> list[tuple[str, str]]:
        """Verdict and reason of every genuine notice about a payment, oldest first."""
        rows = self.sql("SELECT verdict, reason FROM inbox_inboxevent WHERE subject = %s ORDER BY id", [payment])
        return [(verdict, reason) for verdict, reason in rows]

    def kept_notice(self, payment: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of a notice as they came."""
        row = self.sql("SELECT headers, body FROM inbox_inboxevent WHERE subject = %s ORDER BY id LIMIT 1", [payment])
        headers, body = row[0]
        return headers, bytes(body)

    # --- people -------------------------------------------------------------------------------------------------------

    def shopper(self, host: str = HOUSE, *, port: int | None = None) -> Shopper:
        """Somebody new, with an address and a telephone of their own."""
        self._shoppers += 1
        number = self._shoppers
        source = f"127.1.{number // 250}.{number % 250 + 1}"
        return Shopper(Address(port or self.port, host, source), contact=f"138{number:08d}")

    def good(self, kind: str) -> Good:
        """Something that no other test buys, so that its rows in a supplier's book are this test's own."""
        return self.goods(kind, 1)[0]

    def goods(self, kind: str, count: int) -> list[Good]:
        """The same, several times. Codes are never those on our own shelf."""
        if kind not in self._goods:
            self._goods[kind] = self._on_sale(kind)
        taken, self._goods[kind] = self._goods[kind][:count], self._goods[kind][count:]
        assert len(taken) == count, f"the demo has no more goods of kind {kind}"
        return taken

    def _on_sale(self, kind: str) -> list[Good]:
        own = {
            sku
            for (sku,) in self.sql(
                "SELECT variant.sku FROM catalog_variant AS variant"
                " JOIN suppliers_supplieroffer AS offer ON offer.variant_id = variant.id"
                " JOIN suppliers_supplier AS supplier ON supplier.id = offer.supplier_id"
                " WHERE supplier.adapter = 'stock'"
            )
        }
        shopper = self.shopper(GAMES if kind == "topup" else HOUSE)
        found = []
        for product in shopper.products():
            if product["kind"] == kind:
                shown = shopper.product(product["slug"])
                account = {entry["name"]: entry["example"] for entry in shown["account_fields"] if entry["required"]}
                found += [
                    Good(entry["sku"], product["slug"], kind, shopper.address.host, entry["price"], account)
                    for entry in shown["variants"]
                    if entry["available"] and entry["sku"] not in own
                ]
        return found

    # --- the other side -----------------------------------------------------------------------------------------------

    def suppliers(self, mode: str, *codes: str, **more: Any) -> None:
        """How suppliers behave from now on."""
        for code in codes or keys.SUPPLIERS:
            self.sandbox.steer(f"suppliers/{code}", mode=mode, **more)

    def booked(self, supplier: str, good: Good) -> list[dict[str, Any]]:
        """What a supplier's book says about one thing that is sold."""
        return [row for row in self.sandbox.book("suppliers", supplier) if row["sku"] == good.sku]

    def charged(self, supplier: str, good: Good) -> int:
        """How often a supplier has taken money for it, and kept it."""
        return sum(row["times"] for row in self.booked(supplier, good))

    def trade(self, gateway: str, payment: str) -> dict[str, Any]:
        """What a gateway's book says about one payment, with its state and refunds."""
        rows = self.sandbox.read(f"gateways/{gateway}/book?everything=1")
        return next(row for row in rows if row["payment"] == payment)

    def pay(self, gateway: str, payment: str, **how: Any) -> dict[str, Any]:
        """The shopper's money reaches the gateway; `how` as the control endpoint takes it."""
        return self.sandbox.steer(f"gateways/{gateway}/pay", payment=payment, **how)

    def make_well(self) -> None:
        """Suppliers and gateways as they were; the books stay."""
        self.sql(_TRUSTED_AGAIN)
        self.suppliers("ok")
        for gateway in ("alipay", "wechatpay"):
            self.sandbox.steer(f"gateways/{gateway}", mode="ok", refund="success", refund_ms=500)

    # --- the verdict --------------------------------------------------------------------------------------------------

    def audit(self) -> None:
        """Hold every invariant against the books; fails with what is broken."""
        if self._auditor is None:
            self._auditor = subprocess.Popen(
                [sys.executable, "-c", _AUDITOR], cwd=paths.ROOT, env=self.env, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=processes.die_with_parent(),
            )  # fmt: skip
        assert self._auditor.stdin is not None
        assert self._auditor.stdout is not None
        self._auditor.stdin.write("\n")
        self._auditor.stdin.flush()
        code, said = json.loads(self._auditor.stdout.readline())
        assert code == 0, said


@contextmanager
def _var(folder: Path) -> Iterator[None]:
    """What the embedded servers take for `var/`."""
    before = os.environ.get("KAMENG_VAR")
    os.environ["KAMENG_VAR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["KAMENG_VAR"]
        else:
            os.environ["KAMENG_VAR"] = before


def elapsed(action: Callable[[], Any]) -> float:
    """Seconds that something took."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


__all__ = ["GAMES", "HOUSE", "LIFE", "OPERATIONS", "Good", "Platform", "elapsed", "until"]
