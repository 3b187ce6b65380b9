"""A market as the records tell that it was: for orders that nobody placed. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kernel import db
from kernel.money import AmountPrecisionError, parse_amount
from ledger.domain import REAL
from ledger.selectors import WalletRow
from quotes.domain import MarketState, MarketStateName
from quotes.selectors import log_begins_ms
from settlement.domain import TRIMMED_WINDOW_MS, EntryTerms, Evidence, Tick, entry, outcome
from settlement.domain import Terms as SettledTerms
from settlement.statements import EVIDENCE_COLUMNS, evidence_joins
from trading.domain import TRIMMED_MEAN, Account, Market, OrderState, Terms, Ticket, Wallet, admit

# A symbol's terms are those of today; what it paid, its revision, halts, hours and the feed's word are of that instant.
_MARKET = """
SELECT symbol.id, symbol.offered_real, symbol.offered_demo, coalesce(revision.price_scale, symbol.price_scale),
       coalesce((SELECT change.percent FROM quotes_payout_change AS change
                 WHERE change.symbol_id = symbol.id AND change.at_ms <= %(at_ms)s
                 ORDER BY change.at_ms DESC, change.id DESC LIMIT 1),
                (SELECT (change.inputs ->> 'previous')::int FROM quotes_payout_change AS change
                 WHERE change.symbol_id = symbol.id ORDER BY change.at_ms, change.id LIMIT 1),
                symbol.payout_percent),
       symbol.min_stake_minor, symbol.max_stake_minor, symbol.min_duration_s, symbol.max_duration_s,
       symbol.purchase_deadline_s, symbol.max_tick_age_ms, symbol.entry_rule, symbol.settlement_rule,
       coalesce(revision.number, symbol.revision), symbol.custom, symbol.calendar_id IS NOT NULL, held.closes_ms,
       coalesce((SELECT halt.state FROM quotes_halt_change AS halt
                 WHERE halt.symbol_id = symbol.id AND halt.at_ms <= %(at_ms)s
                 ORDER BY halt.at_ms DESC, halt.id DESC LIMIT 1), 'open'),
       coalesce((SELECT declared.closed FROM quotes_feed_declaration AS declared
                 WHERE declared.symbol_id = symbol.id AND declared.at_ms <= %(at_ms)s
                 ORDER BY declared.at_ms DESC, declared.id DESC LIMIT 1), false),
       newest.seq, newest.at_ms, newest.price
FROM quotes_symbol AS symbol
LEFT JOIN LATERAL (
    SELECT number, price_scale FROM quotes_symbol_revision AS revision
    WHERE revision.symbol_id = symbol.id AND revision.since_ms <= %(at_ms)s ORDER BY number DESC LIMIT 1
) AS revision ON true
LEFT JOIN LATERAL (
    SELECT held.closes_ms FROM quotes_trading_window AS held
    WHERE held.calendar_id = symbol.calendar_id AND held.opens_ms <= %(at_ms)s AND held.closes_ms > %(at_ms)s
      AND held.made_at_ms <= %(at_ms)s AND (held.superseded_at_ms IS NULL OR held.superseded_at_ms > %(at_ms)s)
    ORDER BY held.closes_ms LIMIT 1
) AS held ON true
LEFT JOIN LATERAL (
    SELECT tick.seq, tick.at_ms, tick.price FROM quotes_tick AS tick
    WHERE tick.symbol_id = symbol.id AND tick.at_ms <= %(at_ms)s AND tick.received_at_ms <= %(at_ms)s
    ORDER BY tick.at_ms DESC, tick.seq DESC LIMIT 1
) AS newest ON true
WHERE symbol.code = %(code)s"""

_NEXT = """
SELECT tick.seq, tick.at_ms, tick.price, tick.revision FROM quotes_tick AS tick
WHERE tick.symbol_id = %(symbol_id)s AND tick.seq = %(seq)s AND tick.at_ms >= %(from_ms)s AND tick.at_ms <= %(to_ms)s"""

_EVIDENCE = f"""
SELECT {EVIDENCE_COLUMNS}
FROM (SELECT %(symbol_id)s::int AS symbol_id, %(expires_at_ms)s::bigint AS expires_at_ms, %(revision)s::int AS revision)
    AS o {evidence_joins()}"""

_WINDOW = f"""
SELECT coalesce(array_agg(tick.price), ARRAY[]::bigint[]), coalesce(array_agg(DISTINCT tick.revision), ARRAY[]::int[])
FROM quotes_tick AS tick WHERE tick.symbol_id = %(symbol_id)s
  AND tick.at_ms > %(expires_at_ms)s - {TRIMMED_WINDOW_MS} AND tick.at_ms <= %(expires_at_ms)s"""

_WATERMARK = "SELECT watermark_ms FROM quotes_symbol_head WHERE symbol_id = %(symbol_id)s"

# Neither bans nor own limits of then are on record.
_UNKNOWN_CLIENT = Account(banned=False, excluded_until_ms=None, break_until_ms=None, email_verified=True)


@dataclass(frozen=True, slots=True)
class Placement:
    """An order that was never placed.

    :param result: None when the log of ticks has not reached its end
    """

    terms: Terms
    result: OrderState | None


class TicksGoneError(Exception):
    """The ticks of that time are in the archive only."""


def placement_on_paper(*, ticket: Ticket, wallet: WalletRow, owner_id: UUID, now_ms: int) -> Placement:
    """Judge a ticket as placement would have at an instant, and settle it by the log of ticks.

    :param wallet: with its balance on paper
    :raises Problem: with the code of the check that refuses it
    :raises TicksGoneError: the log does not reach back so far
    """
    if now_ms < log_begins_ms():
        raise TicksGoneError
    terms = admit(
        ticket=ticket,
        stake=_stake(ticket, wallet.currency),
        account=_UNKNOWN_CLIENT,
        wallet=_wallet(wallet, owner_id),
        market=market_at(ticket.symbol, real=wallet.book == REAL, now_ms=now_ms),
        now_ms=now_ms,
    )
    return Placement(terms, _result(terms))


def market_at(code: str, *, real: bool, now_ms: int) -> Market | None:
    """Return a market as it was, as far as that is on record; None for a symbol that is not known."""
    row = db.row(_MARKET, {"code": code, "at_ms": now_ms})
    if row is None:
        return None
    symbol_id, offered_real, offered_demo, price_scale, payout_percent = row[:5]
    min_stake, max_stake, min_duration_s, max_duration_s, deadline_s, max_tick_age_ms = row[5:11]
    entry_rule, settlement_rule, revision, custom, has_calendar, closes_ms, halt, declared_closed = row[11:19]
    seq, at_ms, price = row[19:]
    return Market(
        symbol_id=symbol_id,
        code=code,
        offered=offered_real if real else offered_demo,
        state=MarketState(_state(halt, closed=declared_closed or (has_calendar and closes_ms is None))),
        price_scale=price_scale,
        payout_percent=payout_percent,
        min_stake=min_stake,
        max_stake=max_stake,
        min_duration_s=min_duration_s,
        max_duration_s=max_duration_s,
        purchase_deadline_s=deadline_s,
        max_tick_age_ms=max_tick_age_ms,
        entry_rule=entry_rule,
        settlement_rule=settlement_rule,
        revision=revision,
        custom=custom,
        session_closes_ms=closes_ms,
        exposure_cap=None,
        exposure=None,
        tick_seq=seq or 0,
        tick_at_ms=at_ms,
        tick_price=price,
    )


def _state(halt: str, *, closed: bool) -> MarketStateName:
    return MarketStateName.CLOSED if closed else MarketStateName(halt)


def _stake(ticket: Ticket, currency: str) -> int | None:
    try:
        return parse_amount(ticket.stake, currency)
    except AmountPrecisionError:
        return None


def _wallet(wallet: WalletRow, owner_id: UUID) -> Wallet:
    return Wallet(
        id=wallet.id,
        user_id=owner_id,
        book=wallet.book,
        currency=wallet.currency,
        balance=wallet.balance,
        stakes_id=wallet.id,
        open_stakes=0,
        tradable_from_ms=None,
        tradable_until_ms=None,
        symbols=None,
        min_stake=None,
        max_stake=None,
    )


def _result(terms: Terms) -> OrderState | None:
    """Decide an order by settlement's own rules, as soon as the log has reached what they look at."""
    place = {"symbol_id": terms.symbol_id}
    reached = db.row(_WATERMARK, place)
    watermark_ms = int(reached[0]) if reached else 0
    opening = None if terms.opening is None else terms.opening.price
    if terms.wait is not None:
        found = db.row(
            _NEXT,
            place | {"seq": terms.wait.after_seq + 1, "from_ms": terms.wait.after_ms, "to_ms": terms.wait.until_ms},
        )
        if found is None and watermark_ms < terms.wait.until_ms:
            return None
        made = entry(terms=_entry_terms(terms), tick=None if found is None else Tick(*found))
        if made.refund is not None or made.tick is None:
            return OrderState.REFUNDED
        opening = made.tick.price
    if watermark_ms < terms.expires_at_ms:
        return None
    assert opening is not None
    return outcome(terms=_settled_terms(terms, opening), evidence=_evidence(terms)).state


def _entry_terms(terms: Terms) -> EntryTerms:
    assert terms.wait is not None
    return EntryTerms(
        after_seq=terms.wait.after_seq,
        until_ms=terms.wait.until_ms,
        revision=terms.revision,
        price_scale=terms.price_scale,
        expected_price=terms.expected_price,
        max_price_drift=terms.max_price_drift,
    )


def _settled_terms(terms: Terms, open_price: int) -> SettledTerms:
    return SettledTerms(
        direction=terms.direction,
        stake=terms.stake,
        payout_percent=terms.payout_percent,
        expires_at_ms=terms.expires_at_ms,
        max_tick_age_ms=terms.max_tick_age_ms,
        revision=terms.revision,
        open_price=open_price,
        settlement_rule=terms.settlement_rule,
    )


def _evidence(terms: Terms) -> Evidence:
    asked: dict[str, Any] = {
        "symbol_id": terms.symbol_id,
        "expires_at_ms": terms.expires_at_ms,
        "revision": terms.revision,
    }
    found = db.row(_EVIDENCE, asked)
    assert found is not None
    seq, at_ms, price, revision, closed, emergency = found
    window = db.row(_WINDOW, asked) if terms.settlement_rule == TRIMMED_MEAN else None
    prices, revisions = window or ((), ())
    return Evidence(
        tick=None if seq is None else Tick(seq, at_ms, price, revision),
        window=tuple(prices),
        window_revisions=frozenset(revisions),
        feed_closed=closed,
        emergency=emergency,
    )
