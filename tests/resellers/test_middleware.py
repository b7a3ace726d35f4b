"""Entering a shop by its host, and being nobody in every other."""

import pytest
from django.conf import LazySettings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, authenticate
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context

from kameng.accounts.models import User
from resellers.services import staff_set
from tests.resellers.test_hosts import SAME, STRANGERS

PASSWORD = "correct horse battery staple"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def _addresses(settings: LazySettings, db: None) -> None:
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = "tests.resellers.urls"


def ask(host: str, *, session: str = "", path: str = "/whoami/", **headers: str) -> dict[str, str]:
    """What a browser with that session is told on that host."""
    client = Client(headers={"host": host, **headers})
    if session:
        client.cookies["kameng_session"] = session
    response = client.get(path)
    assert response.status_code == 200
    told: dict[str, str] = response.json()
    return told


def sign_in(schema_name: str, username: str) -> str:
    """A session of somebody who signed in to that schema."""
    user = staff_set(schema_name=schema_name, username=username, password=PASSWORD)
    with schema_context(schema_name):
        session = SessionStore()
        session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), BACKEND
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session["note"] = f"of {schema_name}"
        session.create()
        return str(session.session_key)


@pytest.mark.parametrize("host", SAME)
def test_a_request_enters_the_shop_of_its_host(host: str) -> None:
    assert ask(host) == {"schema": "shop_one", "database": "shop_one", "user": "", "note": ""}


def test_the_operations_host_is_the_public_schema() -> None:
    assert ask("ops.test")["database"] == "public"


@pytest.mark.parametrize("host", [host for host in STRANGERS if host])
@pytest.mark.parametrize("path", ["/whoami/", "/", "/admin/", "/manage/"])
def test_an_unknown_host_gets_a_plain_404_without_a_hint(host: str, path: str) -> None:
    response = Client(headers={"host": host}).get(path)
    assert (response.status_code, response.content) == (404, b"Not found\n")
    assert response.headers["Content-Type"] == "text/plain"
    assert not response.cookies


def test_a_host_that_is_only_claimed_by_a_header_is_not_believed() -> None:
    for name in ("x-forwarded-host", "x-host", "forwarded", "x-original-host"):
        assert ask("one.test", **{name: "two.test"})["database"] == "shop_one"
        claimed = Client(headers={"host": "nobody.test", name: "two.test"}).get("/whoami/")
        assert claimed.status_code == 404


def test_a_request_leaves_the_shop_also_when_it_fails() -> None:
    ask("one.test")
    assert connection.schema_name == "public"  # type: ignore[attr-defined]
    client = Client(headers={"host": "one.test"}, raise_request_exception=False)
    assert client.get("/broken/").status_code == 500
    assert connection.schema_name == "public"  # type: ignore[attr-defined]


def test_shops_take_turns_on_one_connection() -> None:
    for _ in range(3):
        told = [ask(host)["database"] for host in ("one.test", "two.test", "ops.test")]
        assert told == ["shop_one", "shop_two", "public"]


def test_a_session_of_one_schema_is_worth_nothing_in_another() -> None:
    """All three users have the same name, password and number."""
    sessions = {schema: sign_in(schema, "boss") for schema in ("shop_one", "shop_two", "public")}
    at = {"shop_one": "one.test", "shop_two": "two.test", "public": "ops.test"}
    for schema, session in sessions.items():
        for where, host in at.items():
            told = ask(host, session=session)
            expected = ("boss", f"of {schema}") if where == schema else ("", "")
            assert (told["user"], told["note"]) == expected


def test_a_session_row_copied_into_another_schema_signs_nobody_in() -> None:
    """Even with the row and the same number and password, the other account's password is salted another way."""
    session = sign_in("shop_one", "boss")
    staff_set(schema_name="shop_two", username="boss", password=PASSWORD)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop_two.django_session SELECT * FROM shop_one.django_session")
    assert ask("two.test", session=session)["user"] == ""


def test_a_password_of_one_schema_opens_no_other() -> None:
    staff_set(schema_name="shop_one", username="boss", password=PASSWORD)
    opened = {}
    for schema in ("shop_one", "shop_two", "public"):
        with schema_context(schema):
            opened[schema] = authenticate(username="boss", password=PASSWORD) is not None
            assert User.objects.filter(username="boss").exists() is opened[schema]
    assert opened == {"shop_one": True, "shop_two": False, "public": False}


def test_health_is_told_on_any_host_and_nothing_else_is(settings: LazySettings) -> None:
    settings.PUBLIC_SCHEMA_URLCONF = "kameng.urls_operations"
    answers = {path: Client(headers={"host": "nobody.test"}).get(path) for path in ("/healthz", "/healthz/", "/admin/")}
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/healthz": 200, "/healthz/": 404, "/admin/": 404,
    }  # fmt: skip
    assert answers["/healthz"].content == b"ok\n"


def test_a_cookie_is_for_one_host_only() -> None:
    session = sign_in("shop_one", "boss")
    client = Client(headers={"host": "one.test"})
    client.cookies["kameng_session"] = session
    response = client.get("/whoami/")
    for morsel in response.cookies.values():
        assert morsel["domain"] == ""
