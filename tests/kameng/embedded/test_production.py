"""What production refuses to start without."""

import base64
import os
import secrets
import subprocess
import sys

import pytest

from kameng.embedded import paths
from kameng.embedded.console import Refused
from kameng.embedded.production import demand


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def environ() -> dict[str, str]:
    """All that production needs."""
    return {
        "KAMENG_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DIGEST_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEY": key(),
        "DATABASE_URL": "postgres://kameng:of-their-own@db/kameng",
        "REDIS_URL": "redis://:of-their-own@redis/0",
        "OPERATIONS_HOST": "ops.example.com",
    }


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(Refused) as refused:
        demand(environ)
    return str(refused.value).removeprefix("production cannot start: ").removesuffix(" (see docs/operations.md)")


def test_everything_there_is_enough(environ: dict[str, str]) -> None:
    demand(environ)


def test_secrets_as_openssl_makes_them_are_enough(environ: dict[str, str]) -> None:
    environ |= {name: secrets.token_hex(32) for name in ("SECRET_KEY", "DIGEST_KEY")}
    environ["ENCRYPTION_KEY"] = f"{key()},{key()}"

    demand(environ)


def test_all_that_is_missing_is_said_in_one_line() -> None:
    names = ("SECRET_KEY", "DIGEST_KEY", "ENCRYPTION_KEY", "DATABASE_URL", "REDIS_URL", "OPERATIONS_HOST")

    assert refusal({}) == "; ".join(f"{name} is not set" for name in names)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SECRET_KEY", "changeme", "SECRET_KEY is weak: at least 43 random characters"),
        ("SECRET_KEY", "x" * 64, "SECRET_KEY is weak: at least 43 random characters"),
        ("DIGEST_KEY", "dev", "DIGEST_KEY is weak: at least 43 random characters"),
        ("DIGEST_KEY", "", "DIGEST_KEY is not set"),
        ("ENCRYPTION_KEY", "", "ENCRYPTION_KEY is not set"),
        ("ENCRYPTION_KEY", ",", "ENCRYPTION_KEY is not set"),
        ("ENCRYPTION_KEY", "not base64!", "ENCRYPTION_KEY is not base64 of 32 bytes"),
        ("ENCRYPTION_KEY", base64.b64encode(b"short").decode(), "ENCRYPTION_KEY is not base64 of 32 bytes"),
        ("ENCRYPTION_KEY", base64.b64encode(bytes(32)).decode(), "ENCRYPTION_KEY is weak: 32 random bytes"),
        (
            "ENCRYPTION_KEY",
            base64.b64encode(b"correct horse battery staple 123").decode(),
            "ENCRYPTION_KEY is weak: 32 random bytes",
        ),
        ("DATABASE_URL", "sqlite:///kameng.db", "DATABASE_URL does not begin with postgres:// or postgresql://"),
        ("REDIS_URL", "redis.example:6379", "REDIS_URL does not begin with redis:// or rediss:// or unix://"),
        (
            "TRUSTED_PROXIES",
            "10.0.0.0/8,caddy",
            "TRUSTED_PROXIES: 'caddy' does not appear to be an IPv4 or IPv6 network",
        ),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "TRUSTED_PROXIES: 10.0.0.1/8 has host bits set"),
        ("OPERATIONS_HOST", "ops.localhost", "OPERATIONS_HOST is the demo's"),
        ("OPERATIONS_HOST", "https://ops.example.com", "OPERATIONS_HOST is not a plain host name in lower case"),
        ("OPERATIONS_HOST", "Ops.example.com", "OPERATIONS_HOST is not a plain host name in lower case"),
        ("OPERATIONS_HOST", "ops", "OPERATIONS_HOST is not a plain host name in lower case"),
        (
            "WEBHOOK_BASE_URL",
            "http://ops.example.com",
            "WEBHOOK_BASE_URL is not https://HOST without a slash at the end",
        ),
        (
            "WEBHOOK_BASE_URL",
            "https://ops.example.com/",
            "WEBHOOK_BASE_URL is not https://HOST without a slash at the end",
        ),
    ],
)
def test_what_is_weak_or_wrong_is_refused(environ: dict[str, str], name: str, value: str, said: str) -> None:
    environ[name] = value

    assert refusal(environ) == said


def test_an_older_key_must_be_whole_too(environ: dict[str, str]) -> None:
    environ["ENCRYPTION_KEY"] += ",AAAA"

    assert refusal(environ) == "ENCRYPTION_KEY number 2 is not base64 of 32 bytes"


def test_one_secret_for_everything_is_refused(environ: dict[str, str]) -> None:
    environ["DIGEST_KEY"] = environ["SECRET_KEY"]

    assert refusal(environ) == "the same secret is used twice"


def test_a_refusal_shows_no_secret(environ: dict[str, str]) -> None:
    environ |= {"SECRET_KEY": "hunter2", "ENCRYPTION_KEY": "aHVudGVyMg==", "REDIS_URL": "http://:hunter2@redis"}

    said = refusal(environ)

    assert "hunter2" not in said
    assert "aHVudGVyMg==" not in said


def test_the_command_says_it_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, str(paths.ROOT / "manage.py"), "check"],
        env={"PATH": os.environ["PATH"], "KAMENG_ENV": "production"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("manage.py check: production cannot start: SECRET_KEY is not set;")


def test_settings_for_production_pass_the_deployment_checks(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(paths.ROOT / "manage.py"), "check", "--deploy", "--fail-level", "WARNING"],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
