"""Refusals that a person or a program can act on: RFC 9457 problem details with a stable `code`.

A service raises a `Problem`; the API turns it into `application/problem+json`, a page shows its message. The message
is for people and may be translated, the code never changes.
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, UnreadablePostError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response

from kameng.core.ids import random_id

logger = logging.getLogger(__name__)

StrOrPromise = str | Promise


class Problem(Exception):
    """A refusal. Subclasses set `code`, `status` and perhaps `headers`.

    `fields` maps a field's name to what is wrong with it; `extra` are further members of the reply.
    """

    code = "refused"
    status = 422
    message: StrOrPromise = _("这个操作无法完成")
    headers: Mapping[str, str] = {}

    def __init__(
        self,
        message: StrOrPromise | None = None,
        *,
        fields: Mapping[str, StrOrPromise] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = message or self.message
        self.fields = dict(fields or {})
        self.extra = dict(extra or {})
        super().__init__(str(self.code))

    def __str__(self) -> str:
        return str(self.message)


def problem_response(problem: Problem) -> Response:
    """The reply for a refusal."""
    body: dict[str, Any] = {"status": problem.status, "code": problem.code, "title": str(problem.message)}
    if problem.fields:
        body["fields"] = {name: str(text) for name, text in problem.fields.items()}
    body.update(problem.extra)
    response = Response(body, status=problem.status, content_type="application/problem+json")
    if "retry_after" in problem.extra:
        response["Retry-After"] = str(problem.extra["retry_after"])
    for name, value in problem.headers.items():
        response[name] = value
    return response


class Malformed(Problem):
    """Not a request that can be read: bad JSON, a broken header, an unreadable cursor."""

    code = "malformed"
    status = 400
    message = _("请求的格式不对")


class TooLarge(Problem):
    """A body that nobody needs to send."""

    code = "too_large"
    status = 413
    message = _("请求太大了")


class Invalid(Problem):
    """A request of the right form with wrong values; `fields` say where."""

    code = "invalid"
    status = 422
    message = _("有几处需要修改")


class NotJson(Problem):
    """A body of another content type than `application/json`."""

    code = "not_json"
    status = 415
    message = _("请求的 Content-Type 必须是 application/json")


class NotFound(Problem):
    """There is no such thing here."""

    code = "not_found"
    status = 404
    message = _("没有这个内容")


class Internal(Problem):
    """Our fault. `reference` finds it in the log."""

    code = "internal"
    status = 500
    message = _("我们这边出错了，请稍后再试")


#: What the framework refuses, as codes and messages of ours.
_REFUSALS: Mapping[int, tuple[str, StrOrPromise]] = {
    400: (Malformed.code, Malformed.message),
    403: ("forbidden", _("没有权限")),
    404: (NotFound.code, NotFound.message),
    405: ("method_not_allowed", _("这个地址不支持这种请求方法")),
    413: (TooLarge.code, TooLarge.message),
    415: (NotJson.code, NotJson.message),
    429: ("too_many", _("操作太快了，请稍后再试")),
}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Every error of the API in one form. What nobody foresaw is logged under a reference that the answer names."""
    if isinstance(error, Problem):
        return problem_response(error)
    if isinstance(error, Http404):
        return problem_response(_refusal(404))
    if isinstance(error, PermissionDenied):
        return problem_response(_refusal(403))
    if isinstance(error, RequestDataTooBig):
        return problem_response(_refusal(413))
    if isinstance(error, (SuspiciousOperation, UnreadablePostError)):
        return problem_response(_refusal(400))
    if isinstance(error, exceptions.APIException) and error.status_code < 500:
        return problem_response(_refusal(error.status_code))
    return _internal(error, context)


def _refusal(status: int) -> Problem:
    code, message = _REFUSALS.get(status, (Problem.code, Problem.message))
    problem = Problem(message)
    problem.status, problem.code = status, code
    return problem


def _internal(error: Exception, context: Mapping[str, Any]) -> Response:
    reference = random_id(10)
    logger.error("api: %s failed, reference %s", type(context.get("view")).__name__, reference, exc_info=error)
    request = context.get("request")
    got_request_exception.send(sender=type(context.get("view")), request=getattr(request, "_request", request))
    return problem_response(Internal(extra={"reference": reference}))
