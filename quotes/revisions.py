"""Symbol revisions: what a price means, from where it comes, and from when on (rules, section 1).

A revision is asked for here and waits; until it is in force or withdrawn the symbol takes no new orders. Whoever knows
the orders (``settlement.revisions``) decides when, and puts it in force by :func:`revision_put_in_force`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Max

from accounts.models import User
from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.errors import Problem, field_invalid
from quotes import errors
from quotes.domain import ADMISSION
from quotes.feeds import FEEDS, feed_is_custom
from quotes.models import FeedDeclaration, Symbol, SymbolHead, SymbolRevision
from quotes.services import symbol_terms_changed

log = structlog.get_logger(__name__)

MAY_REVISE = "quotes.change_symbol"
MAY_APPROVE = "quotes.approve_emergency_revision"
SCALE_MOST = 10
_LENGTHS = {"source": 64, "endpoint": 300}


@dataclass(frozen=True, slots=True)
class RevisedTerms:
    """What a revision covers.

    :param source: the symbol's name at the feed
    :param endpoint: what overrides the feed's own, as ``FEED_<NAME>_URL`` does; empty where nothing does
    :param price_scale: decimals of a price
    """

    feed: str
    source: str
    endpoint: str
    price_scale: int
    price_source: str


@dataclass(slots=True)
class LockedRevision:
    """A revision that waits, with its symbol and head locked, and the database's clock read under the locks."""

    head: SymbolHead
    symbol: Symbol
    revision: SymbolRevision
    now_ms: int


def revision_pending(code: str) -> Problem:
    """Return the refusal of a second revision while one waits."""
    return Problem(
        "revision.pending",
        status=409,
        title=f"A revision of {code} waits already.",
        detail="Wait until it is in force, or withdraw it.",
    )


def revision_unchanged(code: str) -> Problem:
    """Return the refusal of a revision that revises nothing."""
    return Problem("revision.unchanged", status=409, title=f"{code} has these terms already.")


def revision_not_waiting(code: str) -> Problem:
    """Return the refusal to approve or withdraw what does not wait, or not any more."""
    return Problem("revision.not_waiting", status=409, title=f"This revision of {code} does not wait.")


def revision_forbidden() -> Problem:
    """Return the refusal of a person who may not do this, or not any more."""
    return Problem(
        "revision.forbidden",
        status=403,
        title="This person may not do this.",
        detail="It takes an active operator with the permission for it.",
    )


def revision_terms(symbol: Symbol) -> RevisedTerms:
    """Return the terms of the revision in force."""
    return _terms(SymbolRevision.objects.get(symbol=symbol, number=symbol.revision))


def revision_waiting(symbol: Symbol) -> SymbolRevision | None:
    """Return the revision that waits, or None."""
    if symbol.pending_revision is None:
        return None
    return SymbolRevision.objects.get(symbol=symbol, number=symbol.pending_revision)


@transaction.atomic
def revision_request(
    *, code: str, terms: RevisedTerms, reason: str, by_id: UUID | None, now_ms: int, emergency: bool = False
) -> SymbolRevision:
    """Ask for a revision: from the commit on, the symbol takes no new orders until it is in force or withdrawn.

    :param by_id: who asks; an emergency needs a person
    :param emergency: do not wait for the open orders but refund them, once a second person has approved
    :raises Problem: ``symbol.unknown``; ``request.invalid`` with the field; ``revision.pending``;
        ``revision.unchanged``; ``revision.forbidden`` when an emergency is asked for by somebody who may not
    """
    _terms_check(terms, reason)
    symbol = _symbol_locked(code)
    if symbol.pending_revision is not None:
        raise revision_pending(code)
    if terms == revision_terms(symbol):
        raise revision_unchanged(code)
    if emergency:
        person_require(by_id, MAY_REVISE)
    newest = SymbolRevision.objects.filter(symbol=symbol).aggregate(newest=Max("number"))["newest"]
    revision = SymbolRevision.objects.create(
        symbol=symbol,
        number=newest + 1,
        emergency=emergency,
        reason=reason,
        requested_by_id=by_id,
        requested_at_ms=now_ms,
        **asdict(terms),
    )
    _waits(symbol, revision.number)
    log.info("revision_requested", symbol=code, number=revision.number, emergency=emergency, by=str(by_id))
    return revision


@transaction.atomic
def revision_cancel(*, code: str, number: int, by_id: UUID | None, now_ms: int) -> SymbolRevision:
    """Withdraw a revision that waits; it stays on record, and its number is not used again.

    :raises Problem: ``symbol.unknown``, ``revision.not_waiting``
    """
    symbol = _symbol_locked(code)
    if symbol.pending_revision != number:
        raise revision_not_waiting(code)
    revision = SymbolRevision.objects.get(symbol=symbol, number=number)
    revision.cancelled_at_ms, revision.cancelled_by_id = now_ms, by_id
    revision.save(update_fields=["cancelled_at_ms", "cancelled_by_id"])
    _waits(symbol, None)
    log.info("revision_cancelled", symbol=code, number=number, by=str(by_id))
    return revision


def person_require(user_id: UUID | None, permission: str) -> User:
    """Return an operator who may do something now, whatever was the case when it was asked for.

    :raises Problem: ``revision.forbidden``
    """
    user = None if user_id is None else User.objects.filter(pk=user_id).first()
    if user is None or not user.is_staff or user.banned_at_ms is not None or not user.has_perm(permission):
        raise revision_forbidden()
    return user


def revision_locked(*, symbol_id: int, number: int) -> LockedRevision | None:
    """Lock a symbol's head, then the symbol, and return the revision if it still waits.

    :raises TransactionManagementError: outside a transaction
    """
    db.require_transaction()
    head = SymbolHead.objects.select_for_update(no_key=True).get(pk=symbol_id)
    symbol = Symbol.objects.select_for_update(no_key=True).get(pk=symbol_id)
    if symbol.pending_revision != number:
        return None
    clock = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert clock is not None
    revision = SymbolRevision.objects.get(symbol=symbol, number=number)
    return LockedRevision(head, symbol, revision, now_ms=int(clock[0]))


def revision_since(locked: LockedRevision) -> int:
    """Return the instant from which on a revision that is put in force now says what ticks mean.

    It lies behind every tick and watermark of the log as it stands. An ordinary revision begins now. An emergency
    begins where the log is not closed yet, which is at most the grace ago: an order that expired before then is decided
    by ticks that are all there, and every later one is refunded.
    """
    head, before = locked.head, locked.symbol.revision
    earlier = SymbolRevision.objects.get(symbol=locked.symbol, number=before)
    logged_ms = max(head.watermark_ms, head.tick_at_ms or 0, earlier.since_ms or 0)
    begins_ms = locked.now_ms - ADMISSION.grace_ms if locked.revision.emergency else locked.now_ms
    return max(logged_ms + 1, begins_ms)


def revision_put_in_force(locked: LockedRevision, *, since_ms: int, approved_by_id: UUID | None = None) -> None:
    """Let a revision say what the symbol's ticks mean from an instant on; the caller holds the locks.

    The log goes on: its numbers, times and watermark never fall. The price of the head is forgotten with its candidate,
    so that the first sane tick of the new revision is admitted whatever its scale.
    """
    symbol, head, revision = locked.symbol, locked.head, locked.revision
    before = revision_terms(symbol)
    revision.since_ms, revision.approved_by_id = since_ms, approved_by_id
    revision.save(update_fields=["since_ms", "approved_by_id"])
    symbol.feed, symbol.source = revision.feed, revision.source
    symbol.price_scale, symbol.price_source = revision.price_scale, revision.price_source
    symbol.custom = feed_is_custom(revision.feed, revision.endpoint)
    symbol.revision, symbol.pending_revision = revision.number, None
    symbol.save(
        update_fields=["feed", "source", "price_scale", "price_source", "custom", "revision", "pending_revision"]
    )
    head.tick_price = head.tick_recv_ms = None
    head.candidate_price = head.candidate_recv_ms = head.candidate_packet = None
    head.save(update_fields=["tick_price", "tick_recv_ms", "candidate_price", "candidate_recv_ms", "candidate_packet"])
    after = _terms(revision)
    if (before.feed, before.source, before.endpoint) != (after.feed, after.source, after.endpoint):
        _upstream_forget(locked, since_ms)
    log.info("revision_in_force", symbol=symbol.code, number=revision.number, since_ms=since_ms)
    symbol_terms_changed(symbol)


def _upstream_forget(locked: LockedRevision, since_ms: int) -> None:
    """Drop what another source said of this market: the new one would never take it back."""
    head = locked.head
    if head.closed_by_feed is not None:
        FeedDeclaration.objects.create(
            symbol_id=head.pk,
            at_ms=since_ms,
            received_at_ms=locked.now_ms,
            closed=False,
            reason="Another source since this revision.",
        )
    head.closed_by_feed, head.clock_sane, head.heartbeat_ms = None, True, None
    head.save(update_fields=["closed_by_feed", "clock_sane", "heartbeat_ms"])


def _terms_check(terms: RevisedTerms, reason: str) -> None:
    if terms.feed not in FEEDS:
        raise field_invalid("feed", f"must be one of {', '.join(sorted(FEEDS))}")
    if not terms.source:
        raise field_invalid("source", "must name the symbol at the feed")
    for name, longest in _LENGTHS.items():
        if len(getattr(terms, name)) > longest:
            raise field_invalid(name, f"must have at most {longest} characters")
    if not 0 <= terms.price_scale <= SCALE_MOST:
        raise field_invalid("price_scale", f"must be 0 to {SCALE_MOST}")
    if terms.price_source not in Symbol.PriceSource.values:
        raise field_invalid("price_source", f"must be one of {', '.join(Symbol.PriceSource.values)}")
    if not reason.strip() or len(reason) > 200:
        raise field_invalid("reason", "must say why in at most 200 characters")


def _terms(revision: SymbolRevision) -> RevisedTerms:
    return RevisedTerms(revision.feed, revision.source, revision.endpoint, revision.price_scale, revision.price_source)


def _symbol_locked(code: str) -> Symbol:
    symbol = Symbol.objects.select_for_update(no_key=True).filter(code=code).first()
    if symbol is None:
        raise errors.symbol_unknown()
    return symbol


def _waits(symbol: Symbol, number: int | None) -> None:
    symbol.pending_revision = number
    symbol.save(update_fields=["pending_revision"])
    symbol_terms_changed(symbol)
