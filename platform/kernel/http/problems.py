"""Answers: JSON documents and problem documents."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from psycopg.errors import DeadlockDetected, LockNotAvailable
from rest_framework import exceptions, status
from rest_framework.response import Response

from kernel.errors import FieldError, Problem, not_found, request_invalid

log = structlog.get_logger(__name__)
_encoder = msgspec.json.Encoder()


def json_response(data: object, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """Answer with a JSON document."""
    return HttpResponse(_encoder.encode(data), status=status, content_type="application/json", headers=headers or {})


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """Answer with the problem document of a refusal."""
    response = HttpResponse(
        _encoder.encode(problem.document(request_id=getattr(request, "request_id", None))),
        status=problem.status,
        content_type="application/problem+json",
    )
    if problem.retry_after_s is not None:
        response["Retry-After"] = str(problem.retry_after_s)
    if problem.status == status.HTTP_401_UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def problem_of(error: Exception) -> Problem | None:
    """Return the problem that tells an exception of Django or REST framework, or None for an unknown one."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Http404):
        return not_found()
    if isinstance(error, OperationalError) and isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
        return Problem(
            "busy", status=503, title="Somebody else is writing this; send the same request again.", retry_after_s=1
        )
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return Problem("auth.forbidden", status=403, title="You may not do this.")
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return Problem("auth.required", status=401, title="Log in or send an API token.")
    if isinstance(error, exceptions.MethodNotAllowed):
        return Problem("method.not_allowed", status=405, title="This address does not take that method.")
    if isinstance(error, exceptions.UnsupportedMediaType):
        return Problem("media_type.unsupported", status=415, title="Send the body as application/json.")
    if isinstance(error, exceptions.NotAcceptable):
        return Problem("media_type.not_acceptable", status=406, title="Only application/json is answered here.")
    if isinstance(error, exceptions.ValidationError):
        return request_invalid(*_field_errors(error.detail))
    if isinstance(error, exceptions.ParseError):
        return request_invalid(detail=str(error.detail))
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | Response | None:
    """REST framework's hook: every refusal becomes a problem document; the unknown goes on to be a 500."""
    problem = problem_of(error)
    if problem is None:
        return None
    request: HttpRequest = context["request"]._request
    response = problem_response(problem, request)
    response.exception = True  # type: ignore[attr-defined]
    return response


def _field_errors(detail: Any, path: str = "") -> list[FieldError]:
    if isinstance(detail, dict):
        return [
            error
            for name, inner in detail.items()
            for error in _field_errors(inner, path if name == "non_field_errors" else f"{path}.{name}".strip("."))
        ]
    if isinstance(detail, list):
        return [error for inner in detail for error in _field_errors(inner, path)]
    return [FieldError(path, str(getattr(detail, "code", "invalid")), str(detail))]
