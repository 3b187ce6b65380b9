"""Adjustments by two persons: one asks, another one decides, and the client reads the note (rules 6, I-32)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from accounts.models import User
from kernel.failpoints import reach
from ledger import errors
from ledger.domain import (
    REAL,
    REQUEST_LIFETIME_MS,
    AccountKind,
    AdjustmentOrigin,
    ReasonCode,
    RequestState,
    payload_hash,
)
from ledger.models import Account, Adjustment, AdjustmentRequest
from ledger.selectors import WalletState
from ledger.services import adjustment_post

MAY_REQUEST = "ledger.request_adjustment"
MAY_APPROVE = "ledger.approve_adjustment"
NOTE_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: ``amount`` in minor units of the wallet's currency, negative to take money out."""

    wallet_id: UUID
    amount: int
    reason_code: ReasonCode
    note: str


@transaction.atomic
def adjustment_request(*, wish: Wish, requester_id: UUID, now_ms: int) -> AdjustmentRequest:
    """Ask for an adjustment of a client's real wallet; nothing moves until another person approves.

    :raises Problem: ``adjustment.not_allowed``, ``adjustment.wallet``, ``adjustment.unfit``
    """
    _require_rights([(requester_id, MAY_REQUEST)])
    note = wish.note.strip()
    if not wish.amount or not note or len(note) > NOTE_CHARS_MAX or not note.isprintable():
        raise errors.adjustment_unfit()
    if not Account.objects.filter(pk=wish.wallet_id, book=REAL, kind=AccountKind.WALLET).exists():
        raise errors.adjustment_wallet()
    return AdjustmentRequest.objects.create(
        account_id=wish.wallet_id,
        amount=wish.amount,
        reason_code=wish.reason_code,
        note=note,
        payload_hash=payload_hash(
            account_id=wish.wallet_id, amount=wish.amount, reason_code=wish.reason_code, note=note
        ),
        requested_by_id=requester_id,
        requested_at_ms=now_ms,
        expires_at_ms=now_ms + REQUEST_LIFETIME_MS,
    )


@transaction.atomic
def adjustment_approve(
    *, request_id: UUID, approver_id: UUID, seen_hash: bytes, now_ms: int, decision_note: str = ""
) -> WalletState:
    """Approve what another person asked for, and move the money in the same transaction.

    :param seen_hash: the payload hash of what the approver has looked at
    :raises Problem: ``adjustment.unknown``, ``adjustment.decided``, ``adjustment.expired``,
        ``adjustment.same_person``, ``adjustment.not_allowed``, ``adjustment.changed``,
        ``wallet.insufficient_funds``; the request then stays as it was
    """
    asked = _pending_locked(request_id, now_ms)
    if approver_id == asked.requested_by_id:
        raise errors.adjustment_same_person()
    # Both must be in office at this moment: their rows stay locked until the money has moved.
    _require_rights([(asked.requested_by_id, MAY_REQUEST), (approver_id, MAY_APPROVE)])
    now_hash = payload_hash(
        account_id=asked.account_id, amount=asked.amount, reason_code=asked.reason_code, note=asked.note
    )
    if not seen_hash == bytes(asked.payload_hash) == now_hash:
        raise errors.adjustment_changed()
    _decide(asked, RequestState.APPROVED, approver_id, decision_note, now_ms)
    reach("adjustment.decided")
    moved = adjustment_post(
        Adjustment(
            id=asked.id,
            account_id=asked.account_id,
            amount=asked.amount,
            reason=asked.note,
            at_ms=now_ms,
            origin=AdjustmentOrigin.APPROVED,
            request=asked,
        )
    )
    reach("adjustment.posted")
    return moved


@transaction.atomic
def adjustment_reject(*, request_id: UUID, decider_id: UUID, decision_note: str, now_ms: int) -> None:
    """Turn down what another person asked for.

    :raises Problem: as :func:`adjustment_approve`, and ``adjustment.unfit`` without a note
    """
    asked = _pending_locked(request_id, now_ms)
    if decider_id == asked.requested_by_id:
        raise errors.adjustment_same_person()
    _require_rights([(decider_id, MAY_APPROVE)])
    if not decision_note.strip():
        raise errors.adjustment_unfit()
    _decide(asked, RequestState.REJECTED, decider_id, decision_note, now_ms)


@transaction.atomic
def adjustment_withdraw(*, request_id: UUID, requester_id: UUID, now_ms: int) -> None:
    """Take back what one has asked for.

    :raises Problem: ``adjustment.unknown``, ``adjustment.decided``, ``adjustment.expired``,
        ``adjustment.same_person``, ``adjustment.not_allowed``
    """
    asked = _pending_locked(request_id, now_ms)
    if requester_id != asked.requested_by_id:
        raise errors.adjustment_same_person()
    _require_rights([(requester_id, MAY_REQUEST)])
    _decide(asked, RequestState.WITHDRAWN, requester_id, "", now_ms)


def adjustments_expire(*, now_ms: int) -> int:
    """Mark the requests that waited too long and return how many those are; none of them can be approved anyway."""
    return AdjustmentRequest.objects.filter(state=RequestState.PENDING, expires_at_ms__lte=now_ms).update(
        state=RequestState.EXPIRED, decided_at_ms=now_ms
    )


def _pending_locked(request_id: UUID, now_ms: int) -> AdjustmentRequest:
    asked = AdjustmentRequest.objects.select_for_update(no_key=True).filter(pk=request_id).first()
    if asked is None:
        raise errors.adjustment_unknown()
    if asked.state != RequestState.PENDING:
        raise errors.adjustment_decided(asked.state)
    if asked.expires_at_ms <= now_ms:
        raise errors.adjustment_expired()
    return asked


def _decide(asked: AdjustmentRequest, state: RequestState, by: UUID, note: str, now_ms: int) -> None:
    asked.state, asked.decided_by_id, asked.decided_at_ms = state, by, now_ms
    asked.decision_note = note.strip()[:NOTE_CHARS_MAX]
    asked.save(update_fields=["state", "decided_by", "decided_at_ms", "decision_note"])


def _require_rights(needed: Iterable[tuple[UUID, str]]) -> None:
    """Lock people by id and check that each is an operator in office with the right needed.

    :raises Problem: ``adjustment.not_allowed``
    """
    rights = dict(needed)
    people = User.objects.select_for_update(no_key=True).filter(pk__in=rights).order_by("pk")
    found = {person.pk: person for person in people}
    for user_id, right in rights.items():
        person = found.get(user_id)
        # `has_perm` asks the database anew: this object is fresh. It is false for everybody who is not active.
        if person is None or not person.is_staff or person.is_banned or not person.has_perm(right):
            raise errors.adjustment_not_allowed("Nobody" if person is None else person.email)
