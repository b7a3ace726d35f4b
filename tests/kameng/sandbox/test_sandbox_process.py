"""The sandbox as a process: keys, ports, restarts, and what it may not import."""

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from kameng.embedded.up import SANDBOX_PORTS
from kameng.sandbox import keys, post
from tests.kameng.sandbox.clients import DujiaoClient
from tests.kameng.sandbox.running import ROOT, RunningSandbox, start_sandbox, stop_sandbox, until

PACKAGE = ROOT / "kameng" / "sandbox"


def test_the_other_side_shares_no_code_with_the_shop() -> None:
    allowed = set(sys.stdlib_module_names) | {"cryptography", "segno", "httpx"}
    foreign = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path.name} imports relatively"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.split(".")[0] not in allowed and not name.startswith("kameng.sandbox"):
                    foreign.append(f"{path.name}: {name}")
    assert foreign == []


def test_it_runs_without_django() -> None:
    script = (
        "import sys, kameng.sandbox.main; print([n for n in ('django', 'celery', 'kameng.core') if n in sys.modules])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


@pytest.fixture(autouse=True)
def _no_port_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_PORT", raising=False)


def test_keys_are_made_once_and_belong_together(tmp_path: Path) -> None:
    first = keys.ensure(tmp_path)
    files = {path: path.read_text() for path in tmp_path.rglob("*.json")}
    assert keys.ensure(tmp_path) == first
    assert {path: path.read_text() for path in tmp_path.rglob("*.json")} == files
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}

    alipay = json.loads((tmp_path / "gateways/alipay.json").read_text())
    wechatpay = json.loads((tmp_path / "gateways/wechatpay.json").read_text())
    assert set(alipay) == {"app_id", "seller_id", "app_private_key", "alipay_public_key", "base_url"}
    assert set(wechatpay) == {
        "appid",
        "mchid",
        "merchant_private_key",
        "merchant_serial",
        "apiv3_key",
        "public_key_id",
        "public_key",
        "platform_certificates",
        "base_url",
    }
    assert alipay["base_url"] == "http://127.0.0.1:8900/alipay/gateway.do"
    assert wechatpay["base_url"] == "http://127.0.0.1:8900/wechatpay"
    own = load_pem_private_key(alipay["app_private_key"].encode(), None).public_key()
    assert own == first.alipay.verifier
    assert load_pem_public_key(alipay["alipay_public_key"].encode()) == first.alipay.signer.public_key()
    ((serial, certificate),) = wechatpay["platform_certificates"].items()
    found = x509.load_pem_x509_certificate(certificate.encode())
    assert f"{found.serial_number:040X}" == serial
    assert found.public_key() == first.wechatpay.signers[serial].public_key()
    assert len(wechatpay["apiv3_key"]) == 32
    xinghe = json.loads((tmp_path / "suppliers/xinghe.json").read_text())
    assert xinghe["base_url"] == "http://127.0.0.1:8901/api/getway"
    assert len(xinghe["config"]["app_secret"]) == 32
    baihe = json.loads((tmp_path / "suppliers/baihe.json").read_text())
    assert (baihe["protocol"], baihe["base_url"]) == ("dujiao", "http://127.0.0.1:8904")


def test_a_supplier_that_came_later_gets_keys_and_a_port_and_the_others_keep_theirs(tmp_path: Path) -> None:
    first = keys.ensure(tmp_path, port=9100)
    path = tmp_path / "private/keys.json"
    before = json.loads(path.read_text())
    for part in ("suppliers", "supplier_ports"):
        del before[part]["tongxin"]
    path.write_text(json.dumps(before))
    again = keys.ensure(tmp_path)
    assert {**again.suppliers, "tongxin": None} == {**first.suppliers, "tongxin": None}
    told = json.loads((tmp_path / "suppliers/tongxin.json").read_text())
    assert told["base_url"] == f"http://127.0.0.1:{9101 + list(keys.SUPPLIERS).index('tongxin')}/yrapi.php"
    assert told["config"] == again.suppliers["tongxin"]
    assert sorted(told["config"]) == ["apikey", "states", "userid"]


def test_up_asks_for_a_port_for_each_supplier() -> None:
    assert 1 + len(keys.SUPPLIERS) == SANDBOX_PORTS


def test_addresses_follow_the_port_and_keys_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keys.ensure(tmp_path)
    moved = keys.ensure(tmp_path, port=9100)
    assert moved == first
    read = json.loads((tmp_path / "suppliers/yunka.json").read_text())
    assert read["base_url"] == "http://127.0.0.1:9103"
    keys.ensure(tmp_path)
    assert json.loads((tmp_path / "suppliers/yunka.json").read_text()) == read
    monkeypatch.setenv("SANDBOX_PORT", "9200")
    keys.ensure(tmp_path)
    assert json.loads((tmp_path / "suppliers/yunka.json").read_text())["base_url"] == "http://127.0.0.1:9203"


def test_a_supplier_that_is_new_gets_its_secrets_beside_the_old_ones(tmp_path: Path) -> None:
    keys.ensure(tmp_path, port=9100)
    ring = tmp_path / "private/keys.json"
    old = json.loads(ring.read_text())
    for part in ("suppliers", "supplier_ports"):
        del old[part]["huayu"], old[part]["shanhe"]
    ring.write_text(json.dumps(old))
    now = keys.ensure(tmp_path)
    assert {code: now.suppliers[code] for code in old["suppliers"]} == old["suppliers"]
    assert set(now.suppliers["huayu"]) == {"app_id", "app_key"}
    shanhe = json.loads((tmp_path / "suppliers/shanhe.json").read_text())
    assert (shanhe["protocol"], shanhe["base_url"]) == ("generic", "http://127.0.0.1:9106")
    assert shanhe["config"]["secret"] == now.suppliers["shanhe"]["secret"]
    described = json.loads(shanhe["config"]["mapping"])
    assert described["operations"]["balance"]["parameters"]["mch_id"] == now.suppliers["shanhe"]["mch_id"]


def test_a_restarted_sandbox_knows_its_book_and_finishes_its_orders(tmp_path: Path) -> None:
    def client(running: RunningSandbox) -> DujiaoClient:
        given = running.supplier("yunka")
        config = given["config"]
        return DujiaoClient(given["base_url"], config["api_key"], config["api_secret"], running.client)

    first = start_sandbox(tmp_path)
    done = client(first).buy("S1")
    until(lambda: first.book("suppliers", "yunka")[0]["state"] == "succeeded")
    first.steer("suppliers/yunka", delivery_ms=1500)
    client(first).buy("S2")
    before = first.book("suppliers", "yunka")
    assert [row["state"] for row in before] == ["succeeded", "accepted"]
    first.process.kill()
    first.process.wait()

    second = start_sandbox(tmp_path)
    assert second.book("suppliers", "yunka")[0] == before[0]
    assert client(second).buy("S1")["order_id"] == done["order_id"]
    until(lambda: second.book("suppliers", "yunka")[1]["state"] == "succeeded")
    codes = [code for row in second.book("suppliers", "yunka") for code in row["codes"]]
    assert len(codes) == len(set(codes)) == 4
    stop_sandbox(second)


def test_a_taken_port_is_said_in_one_line(sandbox_process: RunningSandbox, tmp_path: Path) -> None:
    port = sandbox_process.url.rsplit(":", 1)[1]
    ran = subprocess.run(
        [sys.executable, "-m", "kameng.sandbox", "--port", port, "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert ran.stdout.startswith("沙箱没有启动：")
    assert port in ran.stdout
    assert ran.stdout.count("\n") == 1


def test_it_posts_to_this_machine_only() -> None:
    assert post.loopback("qinghe.localhost") == "127.0.0.1"
    assert post.loopback("LOCALHOST.") == "127.0.0.1"
    assert post.loopback("127.0.0.9") == "127.0.0.9"
    for elsewhere in ("example.com", "10.0.0.1", "localhost.example.com", "169.254.169.254", ""):
        try:
            post.loopback(elsewhere)
        except post.NotDelivered:
            continue
        raise AssertionError(elsewhere)


def test_stopping_takes_no_time(tmp_path: Path) -> None:
    running = start_sandbox(tmp_path)
    running.steer("suppliers/yunka", mode="hang")
    began = time.monotonic()
    stop_sandbox(running)
    assert time.monotonic() - began < 5
