"""Refusals are problem documents with a stable code (contract, Errors)."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import msgspec
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpResponse, HttpResponseNotFound
from django.test import RequestFactory
from rest_framework import exceptions

from kernel.errors import RETRYABLE_CODES, FieldError, Problem, field_invalid, request_invalid
from kernel.http import ProblemMiddleware, RequestIdMiddleware, problem_response
from kernel.http.problems import problem_of
from kernel.ids import uuid7

MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "retryable", "errors"}


def test_a_problem_document_has_all_members_of_the_contract() -> None:
    """Contract, Errors: type, title, status, detail, code, request_id, retryable, errors."""
    request = RequestFactory().get("/api/v1/orders")
    request.request_id = "r-12345678"  # type: ignore[attr-defined]
    problem = request_invalid(FieldError("stake", "invalid", "is no amount"), detail="Look again.")

    response = problem_response(problem, request)

    document = msgspec.json.decode(response.content)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert set(document) == MEMBERS
    assert document["code"] == "request.invalid"
    assert document["request_id"] == "r-12345678"
    assert document["errors"] == [{"field": "stake", "code": "invalid", "message": "is no amount"}]


@pytest.mark.parametrize(
    "code", ["market.stale", "rate.limited", "order.busy", "order.price_moved", "order.payout_moved"]
)
def test_what_may_be_sent_again_says_so(code: str) -> None:
    """Contract, Errors: retryable is true for five codes and no other."""
    assert Problem(code, status=422, title="").retryable
    assert len(RETRYABLE_CODES) == 5
    assert not field_invalid("stake", "x").retryable


def test_a_refusal_names_when_to_come_back_and_how_to_log_in() -> None:
    """Contract: 429 carries Retry-After; 401 names the scheme."""
    request = RequestFactory().get("/api/v1/orders")
    limited = problem_response(Problem("rate.limited", status=429, title="", retry_after_s=3), request)
    unknown = problem_response(Problem("auth.required", status=401, title=""), request)
    assert limited["Retry-After"] == "3"
    assert unknown["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "auth.forbidden"),
        (exceptions.PermissionDenied(), 403, "auth.forbidden"),
        (exceptions.NotAuthenticated(), 401, "auth.required"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method.not_allowed"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "media_type.unsupported"),
        (exceptions.NotAcceptable(), 406, "media_type.not_acceptable"),
        (exceptions.ParseError("broken"), 400, "request.invalid"),
        (exceptions.ValidationError({"name": ["is too long"]}), 400, "request.invalid"),
    ],
)
def test_refusals_of_the_frameworks_become_problems(error: Exception, status: int, code: str) -> None:
    """Contract, Errors: every refusal has a code, whoever refuses."""
    problem = problem_of(error)
    assert problem is not None
    assert (problem.status, problem.code) == (status, code)


def test_field_errors_keep_their_path() -> None:
    """Contract, Errors: ``errors[]`` names the field, nested ones by their path."""
    problem = problem_of(exceptions.ValidationError({"outer": {"inner": ["bad"]}, "non_field_errors": ["both"]}))
    assert problem is not None
    assert {(error.field, error.message) for error in problem.errors} == {("outer.inner", "bad"), ("", "both")}


def test_an_unknown_failure_is_no_problem_of_the_client() -> None:
    """S-40: what we did not foresee goes on to be a 500 and is logged."""
    assert problem_of(RuntimeError("inside")) is None


@pytest.mark.parametrize("given", ["abc", "x" * 65, "with space", "new\nline", "semi;colon1"])
def test_a_request_id_of_strange_shape_is_replaced(given: str) -> None:
    """S-45: what a client names its request cannot break a log line or a header."""
    request = RequestFactory().get("/api/v1/time", HTTP_X_REQUEST_ID=given)
    response = RequestIdMiddleware(lambda _: HttpResponse())(request)
    assert response["X-Request-ID"] != given
    assert UUID(response["X-Request-ID"]).version == 7


def test_a_well_formed_request_id_is_kept() -> None:
    """Contract: every response carries X-Request-ID."""
    request = RequestFactory().get("/api/v1/time", HTTP_X_REQUEST_ID="client-chosen.1")
    assert RequestIdMiddleware(lambda _: HttpResponse())(request)["X-Request-ID"] == "client-chosen.1"


def test_pages_of_django_become_problems_where_programs_read() -> None:
    """Contract, Errors: 404 and 405 under /api/ are problem documents; elsewhere pages stay pages."""
    middleware = ProblemMiddleware(lambda _: HttpResponseNotFound("<h1>no</h1>"))
    refused = middleware(RequestFactory().get("/api/v1/nothing"))
    page = middleware(RequestFactory().get("/somewhere"))
    assert msgspec.json.decode(refused.content)["code"] == "not_found"
    assert page.content == b"<h1>no</h1>"


def test_a_failure_inside_tells_nothing_about_the_inside() -> None:
    """S-40: generic 500 with a code; no message of the exception reaches the client."""
    middleware = ProblemMiddleware(lambda _: HttpResponse())
    answered = middleware.process_exception(RequestFactory().get("/api/v1/x"), RuntimeError("secret detail"))
    too_big = middleware.process_exception(RequestFactory().post("/api/v1/x"), RequestDataTooBig())
    assert answered is not None
    assert answered.status_code == 500
    assert b"secret" not in answered.content
    assert too_big is not None
    assert too_big.status_code == 413


def test_ids_are_unique_and_sort_by_time() -> None:
    """Architecture: transfers and orders have UUIDv7 ids; lists break ties by them."""
    made = [uuid7() for _ in range(1_000)]
    assert max(Counter(made).values()) == 1
    assert {one.version for one in made} == {7}
    assert made == sorted(made)
