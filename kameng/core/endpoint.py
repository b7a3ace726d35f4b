"""What every address of the API shares: strict JSON in, JSON or problem details out.

A body is read only up to a limit, must be one JSON text (RFC 8259) in UTF-8 without repeated names, and is checked by a
`Form` that converts nothing: `"1"`, `1.0` and `true` are no integers, and a field that nobody asked for is refused.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kameng.core.money import parse_yuan
from kameng.core.problems import Invalid, Malformed, NotFound, NotJson
from kameng.core.raw import raw_body

MAX_BODY_BYTES = 256 * 1024
_UNKNOWN_SHOWN = 20


class AlwaysJson(BaseContentNegotiation):
    """There is one representation, whatever the client would prefer (RFC 9110 §12.4.1 allows to disregard Accept)."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """The only one."""
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The only one."""
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class Endpoint(APIView):
    """One address of the API."""

    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "head", "post"]
    #: What is about one order is nobody else's business, caches included.
    cache_control = "no-store"

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Say how long the reply may be kept."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault("Cache-Control", self.cache_control if final.status_code < 400 else "no-store")
        return final


class UnknownAddress(Endpoint):
    """Whatever is not part of the API: 404 in the API's own form."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whichever method was used."""
        raise NotFound


class Form(serializers.Serializer[Any]):
    """A JSON object with exactly the declared fields."""

    default_error_messages = {"invalid": _("应为一个 JSON 对象"), "null": _("应为一个 JSON 对象")}

    def to_internal_value(self, data: Any) -> Any:
        """Refuse what was not asked for, together with everything else that is wrong."""
        errors: dict[str, Any] = {}
        if isinstance(data, dict):
            unknown = sorted(data.keys() - self.fields.keys())[:_UNKNOWN_SHOWN]
            errors = {name[:40]: [_("没有这一项")] for name in unknown}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as invalid:
            if not isinstance(invalid.detail, dict):
                raise
            errors.update(invalid.detail)
        if errors:
            raise serializers.ValidationError(errors)
        return values


class Text(serializers.CharField):
    """A JSON string, as it is."""

    default_error_messages = {
        "invalid": _("应为文字"),
        "null_character": _("有不能用的字符"),
        "blank": _("不能留空"),
        "null": _("不能留空"),
        "required": _("缺少这一项"),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Numbers are not read as text."""
        if not isinstance(data, str):
            self.fail("invalid")
        if "\0" in data:
            self.fail("null_character")
        return data


class Integer(serializers.IntegerField):
    """A JSON integer: no text, no fraction, no exponent, no boolean."""

    default_error_messages = {"invalid": _("应为整数"), "null": _("应为整数"), "required": _("缺少这一项")}

    def to_internal_value(self, data: Any) -> int:
        """`1.0` and `1e3` are other things than integers."""
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Boolean(serializers.BooleanField):
    """A JSON boolean: `"true"` and `1` are other things."""

    default_error_messages = {"invalid": _("应为 true 或 false"), "null": _("应为 true 或 false")}

    def to_internal_value(self, data: Any) -> bool:
        """Nothing is read as one."""
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


@extend_schema_field({"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,2})?$", "examples": ["57.00"]})
class Yuan(serializers.CharField):
    """An amount in yuan as a JSON string: `"57.00"`."""

    default_error_messages = {"invalid": _('应为金额，像 "57.00" 这样')}

    def to_internal_value(self, data: Any) -> Decimal:  # type: ignore[override]
        """Exactly, or not at all."""
        try:
            return parse_yuan(data)
        except (AttributeError, ValueError):
            self.fail("invalid")


@extend_schema_field({})
class Ignored(serializers.Field[Any, Any, Any, Any]):
    """Whatever a client sends here, nobody reads it."""

    def run_validation(self, data: Any = None) -> None:
        """Not read."""


@lru_cache(maxsize=64)
def _form(kind: type[Form]) -> Form:
    """One instance for the process: checking keeps nothing in it."""
    return kind()


def received(request: HttpRequest, kind: type[Form], *, raw: bytes | None = None) -> dict[str, Any]:
    """The request's body, checked; `raw` is what was read of it already, and can be read only once.

    Raises `NotJson`, `TooLarge`, `Malformed` or `Invalid`.
    """
    try:
        values: dict[str, Any] = _form(kind).run_validation(_json(request, raw))
    except serializers.ValidationError as invalid:
        fields = dict(_flat(invalid.detail))
        alone = fields.pop("", None)
        raise Invalid(alone, fields=fields) from None
    return values


def _json(request: HttpRequest, raw: bytes | None) -> Any:
    if request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise NotJson
    # What lies beyond the limit is not even read: it is the server's to drop.
    raw = raw_body(request, limit=MAX_BODY_BYTES) if raw is None else raw
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_object)
        # Half a surrogate pair, written as an escape, is a string that nothing can store.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Malformed from error
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of a repeated name may see different values, so there is no right one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _flat(detail: Any, place: str = "") -> Iterable[tuple[str, str]]:
    """`{"lines": {0: {"quantity": ["…"]}}}` as `("lines.0.quantity", "…")`."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            if name == "non_field_errors":
                yield from _flat(inner, place)
            else:
                yield from _flat(inner, f"{place}.{name}" if place else str(name))
    elif isinstance(detail, list) and detail and isinstance(detail[0], ErrorDetail):
        yield place, str(detail[0])


def rfc3339(moment: datetime) -> str:
    """A moment as the API writes it: UTC, milliseconds, `Z` (RFC 3339)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
