"""Middleware that gives each request an id and each failure under /api/ a problem document."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse

from kernel.errors import Problem, not_found
from kernel.http.problems import problem_of, problem_response
from kernel.ids import uuid7

log = structlog.get_logger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z", re.ASCII)
_PROBLEM_PATHS = ("/api/", "/ea/", "/healthz", "/readyz", "/metrics")


class RequestIdMiddleware:
    """Number each request, in the log, in the answer's header and in problem documents, and note when it came."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Take the caller's X-Request-ID when it is well formed, else make one."""
        # The first thing that is done with a request, so that whatever delays it afterwards is measured.
        request.arrived_ns = time.monotonic_ns()  # type: ignore[attr-defined]
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.match(given) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class ProblemMiddleware:
    """Turn refusals of plain views, and unknown addresses, into problem documents under our paths."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Replace Django's own pages for 404 and 405 where programs are the readers."""
        response = self.get_response(request)
        if not request.path.startswith(_PROBLEM_PATHS) or "json" in response.get("Content-Type", ""):
            return response
        if response.status_code == 404:
            return problem_response(not_found(), request)
        if response.status_code == 405:
            refused = problem_response(
                Problem("method.not_allowed", status=405, title="This address does not take that method."),
                request,
            )
            refused["Allow"] = response.get("Allow", "")
            return refused
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer known refusals; log and answer the rest as a 500 without a word about the inside."""
        if isinstance(error, RequestDataTooBig):
            return problem_response(
                Problem("request.too_large", status=413, title="The request is too large."), request
            )
        problem = problem_of(error)
        if problem is not None:
            return problem_response(problem, request)
        if isinstance(error, SuspiciousOperation) or not request.path.startswith(_PROBLEM_PATHS):
            return None
        # Some addresses carry a secret; which view it was is what helps.
        route = request.resolver_match.route if request.resolver_match else request.path
        log.exception("request_failed", path=route, exc_info=error)
        return problem_response(
            Problem("internal", status=500, title="Something went wrong on our side; it was recorded."),
            request,
        )
