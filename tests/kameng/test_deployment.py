"""What production is made of fits together: no engine is needed to see that."""

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

from fulfillment.suppliers.stock_files import LARGEST_FILE
from kameng.embedded import paths
from kameng.pages.too_large import MOST_DRAINED
from kameng.reconciliation.supplier_bills import MOST_BYTES

COMPOSE = (paths.ROOT / "docker-compose.yml").read_text(encoding="utf-8")
OURS = ("migrate", "web", "worker", "beat")
SECRETS = {"SECRET_KEY", "ENCRYPTION_KEY", "DIGEST_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}
#: Read by the settings, and of no use in a container: the demo's own, or fixed in the image.
NOT_FOR_PRODUCTION = {"KAMENG_BENCH", "KAMENG_VAR", "PORT", "PUBLIC_SCHEME", "SANDBOX_URL"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
    return found


def variables(text: str) -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+)", text))


def example() -> dict[str, str]:
    lines = (paths.ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_example_names_every_variable_and_no_other() -> None:
    assert set(example()) == variables(COMPOSE)


def test_no_secret_has_a_default() -> None:
    assert {name for name in SECRETS if example()[name]} == set()
    for name in SECRETS:
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", COMPOSE)
        assert uses
        assert all(use.startswith(":?") for use in uses), name


def test_defaults_of_the_example_are_those_of_the_services() -> None:
    for name, value in example().items():
        if value:
            assert set(re.findall(rf"\$\{{{name}:-([^}}]*)\}}", COMPOSE)) == {value}, name


def test_whatever_the_settings_read_reaches_the_containers(services: dict[str, Any]) -> None:
    settings = (paths.ROOT / "kameng" / "settings" / "base.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings)) | {"DATABASE_URL"}
    for name in OURS:
        assert read - NOT_FOR_PRODUCTION <= set(services[name]["environment"]), name


def test_what_gunicorn_reads_reaches_the_web_server(services: dict[str, Any]) -> None:
    text = (paths.ROOT / "kameng" / "settings" / "gunicorn.py").read_text(encoding="utf-8")
    read = set(re.findall(r'environ\.get\("([A-Z_]+)"', text))
    assert read - {"WEB_BIND"} <= set(services["web"]["environment"])


@pytest.mark.parametrize("name", OURS)
def test_nothing_of_ours_runs_with_rights(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service


def test_only_the_web_server_is_reachable_from_outside(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["caddy"]


def test_certificates_are_asked_for_by_the_name_that_answers(services: dict[str, Any]) -> None:
    caddyfile = (paths.ROOT / "Caddyfile").read_text(encoding="utf-8")

    assert "ask http://{$OPERATIONS_HOST}:8000/tls/ask" in caddyfile
    assert services["web"]["networks"]["default"]["aliases"] == ["${OPERATIONS_HOST}"]
    assert variables(caddyfile.replace("{$", "${")) <= {*services["caddy"]["environment"], "WEB_ADDRESS"}


#: Templates with a file to choose, and an address that each is sent to.
FILES = {
    "stock.html": "/admin/stock/",
    "reconciliation_break.html": "/admin/reconciliation/7/",
    "reconciliation_bill.html": "/admin/reconciliation/bill/",
    "licenses.html": "/admin/licenses/7/scans/",
    "paper.html": "/admin/licenses/7/scans/",
    "marks.html": "/admin/marks/",
    "look.html": "/manage/look/",
    "own_codes.html": "/manage/own/7/codes/",
    "own_papers.html": "/manage/papers/",
}


def test_whatever_takes_a_file_gets_one_of_the_largest_size_through_the_web_server() -> None:
    templates = (paths.ROOT / "templates").rglob("*.html")
    assert {found.name for found in templates if "multipart/form-data" in found.read_text("utf-8")} == set(FILES)
    caddyfile = (paths.ROOT / "Caddyfile").read_text(encoding="utf-8")
    (large,) = re.findall(r"^\t@files path (.*)$", caddyfile, re.MULTILINE)
    (others,) = re.findall(r"^\t@others not path (.*)$", caddyfile, re.MULTILINE)
    assert large == others
    for address in FILES.values():
        assert any(fnmatchcase(address, pattern) for pattern in large.split()), address
    (limit,) = re.findall(r"request_body @files {\s+max_size (\d+)MB", caddyfile)
    # A file comes in a frame, with the form's other fields.
    assert MOST_DRAINED >= int(limit) * 1_000_000 >= max(MOST_BYTES, LARGEST_FILE) + 1_000_000


def test_the_image_carries_no_secret_and_no_data() -> None:
    ignored = (paths.ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {".*", "var"} <= set(ignored)
    dockerfile = (paths.ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "USER kameng" in dockerfile
    assert not re.search(r"^(ENV|ARG).*(SECRET|KEY|PASSWORD)", dockerfile, re.MULTILINE)
