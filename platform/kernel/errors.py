"""Problems: refusals with a stable code, told to the client as RFC 9457 documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RETRYABLE_CODES = frozenset({"market.stale", "rate.limited", "order.busy", "order.price_moved", "order.payout_moved"})


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of a request that does not have the asked shape."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """A refusal: nothing has changed, and the code says why.

    :param code: stable, dotted, listed in the API guide
    :param status: HTTP status
    :param title: one sentence for people
    :param detail: what would work instead, when that is known
    :param retry_after_s: whole seconds, told in ``Retry-After``
    """

    def __init__(
        self,
        code: str,
        *,
        status: int,
        title: str,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later without a change."""
        return self.code in RETRYABLE_CODES

    def document(self, *, request_id: str | None) -> dict[str, object]:
        """Return the problem document (RFC 9457 with our members)."""
        return {
            "type": f"urn:fairstrike:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            "retryable": self.retryable,
            "errors": [{"field": error.field, "code": error.code, "message": error.message} for error in self.errors],
        }


def request_invalid(*errors: FieldError, detail: str = "") -> Problem:
    """Return the refusal of a request whose shape is wrong."""
    return Problem(
        "request.invalid",
        status=400,
        title="The request does not have the expected shape.",
        detail=detail,
        errors=errors,
    )


def field_invalid(field: str, message: str, *, code: str = "invalid") -> Problem:
    """Return the refusal of a request with one wrong field."""
    return request_invalid(FieldError(field, code, message))


def not_found() -> Problem:
    """Return the answer for what does not exist or is not the caller's."""
    return Problem("not_found", status=404, title="There is nothing here for you.")
