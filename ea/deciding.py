"""What an event in the log asks for: a ticket to place, or the code that it is denied with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple
from uuid import UUID

from ea import risk
from ea.codes import Rejected
from ea.domain import LEDGERS, OFFSET_MS_MAX, Life, deadline_ms, percent_of
from ea.kept import Kept, Terms
from ea.protocol import ExpiryAfter, Signal, Target
from ea.risk_limits import NO_LIMITS
from ea.risk_rules import Ask, Trip
from ea.tradingview import signal_logged
from kernel.money import CURRENCY_SCALES, format_minor
from ledger.selectors import WalletRow, wallets_of
from trading.domain import Ticket


class Due(NamedTuple):
    """An order that is due, with its event; a row of ``statements.DUE``.

    :param version: of what signals are judged by, when it was read
    """

    event: int
    state: str
    step: int
    ticket: str | None
    not_after_ms: int | None
    stored_wallet_id: UUID | None
    event_id: UUID
    kid: str
    raw: bytes
    offset_ms: int
    rtt_us: int
    recv_us: int
    log_us: int
    link_id: int
    warnings: list[str] | None
    now_ms: int
    seq: int
    version: int | None


@dataclass(frozen=True, slots=True)
class Route:
    """Where the signals of a key may go.

    :param ledger: where they go unless they say otherwise
    :param wallet_id: the tournament's wallet, where that ledger is one
    :param ledgers: where the key may trade
    """

    user_id: UUID
    ledger: str
    wallet_id: UUID | None
    ledgers: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """A signal that may be placed until ``not_after_ms`` if its installation's limits let it."""

    ticket: Ticket
    wallet_id: UUID
    symbol: str
    not_after_ms: int
    asked: risk.Asked


class Denied(Exception):
    """A signal becomes no order; ``symbol`` is ours where it was known by then.

    :param stopped: what it was judged by, where it has reached stops that are to be stored
    """

    def __init__(
        self, code: str, *, symbol: str | None = None, stopped: risk.Asked | None = None, trips: tuple[Trip, ...] = ()
    ) -> None:
        super().__init__(code)
        self.code = code
        self.symbol = symbol
        self.stopped = stopped
        self.trips = trips


STALE = "signal.stale"


def client_order_id(event_id: UUID) -> str:
    """Return the id under which an event is placed: the same event is the same order."""
    return f"ea:{event_id}"


def signal_of(due: Due) -> Signal:
    """Return the signal of an event.

    :raises Denied: the log holds what the schema of today refuses
    """
    try:
        return signal_logged(bytes(due.raw), kid=due.kid, seq=due.seq)
    except Rejected as rejected:
        raise Denied(f"signal.{rejected.code.value}") from None


def planned(due: Due, signal: Signal, *, kept: Kept, now_ms: int) -> Plan:
    """Decide an event.

    :param kept: what is known of the version that it is judged by
    :raises Denied: with the code of the first check that failed
    """
    if signal.action != "open" or signal.symbol is None or signal.stake is None or signal.expiry is None:
        raise Denied("action.unsupported")
    terms = kept.terms(due.kid)
    symbol = kept.symbol(due.link_id, signal.symbol, terms)
    standing = kept.standing(risk.Place(due.link_id, signal.strategy, symbol or ""))
    if (code := risk.gate(standing.state)) is not None:
        raise Denied(code, symbol=symbol)
    if "source" not in terms.scopes:
        raise Denied("auth.scope", symbol=symbol)
    not_after_ms = _deadline(due, signal)
    if now_ms > not_after_ms:
        raise Denied(STALE, symbol=symbol)
    if symbol is None:
        raise Denied("symbol.unknown")
    wallet = _wallet(kept, terms, signal)
    limits = terms.limits
    ticket = risk.tightened(ticket_of(due.event_id, signal, symbol, wallet), limits, ref_price=signal.ref_price)
    asked = risk.Asked(
        event=due.event,
        link_id=due.link_id,
        kid=due.kid,
        wallet_id=wallet.id,
        ask=ask_of(ticket, signal, wallet, now_ms=now_ms),
        limits=limits,
        now_ms=now_ms,
        held=frozenset(stop for wallet_id, stop in standing.held if wallet_id == wallet.id),
    )
    return Plan(ticket, wallet.id, symbol, not_after_ms, asked)


def ask_of(ticket: Ticket, signal: Signal, wallet: WalletRow, *, now_ms: int) -> Ask:
    """Return what limits see of a ticket; decimals that its currency does not have are placement's to refuse."""
    expires_at_ms = ticket.expires_at_ms
    return Ask(
        strategy=signal.strategy,
        symbol=ticket.symbol,
        up=ticket.direction == "up",
        stake=int(Decimal(ticket.stake).scaleb(CURRENCY_SCALES[wallet.currency])),
        expires_at_ms=now_ms + (ticket.duration_s or 0) * 1_000 if expires_at_ms is None else expires_at_ms,
        balance=wallet.balance,
        ref_price=signal.ref_price,
    )


def _deadline(due: Due, signal: Signal) -> int:
    if abs(due.offset_ms) > OFFSET_MS_MAX:
        raise Denied("signal.clock")
    expiry = signal.expiry
    assert expiry is not None
    expiry_ms = expiry.s * 1_000 if isinstance(expiry, ExpiryAfter) else max(0, expiry.at_ms - due.recv_us // 1_000)
    return deadline_ms(
        Life(
            signed_ms=signal.t_sig_ms,
            offset_ms=due.offset_ms,
            received_ms=due.recv_us // 1_000,
            expiry_ms=expiry_ms,
            valid_ms=signal.valid_ms,
        )
    )


def _wallet(kept: Kept, terms: Terms, signal: Signal) -> WalletRow:
    """Return the wallet that a signal trades on, with its balance of now where that is asked for.

    A wallet stays what it is, so one that is kept is right; one that is not there may be new.
    """
    route = Route(terms.user_id, terms.ledger, terms.wallet_id, terms.ledgers)
    of_balance = terms.limits is not NO_LIMITS or (signal.stake is not None and signal.stake.mode == "percent")
    if not of_balance:
        try:
            return wallet_of(route, signal, kept.wallets)
        except Denied:
            pass
    return wallet_of(route, signal, kept.wallets_now)


def wallet_of(route: Route, signal: Signal, wallets: Callable[[UUID], Sequence[WalletRow]] = wallets_of) -> WalletRow:
    """Return the wallet that a signal trades on.

    :param wallets: where the wallets of a user are read
    :raises Denied: ``auth.ledger``, ``route.unknown``, ``wallet.unknown`` or ``signal.currency``
    """
    ledger, wallet_id = route.ledger, route.wallet_id
    if isinstance(signal.target, Target):
        ledger, wallet_id = signal.target.ledger, _uuid(signal.target.id)
    elif signal.target is not None:
        if signal.target not in LEDGERS:
            raise Denied("route.unknown")
        ledger, wallet_id = signal.target, route.wallet_id
    if ledger not in route.ledgers:
        raise Denied("auth.ledger")
    book = ledger if ledger != "tournament" else None
    for wallet in wallets(route.user_id):
        chosen = wallet.id == wallet_id and wallet.book.startswith("t:") if book is None else wallet.book == book
        if chosen and wallet.kind == "wallet":
            break
    else:
        raise Denied("wallet.unknown")
    asked = signal.currency or (signal.stake and signal.stake.currency)
    if asked not in (None, wallet.currency):
        raise Denied("signal.currency")
    return wallet


def ticket_of(event_id: UUID, signal: Signal, symbol: str, wallet: WalletRow) -> Ticket:
    """Return the ticket that a signal asks for; a percent stake is of the wallet's balance.

    :param symbol: ours
    :raises Denied: ``action.unsupported`` for lots
    """
    stake, expiry = signal.stake, signal.expiry
    assert stake is not None
    assert expiry is not None
    if stake.mode == "lots":
        raise Denied("action.unsupported", symbol=symbol)
    amount = stake.value
    if stake.mode == "percent":
        amount = format_minor(percent_of(wallet.balance, stake.value), wallet.currency)
    after = isinstance(expiry, ExpiryAfter)
    least = signal.min_payout and int(Decimal(signal.min_payout).to_integral_value(ROUND_CEILING))
    return Ticket(
        client_order_id=client_order_id(event_id),
        symbol=symbol,
        direction="up" if signal.direction == "call" else "down",
        stake=amount,
        wallet_id=wallet.id,
        duration_s=expiry.s if isinstance(expiry, ExpiryAfter) else None,
        expires_at_ms=None if after else expiry.at_ms,  # type: ignore[union-attr]
        min_payout_percent=None if least is None else int(least),
        max_price_drift=signal.max_drift,
        expected_price=None if signal.max_drift is None else signal.ref_price,
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None
