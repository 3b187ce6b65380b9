"""HTTP conventions: request ids, problem documents, strict JSON, cursor pages, rate limits."""

from kernel.http.hot import HotRouteMiddleware
from kernel.http.middleware import ProblemMiddleware, RequestIdMiddleware
from kernel.http.problems import exception_handler, json_response, problem_response
from kernel.http.rates import rate_check
from kernel.http.rest import MsgspecRenderer, StrictJSONParser

__all__ = [
    "HotRouteMiddleware",
    "MsgspecRenderer",
    "ProblemMiddleware",
    "RequestIdMiddleware",
    "StrictJSONParser",
    "exception_handler",
    "json_response",
    "problem_response",
    "rate_check",
]
