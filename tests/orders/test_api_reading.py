"""Requests by program: how they may be sent, and that nothing large or odd is read."""

import io
import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from catalog.models import Variant
from orders.models import Order
from resellers.models import Reseller
from tests.orders.asking import assert_nothing_moved, body_of
from tests.program import JSON, Program, refusal, staying

pytestmark = pytest.mark.usefixtures("supplier_double")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"lines=1",
        b"<xml/>",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        '{"contact": "１３８"}'.encode("gbk"),
        b"{'lines': []}",
        b'{"lines": NaN}',
        b'{"contact": "a", "contact": "b"}',
        b'{"contact": "\\ud800"}',
        b'{"\\ud800": 1}',
        b"[" * 100_000,
        b'{"a":' * 40_000,
        b"{} {}",
        b"null" + b" " * 10 + b"x",
    ],
    ids=lambda raw: repr(raw)[:30],
)
def test_what_is_not_json_is_malformed(program: Program, variant: Variant, raw: bytes) -> None:
    assert refusal(program.post("orders/", raw)) == (400, "malformed")
    assert_nothing_moved()


@pytest.mark.parametrize("body", [[], "text", 5, None, True, [{}]], ids=repr)
def test_json_that_is_no_object_is_invalid(program: Program, variant: Variant, body: object) -> None:
    assert refusal(program.post("orders/", json.dumps(body).encode())) == (422, "invalid")
    assert_nothing_moved()


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""]
)
def test_another_content_type_is_refused(program: Program, variant: Variant, content_type: str) -> None:
    reply = program.send("post", "orders/", data=json.dumps(body_of(variant)), content_type=content_type)
    assert refusal(reply) == (415, "not_json")
    assert_nothing_moved()


def test_a_form_of_another_site_cannot_place_an_order(program: Program, variant: Variant) -> None:
    reply = program.send("post", "orders/", data={"lines": "[]"}, content_type="multipart/form-data; boundary=x")
    assert refusal(reply) == (415, "not_json")
    assert_nothing_moved()


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json ;x=y"]
)
def test_json_by_another_spelling_is_read(program: Program, variant: Variant, content_type: str) -> None:
    reply = program.send("post", "orders/", data=json.dumps(body_of(variant)), content_type=content_type)
    assert reply.status_code == 201


class Tap:
    """A body that would go on for ever; counts what was taken of it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "everything was asked for"
        self.taken += size
        return b"9" * size

    readline = read


@pytest.mark.parametrize("length", [256 * 1024 + 1, 10 * 1024 * 1024, 10**15])
def test_a_large_body_is_refused_unread(shop: Reseller, variant: Variant, length: int) -> None:
    tap = Tap()
    with staying():
        sent: dict[str, Any] = {"CONTENT_LENGTH": str(length), "wsgi.input": tap}
        reply = Client(headers={"host": "one.test"}).generic("POST", "/api/v1/orders/", b"x", JSON, **sent)
    assert refusal(reply) == (413, "too_large")
    assert tap.taken == 0
    assert_nothing_moved()


def chunked(source: object) -> Any:
    """A request whose length nobody said, as gunicorn hands it on."""
    sent: dict[str, Any] = {"wsgi.input": source, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    with staying():
        return Client(headers={"host": "one.test"}).generic("POST", "/api/v1/orders/", b"", CONTENT_TYPE=JSON, **sent)


def test_a_body_in_chunks_is_read_up_to_the_same_limit(shop: Reseller, variant: Variant) -> None:
    assert chunked(io.BytesIO(json.dumps(body_of(variant)).encode())).status_code == 201
    tap = Tap()
    assert refusal(chunked(tap)) == (413, "too_large")
    assert tap.taken == 256 * 1024 + 1
    assert Order.objects.count() == 1


def test_chunks_that_break_off_are_malformed(shop: Reseller, variant: Variant) -> None:
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError("invalid chunk")

        readline = read

    assert refusal(chunked(Broken())) == (400, "malformed")
    assert_nothing_moved()


def test_a_body_at_the_limit_is_read(program: Program, variant: Variant) -> None:
    raw = json.dumps(body_of(variant)).encode()
    assert program.send("post", "orders/", data=raw.ljust(256 * 1024), content_type=JSON).status_code == 201
    assert refusal(program.post("orders/", raw.ljust(256 * 1024 + 1))) == (413, "too_large")
    assert Order.objects.count() == 1


@pytest.mark.parametrize("length", ["-5", "x", "1e3"])
def test_a_length_that_is_none_is_refused(shop: Reseller, variant: Variant, length: str) -> None:
    with staying():
        reply: Any = Client(headers={"host": "one.test"}, raise_request_exception=False).generic(
            "POST", "/api/v1/orders/", b"{}", content_type=JSON, CONTENT_LENGTH=length
        )
    assert refusal(reply) == (400, "malformed")
    assert_nothing_moved()


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options"])
def test_another_method_is_refused(program: Program, method: str) -> None:
    reply = program.send(method, "orders/")
    assert refusal(reply) == (405, "method_not_allowed")
    assert reply.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["nothing/", "orders", "products/a/b/", "orders/x/y/z/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_address_is_a_problem_too(program: Program, path: str, method: str) -> None:
    assert refusal(program.send(method, path)) == (404, "not_found")


def test_an_unknown_host_tells_nothing(shop: Reseller) -> None:
    with staying():
        reply = Client(headers={"host": "nobody.test"}).get("/api/v1/products/")
    assert (reply.status_code, reply.content) == (404, b"Not found\n")


def test_a_failure_of_ours_is_a_problem_with_a_reference(
    shop: Reseller, variant: Variant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("payments.placing.order_place", broken)
    with staying():
        reply: Any = Client(headers={"host": "one.test"}, raise_request_exception=False).post(
            "/api/v1/orders/", body_of(variant), content_type=JSON
        )
    assert refusal(reply) == (500, "internal")
    assert b"secret" not in reply.content
    assert reply.json()["reference"] in caplog.text
    assert "secret detail" in caplog.text
    assert connection.schema_name == "shop_one"  # type: ignore[attr-defined]
    assert_nothing_moved()
