"""What the settings are given when nobody has set it, and how a running `up` is found."""

import base64
import json
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kameng.embedded import environment, paths, up
from kameng.embedded.console import Refused

ADDRESSES = {"DATABASE_URL": "postgres://a:b@127.0.0.1:1/c", "REDIS_URL": "redis://:d@127.0.0.1:2/0"}


@pytest.fixture
def running(var: Path) -> Iterator[None]:
    """Another `up` has the lock and has said where its servers are."""
    with up.only_one() as record:
        json.dump({"pid": 4711, "url": "http://localhost:8000/"}, record)
        record.flush()
        paths.write_private(environment.servers_file(), json.dumps(ADDRESSES))
        yield


def test_addresses_are_those_of_the_running_up(running: None) -> None:
    environ: dict[str, str] = {}

    environment.load(environ)

    assert {name: environ[name] for name in ADDRESSES} == ADDRESSES


def test_what_is_set_is_left_alone(running: None) -> None:
    environ = {"DATABASE_URL": "postgres://theirs", "SECRET_KEY": "theirs"}

    environment.load(environ)

    assert environ["DATABASE_URL"] == "postgres://theirs"
    assert environ["SECRET_KEY"] == "theirs"
    assert environ["REDIS_URL"] == ADDRESSES["REDIS_URL"]


def test_without_a_running_up_the_way_out_is_named(var: Path) -> None:
    with pytest.raises(
        environment.NothingRunning, match=r"start `python3 manage\.py up`, or set DATABASE_URL and REDIS_URL"
    ):
        environment.load({})


def test_addresses_left_by_a_killed_up_are_not_believed(var: Path) -> None:
    with up.only_one():
        paths.write_private(environment.servers_file(), json.dumps(ADDRESSES))

    with pytest.raises(environment.NothingRunning):
        environment.addresses()


def test_a_command_that_needs_no_server_gets_addresses_that_nothing_answers(var: Path) -> None:
    environ = {"KAMENG_OFFLINE": "1"}

    environment.load(environ)

    assert environ["DATABASE_URL"] == environment.UNREACHABLE["DATABASE_URL"]
    assert environ["REDIS_URL"] == environment.UNREACHABLE["REDIS_URL"]


def test_secrets_are_made_once_and_only_for_their_owner(var: Path) -> None:
    first, second = {"KAMENG_OFFLINE": "1"}, {"KAMENG_OFFLINE": "1"}

    environment.load(first)
    environment.load(second)

    assert first == second
    assert len(base64.b64decode(first["ENCRYPTION_KEY"])) == 32
    assert len({first[name] for name in environment.SECRETS}) == 3
    assert stat.S_IMODE((var / "secrets.json").stat().st_mode) == 0o600


def test_processes_that_start_together_read_the_same_secrets(var: Path) -> None:
    def load(_: int) -> str:
        environ = {"KAMENG_OFFLINE": "1"}
        environment.load(environ)
        return environ["ENCRYPTION_KEY"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load, range(40)))) == 1
    assert [path.name for path in var.glob("secrets*")] == ["secrets.json"]


def test_production_makes_nothing_up(var: Path) -> None:
    environ = {"KAMENG_ENV": "production"}

    with pytest.raises(Refused, match="SECRET_KEY is not set"):
        environment.load(environ)

    assert environ == {"KAMENG_ENV": "production"}
    assert not list(var.iterdir())


def test_a_second_up_says_where_the_first_one_is(running: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "LOCK_SECONDS", 0)

    with (
        pytest.raises(Refused, match=r"^already running: http://localhost:8000/ \(process 4711\)"),
        up.only_one(),
    ):
        pass

    assert environment.running() == {"pid": 4711, "url": "http://localhost:8000/"}
