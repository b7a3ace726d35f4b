"""A program that uses a shop's API. Whatever it is answered is held against the API's own description."""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

import jsonschema  # type: ignore[import-untyped]
from django.db import connection
from django.test import Client

from kameng.api import schema

#: What Django's test client returns: a response that can be read as JSON.
Reply = Any

JSON = "application/json"
PROBLEM = "application/problem+json"

_formats = jsonschema.FormatChecker(())


@_formats.checks("date-time", raises=ValueError)
def _is_moment(text: object) -> bool:
    return isinstance(text, str) and text.endswith("Z") and datetime.fromisoformat(text).tzinfo is not None


def validate(value: Any, described: dict[str, Any]) -> None:
    """Hold a value against a piece of the API's description. Raises `jsonschema.ValidationError`."""
    document = {**described, "components": schema()["components"]}
    jsonschema.Draft202012Validator(document, format_checker=_formats).validate(value)


def operation(method: str, path: str) -> dict[str, Any] | None:
    """How the description calls an operation; None for one that is not there, an empty one for a method that is not."""
    for template, methods in schema()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            found: dict[str, Any] = methods.get(method, {})
            return found
    return None


@contextmanager
def staying() -> Iterator[None]:
    """A request leaves its shop at its end; a test stays in its own."""
    inside = connection.tenant  # type: ignore[attr-defined]
    try:
        yield
    finally:
        connection.set_tenant(inside)  # type: ignore[attr-defined]


def webhook(path: str, body: bytes, *, host: str = "ops.test", content_type: str = JSON, **headers: str) -> Reply:
    """Somebody calls below `/webhooks/`; other keywords are headers."""
    client = Client(headers={"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}})
    with staying():
        return client.post(f"/webhooks/{path}", body, content_type=content_type)


class Program:
    """Calls one shop from an address of its own, so that limits of other tests are not its concern."""

    def __init__(self, host: str = "one.test") -> None:
        self.address = f"2001:db8::{secrets.randbelow(0xFFFF) + 1:x}:{secrets.randbelow(0xFFFF) + 1:x}"
        self.client = Client(headers={"host": host}, REMOTE_ADDR=self.address)

    def get(self, path: str, *, token: str | None = None, **headers: str) -> Reply:
        """GET below `/api/v1/`."""
        return self.send("get", path, token=token, **headers)

    def post(self, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> Reply:
        """POST below `/api/v1/`, with a body as JSON; bytes go as they are."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        reply = self.send("post", path, token=token, data=raw, content_type=JSON, **headers)
        if reply.status_code == 201:
            described = operation("post", f"/api/v1/{path}")
            assert described is not None
            # The scripted gateway stands for one that the description names.
            asked = {**body, "gateway": "alipay"} if body.get("gateway") == "scripted" else body
            validate(asked, described["requestBody"]["content"][JSON]["schema"])
        return reply

    def send(self, method: str, path: str, *, token: str | None = None, **request: Any) -> Reply:
        """Any method; `content_type` and `data` as Django's test client takes them, other keywords are headers."""
        sent = {name: request.pop(name) for name in ("data", "content_type") if name in request}
        if sent.get("data") == b"":
            # Django's test client keeps the type of an empty body to itself.
            request["content_type"] = sent["content_type"]
        headers = {name.replace("_", "-"): value for name, value in request.items()}
        if token is not None:
            headers["Authorization"] = f"Order {token}"
        address, _, query = f"/api/v1/{path}".partition("?")
        call = getattr(self.client, method)
        with staying():
            reply = call(address, headers=headers, QUERY_STRING=quote(query, safe="=&%"), **sent)
        _hold(method, address, reply)
        return reply


def _hold(method: str, address: str, reply: Reply) -> None:
    described, kind = operation(method, address), reply.headers["Content-Type"]
    if address == "/api/v1/schema/":
        return
    if not described:
        assert (kind, reply.status_code) == (PROBLEM, 404 if described is None else 405)
        return
    responses = described["responses"]
    assert str(reply.status_code) in responses, f"{reply.status_code} is not described: {reply.content!r}"
    validate(json.loads(reply.content), responses[str(reply.status_code)]["content"][kind]["schema"])


def refusal(reply: Reply) -> tuple[int, str]:
    """Status and code of a refusal, which must be problem details that say the same in head and body."""
    body = json.loads(reply.content)
    assert reply.headers["Content-Type"] == PROBLEM
    assert body["status"] == reply.status_code
    assert body["title"]
    assert "no-store" in reply.headers["Cache-Control"]
    return reply.status_code, body["code"]


def fields(reply: Reply) -> list[str]:
    """Which fields a refusal names."""
    return sorted(json.loads(reply.content).get("fields", {}))
