"""Pure rules of placing an order (rules, section 2): facts in, an acceptance or a refusal out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from accounts.domain import ledger_of
from ledger.domain import REAL
from trading import errors
from trading.errors import MARKET_REFUSALS

ENTRY_RULES = frozenset({"last_tick/1"})
SETTLEMENT_RULES = frozenset({"last_tick/1"})


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
    """A symbol's terms, its newest admitted tick and the state of its market."""

    symbol_id: int
    code: str
    offered: bool
    state: str
    state_reason: str
    price_scale: int
    payout_percent: int
    min_stake: int
    max_stake: int
    min_duration_s: int
    max_duration_s: int
    max_tick_age_ms: int
    entry_rule: str
    settlement_rule: str
    revision: int
    tick_seq: int
    tick_at_ms: int | None
    tick_price: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """The frozen terms of an accepted order; money in minor units, prices scaled, instants in milliseconds."""

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
    accepted_at_ms: int
    expires_at_ms: int
    open_seq: int
    open_at_ms: int
    open_price: int


def profit_of_win(stake: int, payout_percent: int) -> int:
    """Return the profit of a win in minor units, rounded down (rules, section 2)."""
    return stake * payout_percent // 100


def admit(
    *, ticket: Ticket, stake: int | None, account: Account, wallet: Wallet, market: Market | None, now_ms: int
) -> Terms:
    """Judge a ticket by checks 3 to 12 of the rules, in their order.

    :param stake: minor units, or None when it has more decimals than the currency
    :param market: None when the symbol is unknown
    :param now_ms: the database clock, read after the wallet was locked; it becomes ``accepted_at``
    :raises Problem: with the code of the first check that fails
    """
    _check_account(account, wallet, now_ms)
    expires_at_ms = _expiry(ticket, now_ms)
    _check_wallet_dates(wallet, now_ms=now_ms, expires_at_ms=expires_at_ms)
    market = _check_symbol(ticket, wallet, market)
    direction = _direction(ticket)
    stake = _check_stake(stake, wallet, market)
    _check_duration(market, expires_at_ms - now_ms)
    open_at_ms, open_price = _check_market(market, now_ms)
    _check_price_guard(ticket, market, open_price)
    if wallet.balance < stake:
        raise errors.insufficient_funds()
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
        accepted_at_ms=now_ms,
        expires_at_ms=expires_at_ms,
        open_seq=market.tick_seq,
        open_at_ms=open_at_ms,
        open_price=open_price,
    )


def _check_account(account: Account, wallet: Wallet, now_ms: int) -> None:
    if account.banned:
        raise errors.account_banned()
    if account.excluded_until_ms is not None and now_ms < account.excluded_until_ms:
        raise errors.account_excluded()
    if account.break_until_ms is not None and now_ms < account.break_until_ms:
        raise errors.account_on_break()
    if wallet.book == REAL and not account.email_verified:
        raise errors.account_unverified()


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


def _check_duration(market: Market, duration_ms: int) -> None:
    if not market.min_duration_s * 1000 <= duration_ms <= market.max_duration_s * 1000:
        raise errors.duration_out_of_range(market.min_duration_s, market.max_duration_s)


def _check_market(market: Market, now_ms: int) -> tuple[int, int]:
    if market.state != "open":
        raise MARKET_REFUSALS[market.state](market.state_reason)
    if market.tick_at_ms is None or market.tick_price is None or now_ms - market.tick_at_ms > market.max_tick_age_ms:
        raise MARKET_REFUSALS["stale"]("")
    return market.tick_at_ms, market.tick_price


def _check_price_guard(ticket: Ticket, market: Market, open_price: int) -> None:
    if ticket.min_payout_percent is not None and market.payout_percent < ticket.min_payout_percent:
        raise errors.payout_moved(market.payout_percent)
    if ticket.max_price_drift is None or ticket.expected_price is None:
        return
    # Both texts may be finer than the symbol's scale, so they are compared as fractions of one power of ten.
    scale = max(market.price_scale, _places(ticket.max_price_drift), _places(ticket.expected_price))
    moved = abs(open_price * 10 ** (scale - market.price_scale) - _scaled(ticket.expected_price, scale))
    if moved > _scaled(ticket.max_price_drift, scale):
        raise errors.price_moved(open_price, market.price_scale)


def _places(text: str) -> int:
    return len(text.partition(".")[2])


def _scaled(text: str, scale: int) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(scale, "0"))
