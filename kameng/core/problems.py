"""Refusals that a person or a program can act on: RFC 9457 problem details with a stable `code`.

A service raises a `Problem`; the API turns it into `application/problem+json`, a page shows its message. The message is for
people and may be translated, the code never changes.
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response

logger = logging.getLogger(__name__)

StrOrPromise = str | Promise


class Problem(Exception):
    """A refusal. Subclasses set `code` and `status`; `fields` maps a field's name to what is wrong with it."""

    code = "refused"
    status = 422
    message: StrOrPromise = _("这个操作无法完成")

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
    return response


_HTTP_CODES = {400: "malformed", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 415: "not_json", 429: "too_many"}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Every error of the API in one form; an unexpected one stays an exception, so that it is logged and answered 500."""
    if isinstance(error, Problem):
        return problem_response(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.APIException):
        problem = Problem(str(error.detail) if isinstance(error.detail, str) else str(error.default_detail))
        problem.status = error.status_code
        problem.code = _HTTP_CODES.get(error.status_code, "refused")
        return problem_response(problem)
    return None
