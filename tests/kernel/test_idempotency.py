"""``Idempotency-Key``: one key, one effect, one answer (contract, Idempotency; I-23, I-24)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec
import pytest
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from kernel.errors import Problem, field_invalid
from kernel.http import json_response
from kernel.http.idempotency import answer_once
from kernel.ids import uuid7
from kernel.models import IdempotencyKey
from tests.crowd import at_once

USER = UUID(int=1)
EFFECT = UUID(int=2)
Perform = Callable[[], HttpResponse]


def _request(
    key: str | None = "k1", body: bytes = b"{}", *, path: str = "/api/v1/things", request_id: str = "r1"
) -> HttpRequest:
    headers = {} if key is None else {"Idempotency-Key": key}
    request = RequestFactory().post(path, body, content_type="application/json", headers=headers)
    request.request_id = request_id  # type: ignore[attr-defined]
    return request


def _effect() -> None:
    """Leave a row that tells how often it was done."""
    IdempotencyKey.objects.create(
        user_id=EFFECT, method="EFFECT", path="", key=str(uuid7()), body_sha256=b"", status=0, created_at_ms=0
    )


def _effects() -> int:
    return IdempotencyKey.objects.filter(user_id=EFFECT).count()


def _done() -> HttpResponse:
    _effect()
    return json_response({"made": str(uuid7())}, status=201)


def _refusing(status: int) -> Perform:
    def perform() -> HttpResponse:
        _effect()
        raise Problem("thing.refused", status=status, title="No.")

    return perform


def _answer(request: HttpRequest, perform: Perform = _done, *, user_id: UUID = USER) -> HttpResponse:
    return answer_once(request, user_id=user_id, perform=perform)


@pytest.mark.django_db
def test_a_repeat_is_answered_byte_for_byte() -> None:
    """Contract: the first final answer is stored and answered again, marked as replayed."""
    first = _answer(_request())
    again = _answer(_request(request_id="r2"))
    assert (again.status_code, again.content, again["Content-Type"]) == (201, first.content, first["Content-Type"])
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert _effects() == 1


@pytest.mark.django_db
def test_another_body_is_refused_even_when_it_is_no_valid_one() -> None:
    """Contract: the key is looked up before the body is validated; another body is 422."""
    _answer(_request(body=b'{"a":1}'))
    with pytest.raises(Problem) as refused:
        _answer(_request(body=b"not json at all"), _refusing(400))
    assert (refused.value.status, refused.value.code) == (422, "idempotency.body_mismatch")
    assert _effects() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", [None, "", "x" * 256, "tab\there", "naïve", "\x7f"])
def test_a_missing_or_strange_key_is_refused(key: str | None) -> None:
    """Contract: 1 to 255 printable ASCII, else 400."""
    with pytest.raises(Problem) as refused:
        _answer(_request(key))
    assert (refused.value.status, refused.value.code) == (400, "idempotency.key_required")
    assert _effects() == 0


@pytest.mark.django_db
def test_a_key_of_full_length_is_taken() -> None:
    """Contract: 255 characters are allowed, spaces among them."""
    key = "~ " * 127 + "!"
    assert _answer(_request(key)).content == _answer(_request(key)).content


@pytest.mark.django_db
@pytest.mark.parametrize("status", [404, 409, 422])
def test_a_final_refusal_is_stored_and_undoes_its_effects(status: int) -> None:
    """I-24, contract: 404, 409 and 422 are final: answered again as that refusal, with the stored request_id."""
    first = _answer(_request(request_id="r1"), _refusing(status))
    again = _answer(_request(request_id="r2"), _done)
    assert (first.status_code, again.status_code) == (status, status)
    assert again.content == first.content
    assert msgspec.json.decode(again.content)["request_id"] == "r1"
    assert again["Content-Type"] == "application/problem+json"
    assert _effects() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
def test_a_refusal_that_is_not_final_leaves_the_key_free(status: int) -> None:
    """I-24, contract: 400, 401, 403, 429 and 5xx are never stored; the same key may succeed later."""
    with pytest.raises(Problem):
        _answer(_request(), _refusing(status))
    assert _effects() == 0
    assert _answer(_request(body=b'{"corrected":true}')).status_code == 201
    assert _effects() == 1


@pytest.mark.django_db
def test_a_failure_inside_leaves_the_key_free() -> None:
    """I-24: an error of ours is never "in progress" for ever."""

    def broken() -> HttpResponse:
        _effect()
        raise IntegrityError("inside")

    with pytest.raises(IntegrityError):
        _answer(_request(), broken)
    assert (_effects(), _answer(_request()).status_code) == (0, 201)


@pytest.mark.django_db
def test_the_scope_of_a_key_is_user_method_and_path() -> None:
    """Contract, scope: the same key of another user or on another path is another request."""
    _answer(_request())
    _answer(_request(), user_id=UUID(int=9))
    _answer(_request(path="/api/v1/others"))
    assert _effects() == 3


@pytest.mark.django_db
def test_a_shape_error_of_perform_is_told_as_it_is() -> None:
    """Contract, Errors: the body's shape errors pass through with their fields."""

    def perform() -> HttpResponse:
        raise field_invalid("amount", "is missing")

    with pytest.raises(Problem) as refused:
        _answer(_request(), perform)
    assert refused.value.errors[0].field == "amount"


@pytest.mark.django_db(transaction=True)
def test_32_at_once_have_one_effect_and_one_answer() -> None:
    """I-23: 32 concurrent posts of one key act once; every one gets the same bytes."""
    answers = at_once(32, lambda number: _answer(_request(request_id=f"r{number}")))
    assert len({answer.content for answer in answers}) == 1
    assert sorted("Idempotent-Replayed" in answer for answer in answers) == [False] + [True] * 31
    assert _effects() == 1


@pytest.mark.django_db(transaction=True)
def test_32_at_once_of_which_the_first_ones_fail_still_have_one_effect() -> None:
    """I-23, F-01: whoever takes over after a failure acts once."""
    failures = iter(range(5))

    def perform() -> HttpResponse:
        if next(failures, None) is not None:
            _effect()
            raise Problem("store.away", status=503, title="Later.")
        return _done()

    def ask(number: int) -> HttpResponse | Problem:
        try:
            return _answer(_request(request_id=f"r{number}"), perform)
        except Problem as problem:
            return problem

    answers = at_once(32, ask)
    assert sum(isinstance(answer, Problem) for answer in answers) == 5
    assert len({answer.content for answer in answers if isinstance(answer, HttpResponse)}) == 1
    assert _effects() == 1
