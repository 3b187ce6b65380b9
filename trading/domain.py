"""Pure rules of placing an order (rules, section 2): facts in, an acceptance or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from accounts.domain import ledger_of
from ledger.domain import REAL
from quotes.domain import MarketState, MarketStateName
from trading import errors
from trading.errors import MARKET_REFUSALS
from trading.limit_rules import LimitUse, limit_exceeded, limit_reached

LAST_TICK = "last_tick/1"
NEXT_TICK = "next_tick/1"
TRIMMED_MEAN = "trimmed_mean_10s/1"


class Direction(StrEnum):
    """Where the client says the price goes."""

    UP = "up"
    DOWN = "down"


class OrderState(StrEnum):
    """Where an order stands; all but ``open`` are final."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    TIED = "tied"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a client asks for, parsed but not judged; money as the text that was sent."""

    client_order_id: str
    symbol: str
    direction: str
    stake: str
    ledger: str | None = None
    wallet_id: UUID | None = None
    duration_s: int | None = None
    expires_at_ms: int | None = None
    min_payout_percent: int | None = None
    max_price_drift: str | None = None
    expected_price: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of the client; instants in Unix milliseconds."""

    banned: bool
    excluded_until_ms: int | None
    break_until_ms: int | None
    email_verified: bool
    country_refused: bool = False


@dataclass(frozen=True, slots=True)
class Wallet:
    """The locked wallet; bounds of its trading policy are None where the symbol's own hold."""

    id: UUID
    user_id: UUID
    book: str
    currency: str
    balance: int
    stakes_id: UUID
    open_stakes: int
    tradable_from_ms: int | None
    tradable_until_ms: int | None
    symbols: tuple[str, ...] | None
    min_stake: int | None
    max_stake: int | None


@dataclass(frozen=True, slots=True)
class Market:
    """A symbol's terms, its newest admitted tick and the state of its market.

    :param session_closes_ms: end of the session that is held now; None round the clock
    :param exposure: open stakes of the real ledger by direction, in minor units; None where the symbol has no cap
    :param watermark_ms: up to here everything is decided
    """

    symbol_id: int
    code: str
    offered: bool
    state: MarketState
    price_scale: int
    payout_percent: int
    min_stake: int
    max_stake: int
    min_duration_s: int
    max_duration_s: int
    purchase_deadline_s: int
    max_tick_age_ms: int
    entry_rule: str
    settlement_rule: str
    revision: int
    custom: bool
    session_closes_ms: int | None
    exposure_cap: int | None
    exposure: Mapping[Direction, int] | None
    tick_seq: int
    tick_at_ms: int | None
    tick_price: int | None
    watermark_ms: int = 0


@dataclass(frozen=True, slots=True)
class Opening:
    """The tick that an order opens at; the price is scaled."""

    seq: int
    at_ms: int
    price: int


@dataclass(frozen=True, slots=True)
class EntryWait:
    """What ``next_tick/1`` waits for: the tick after ``after_seq``, if its time is at most ``until_ms``."""

    after_seq: int
    after_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Terms:
    """The frozen terms of an accepted order; money in minor units, prices scaled, instants in milliseconds.

    Exactly one of ``opening`` and ``wait`` is there: it depends on the entry rule.
    """

    symbol_id: int
    symbol: str
    direction: Direction
    stake: int
    payout_percent: int
    entry_rule: str
    settlement_rule: str
    max_tick_age_ms: int
    revision: int
    price_scale: int
    custom: bool
    accepted_at_ms: int
    expires_at_ms: int
    session_closes_ms: int | None
    expected_price: str | None
    max_price_drift: str | None
    opening: Opening | None
    wait: EntryWait | None


def profit_of_win(stake: int, payout_percent: int) -> int:
    """Return the profit of a win in minor units, rounded down (rules, section 2)."""
    return stake * payout_percent // 100


def admit(
    *,
    ticket: Ticket,
    stake: int | None,
    account: Account,
    wallet: Wallet,
    market: Market | None,
    now_ms: int,
    use: LimitUse | None = None,
) -> Terms:
    """Judge a ticket by checks 3 to 12 of the rules, in their order.

    :param stake: minor units, or None when it has more decimals than the currency
    :param market: None when the symbol is unknown
    :param now_ms: the database clock, read after the wallet was locked; it becomes ``accepted_at``
    :param use: own limits and the token's caps with what is used of them; None for clients without any
    :raises Problem: with the code of the first check that fails
    """
    _check_account(account, wallet, now_ms)
    expires_at_ms = _expiry(ticket, now_ms)
    _check_wallet_dates(wallet, now_ms=now_ms, expires_at_ms=expires_at_ms)
    market = _check_symbol(ticket, wallet, market)
    direction = _direction(ticket)
    stake = _check_stake(stake, wallet, market)
    _check_expiry(ticket, market, now_ms=now_ms, expires_at_ms=expires_at_ms)
    newest = _check_market(market, now_ms=now_ms, expires_at_ms=expires_at_ms)
    if use is not None and (reached := limit_exceeded(use, stake=stake, now_ms=now_ms)):
        raise limit_reached(reached, use, currency=wallet.currency, now_ms=now_ms)
    _check_exposure(wallet, market, direction, stake)
    _check_guards(ticket, market, newest)
    if wallet.balance < stake:
        raise errors.insufficient_funds()
    waits = market.entry_rule == NEXT_TICK
    return Terms(
        symbol_id=market.symbol_id,
        symbol=market.code,
        direction=direction,
        stake=stake,
        payout_percent=market.payout_percent,
        entry_rule=market.entry_rule,
        settlement_rule=market.settlement_rule,
        max_tick_age_ms=market.max_tick_age_ms,
        revision=market.revision,
        price_scale=market.price_scale,
        custom=market.custom,
        accepted_at_ms=now_ms,
        expires_at_ms=expires_at_ms,
        session_closes_ms=market.session_closes_ms,
        expected_price=ticket.expected_price,
        max_price_drift=ticket.max_price_drift,
        opening=None if waits else newest,
        wait=_entry_wait(market, newest, now_ms=now_ms, expires_at_ms=expires_at_ms) if waits else None,
    )


def _entry_wait(market: Market, newest: Opening, *, now_ms: int, expires_at_ms: int) -> EntryWait:
    # An order that expires first has nothing to wait for after its expiry.
    return EntryWait(newest.seq, newest.at_ms, min(now_ms + market.max_tick_age_ms, expires_at_ms))


def _check_account(account: Account, wallet: Wallet, now_ms: int) -> None:
    if account.banned:
        raise errors.account_banned()
    if account.excluded_until_ms is not None and now_ms < account.excluded_until_ms:
        raise errors.account_excluded()
    if account.break_until_ms is not None and now_ms < account.break_until_ms:
        raise errors.account_on_break()
    if wallet.book == REAL and not account.email_verified:
        raise errors.account_unverified()
    if account.country_refused:
        raise errors.account_jurisdiction()


def _expiry(ticket: Ticket, now_ms: int) -> int:
    if ticket.duration_s is not None:
        return now_ms + ticket.duration_s * 1000
    assert ticket.expires_at_ms is not None
    return ticket.expires_at_ms


def _check_wallet_dates(wallet: Wallet, *, now_ms: int, expires_at_ms: int) -> None:
    too_early = wallet.tradable_from_ms is not None and now_ms < wallet.tradable_from_ms
    too_late = wallet.tradable_until_ms is not None and expires_at_ms > wallet.tradable_until_ms
    if too_early or too_late:
        raise errors.wallet_not_tradable()


def _check_symbol(ticket: Ticket, wallet: Wallet, market: Market | None) -> Market:
    if market is None:
        raise errors.symbol_unknown()
    if not market.offered:
        raise errors.symbol_not_offered(str(ledger_of(wallet.book)))
    if wallet.symbols is not None and ticket.symbol not in wallet.symbols:
        raise errors.wallet_symbol_not_allowed()
    return market


def _direction(ticket: Ticket) -> Direction:
    if ticket.direction not in set(Direction):
        raise errors.direction_invalid()
    return Direction(ticket.direction)


def _check_stake(stake: int | None, wallet: Wallet, market: Market) -> int:
    if stake is None:
        raise errors.stake_precision(wallet.currency)
    least = max(market.min_stake, wallet.min_stake or 0)
    most = min(market.max_stake, wallet.max_stake) if wallet.max_stake is not None else market.max_stake
    if stake < least:
        raise errors.stake_below_minimum(least, wallet.currency)
    if stake > most:
        raise errors.stake_above_maximum(most, wallet.currency)
    return stake


def _check_expiry(ticket: Ticket, market: Market, *, now_ms: int, expires_at_ms: int) -> None:
    if not market.min_duration_s * 1000 <= expires_at_ms - now_ms <= market.max_duration_s * 1000:
        raise errors.duration_out_of_range(market.min_duration_s, market.max_duration_s)
    if ticket.expires_at_ms is not None and expires_at_ms - now_ms <= market.purchase_deadline_s * 1000:
        raise errors.expiry_past_deadline(market.purchase_deadline_s)
    # Outside its sessions the market is closed, which the next check says.
    if market.session_closes_ms is not None and expires_at_ms > market.session_closes_ms:
        raise errors.expiry_outside_session(market.session_closes_ms)


def _check_market(market: Market, *, now_ms: int, expires_at_ms: int) -> Opening:
    if market.state.state is not MarketStateName.OPEN:
        raise MARKET_REFUSALS[market.state.state](market.state.reason)
    if market.tick_at_ms is None or market.tick_price is None or now_ms - market.tick_at_ms > market.max_tick_age_ms:
        raise MARKET_REFUSALS[MarketStateName.STALE]("")
    # A clock that was set back: the order would end in a past that everybody knows.
    if expires_at_ms <= market.watermark_ms:
        raise MARKET_REFUSALS[MarketStateName.STALE]("The clock is behind the prices.")
    return Opening(market.tick_seq, market.tick_at_ms, market.tick_price)


def _check_exposure(wallet: Wallet, market: Market, direction: Direction, stake: int) -> None:
    """Keep the platform's risk bounded; it risks nothing on demo and tournament ledgers."""
    if wallet.book != REAL or market.exposure_cap is None or market.exposure is None:
        return
    if market.exposure.get(direction, 0) + stake > market.exposure_cap:
        raise errors.exposure_reached(market.code)


def _check_guards(ticket: Ticket, market: Market, newest: Opening) -> None:
    if ticket.min_payout_percent is not None and market.payout_percent < ticket.min_payout_percent:
        raise errors.payout_moved(market.payout_percent)
    # Under next_tick/1 the opening price is not known yet: the guard is kept and judged at entry.
    if market.entry_rule == LAST_TICK and price_drifted(
        newest.price, scale=market.price_scale, expected=ticket.expected_price, drift=ticket.max_price_drift
    ):
        raise errors.price_moved(newest.price, market.price_scale)


def price_drifted(price: int, *, scale: int, expected: str | None, drift: str | None) -> bool:
    """Whether an opening price is further from the expected one than the client allows; False without a guard."""
    if drift is None or expected is None:
        return False
    # Both texts may be finer than the symbol's scale, so they are compared as fractions of one power of ten.
    finest = max(scale, _places(drift), _places(expected))
    return bool(abs(price * 10 ** (finest - scale) - _scaled(expected, finest)) > _scaled(drift, finest))


def _places(text: str) -> int:
    return len(text.partition(".")[2])


def _scaled(text: str, scale: int) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(scale, "0"))
