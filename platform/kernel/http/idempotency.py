"""``Idempotency-Key``: the effect of a money request and its stored answer are one transaction."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from kernel.clock import wall_ms
from kernel.errors import Problem
from kernel.failpoints import reach
from kernel.http.problems import problem_response
from kernel.models import IdempotencyKey

_KEY = re.compile(r"[\x20-\x7e]{1,255}\Z")
_FINAL_REFUSALS = frozenset({404, 409, 422})


def answer_once(request: HttpRequest, *, user_id: UUID, perform: Callable[[], HttpResponse]) -> HttpResponse:
    """Perform a request once for its key; a repeat is answered with the stored bytes.

    The key is claimed by an insert that a concurrent repeat waits on, so two never perform side by side.
    400, 401, 403, 429 and 5xx are not final: nothing is stored, and the key stays free.

    :param perform: validates and acts; joins this transaction
    :raises Problem: ``idempotency.key_required``, ``idempotency.body_mismatch``, or what ``perform`` raises
    """
    key = request.headers.get("Idempotency-Key", "")
    if not _KEY.match(key):
        raise Problem(
            "idempotency.key_required",
            status=400,
            title="Send an Idempotency-Key header of 1 to 255 printable characters.",
        )
    digest = hashlib.sha256(request.body).digest()
    scope = {"user_id": user_id, "method": request.method or "", "path": request.path, "key": key}
    with transaction.atomic():
        claimed = IdempotencyKey.objects.bulk_create(
            [IdempotencyKey(**scope, body_sha256=digest, created_at_ms=wall_ms())], ignore_conflicts=True
        )
        stored = IdempotencyKey.objects.select_for_update(no_key=True).get(**scope)
        if stored.status is not None:
            return _replayed(stored, digest)
        assert claimed
        reach("idempotency.claimed")
        response = _performed(request, perform)
        reach("idempotency.performed")
        stored.status, stored.body = response.status_code, bytes(response.content)
        stored.content_type = response["Content-Type"]
        stored.save(update_fields=["status", "body", "content_type"])
        reach("idempotency.stored")
    reach("idempotency.committed")
    return response


def _performed(request: HttpRequest, perform: Callable[[], HttpResponse]) -> HttpResponse:
    """Run in a savepoint: a final refusal keeps its answer and undoes everything else."""
    try:
        with transaction.atomic():
            return perform()
    except Problem as problem:
        if problem.status not in _FINAL_REFUSALS:
            raise
        return problem_response(problem, request)


def _replayed(stored: IdempotencyKey, digest: bytes) -> HttpResponse:
    if bytes(stored.body_sha256) != digest:
        raise Problem(
            "idempotency.body_mismatch",
            status=422,
            title="This Idempotency-Key was used with another body.",
        )
    response = HttpResponse(bytes(stored.body or b""), status=stored.status, content_type=stored.content_type)
    response["Idempotent-Replayed"] = "true"
    return response
