"""What a merchant asks of Alipay, read; and how Alipay refuses."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


class GatewayProblem(Exception):
    """Refused by the gateway before the service was called: answered unsigned."""

    def __init__(self, code: str, sub_code: str, sub_msg: str) -> None:
        super().__init__(sub_msg)
        self.code, self.sub_code, self.sub_msg = code, sub_code, sub_msg


class BusinessProblem(Exception):
    """Refused by the service: 40004 in a signed node."""

    def __init__(self, sub_code: str, sub_msg: str) -> None:
        super().__init__(sub_msg)
        self.sub_code, self.sub_msg = sub_code, sub_msg


def biz_content(params: Mapping[str, str]) -> Mapping[str, Any]:
    """What a call is about. Raises `GatewayProblem`."""
    try:
        content = json.loads(params.get("biz_content", ""), parse_float=Decimal)
    except ValueError as error:
        raise GatewayProblem("40002", "isv.invalid-parameter", "biz_content不是合法的JSON") from error
    if not isinstance(content, dict):
        raise GatewayProblem("40002", "isv.invalid-parameter", "biz_content不是JSON对象")
    return content


def text(content: Mapping[str, Any], name: str) -> str:
    """A field of it, empty where there is none. Raises `BusinessProblem`."""
    value = content.get(name, "")
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise BusinessProblem("ACQ.INVALID_PARAMETER", f"{name}无效")
    return str(value)
