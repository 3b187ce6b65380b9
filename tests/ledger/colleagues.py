"""Operators who ask for adjustments and decide about them."""

from __future__ import annotations

from django.contrib.auth.models import Permission

from accounts.models import User
from ledger import adjustments, selectors
from ledger.domain import ReasonCode
from ledger.models import AdjustmentRequest
from ledger.selectors import WalletState
from tests.accounts.people import person
from tests.market import Trader, db_now_ms


def clerk(*rights: str) -> User:
    """Return an operator with these rights and no others."""
    user = person()
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    user.user_permissions.set(Permission.objects.filter(codename__in=rights, content_type__app_label="ledger"))
    return user


def requester() -> User:
    """Return somebody who may ask."""
    return clerk("request_adjustment")


def approver() -> User:
    """Return somebody who may decide."""
    return clerk("approve_adjustment")


def asked(
    trader: Trader,
    by: User | None = None,
    *,
    amount: int = 2_500,
    note: str = "Exchange outage on 3 March",
    reason_code: ReasonCode = ReasonCode.GOODWILL,
    now_ms: int | None = None,
) -> AdjustmentRequest:
    """Ask for an adjustment of the trader's real wallet."""
    wish = adjustments.Wish(trader.wallets["real"], amount, reason_code, note)
    by = requester() if by is None else by
    now_ms = db_now_ms() if now_ms is None else now_ms
    return adjustments.adjustment_request(wish=wish, requester_id=by.pk, now_ms=now_ms)


def approved(
    request: AdjustmentRequest, by: User, *, seen_hash: bytes | None = None, now_ms: int | None = None
) -> WalletState:
    """Approve a request as the page does."""
    seen = selectors.request_hash(request.pk) if seen_hash is None else seen_hash
    assert seen is not None
    return adjustments.adjustment_approve(
        request_id=request.pk,
        approver_id=by.pk,
        seen_hash=seen,
        now_ms=db_now_ms() if now_ms is None else now_ms,
    )
