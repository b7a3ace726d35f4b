"""Words for describing the API in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html)."""

from inspect import cleandoc
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema_field
from rest_framework import serializers

from kameng.core.endpoint import Form
from kameng.core.problems import Invalid, Malformed, NotJson, Problem, TooLarge

#: What a body can be refused for before anybody looks at what it asks.
BODY_REFUSALS: tuple[type[Problem], ...] = (Malformed, TooLarge, NotJson, Invalid)

#: `auth=` of an operation: whoever has the order's token. The scheme is described in `SPECTACULAR_SETTINGS`.
BY_ORDER_TOKEN: Any = [{"orderToken": []}]
#: The same for whoever signs with a client's key.
BY_CLIENT_SIGNATURE: Any = [{"clientSignature": []}]


class ExactForm(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """What a `Form` refuses, said in the description: fields that it does not name, lists that are too long."""

    target_class = Form
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        """The usual description, with its limits."""
        described: dict[str, Any] = auto_schema._map_serializer(  # type: ignore[no-untyped-call]
            self.target, direction, bypass_extensions=True
        )
        described["additionalProperties"] = False
        for name, field in self.target.fields.items():
            if isinstance(field, serializers.ListSerializer) and (longest := getattr(field, "max_length", None)):
                described["properties"][name] |= {"minItems": 1, "maxItems": longest}
        return described


@extend_schema_field({"type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$", "examples": ["57.00"]})
class Amount(serializers.CharField):
    """An amount in yuan."""


class ProblemReply(serializers.Serializer[Any]):
    """RFC 9457 problem details. Further members, such as the new `total` of a changed price, depend on the code."""

    status = serializers.IntegerField(help_text="The HTTP status code.")
    code = serializers.CharField(help_text="What went wrong, for programs; it never changes.")
    title = serializers.CharField(help_text="What went wrong, for people, in the language they accept.")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.CharField(), required=False, help_text="What is wrong with which field, by dotted path."
    )
    retry_after = serializers.IntegerField(required=False, help_text="Seconds to wait; also in the header Retry-After.")
    reference = serializers.CharField(required=False, help_text="Finds a failure of ours in the log.")


def refusals(*kinds: type[Problem]) -> dict[tuple[int, str], OpenApiResponse]:
    """The replies with which an operation may refuse, described by the refusals themselves."""
    by_status: dict[int, list[type[Problem]]] = {}
    for kind in dict.fromkeys(kinds):
        by_status.setdefault(kind.status, []).append(kind)
    return {
        (status, "application/problem+json"): OpenApiResponse(
            ProblemReply, description="\n".join(f"- `{kind.code}`: {cleandoc(kind.__doc__ or '')}" for kind in same)
        )
        for status, same in sorted(by_status.items())
    }
