"""A market to test on: traders with wallets, symbols whose ticks pass the real admission, orders, settlement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from django.test import Client

from accounts.callers import Caller
from accounts.models import User
from accounts.services import token_create, user_create
from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.money import parse_amount
from ledger.selectors import wallets_of
from ledger.services import balance_adjust
from quotes.admission import AdmittedBatch, SymbolLog, SymbolTerms, heartbeats_record, ticks_admit
from quotes.domain import RawTick
from quotes.models import MarketCalendar, Symbol, SymbolRevision, TradingWindow
from quotes.services import NewSymbol, symbol_add
from settlement.selectors import orders_due, orders_entering
from settlement.services import orders_enter, orders_settle
from trading.domain import Ticket
from trading.events import OrderDocument
from trading.models import Order
from trading.services import PlacedOrder, order_place

_numbers = count(1)


def db_now_ms() -> int:
    """Return the database's clock, which all rules read."""
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return int(found[0])


@dataclass
class Market:
    """One symbol. ``now_ms`` is the market's time: it can be ahead of the clock, never behind it.

    Ticks are received when they happen unless a test says otherwise. A tick ahead of the clock lets orders expire
    without waiting for them.
    """

    symbol: Symbol
    log: SymbolLog
    newest_ms: int = 0
    packets: Any = field(default_factory=lambda: count(1))

    @property
    def code(self) -> str:
        return self.symbol.code

    @property
    def id(self) -> int:
        return self.symbol.id

    @property
    def now_ms(self) -> int:
        return max(db_now_ms(), self.newest_ms)

    def tick(self, price: str, *, at_ms: int | None = None, received_ms: int | None = None) -> AdmittedBatch:
        """Bring one quote through admission; by default it happens and is received now."""
        at_ms = self.now_ms if at_ms is None else at_ms
        raw = RawTick(
            source=self.symbol.source,
            packet=next(self.packets),
            src_ms=at_ms,
            recv_ms=at_ms if received_ms is None else received_ms,
            bid=Decimal(price),
            ask=Decimal(price),
        )
        batch = ticks_admit(batch={self.id: [raw]}, logs={self.id: self.log}, heartbeat_ms=raw.recv_ms)
        if batch.admitted:
            self.newest_ms = at_ms
        return batch

    def heartbeat(self) -> bool:
        """Let the feed be heard from now, without a tick."""
        heartbeats_record(heartbeats={self.id: db_now_ms()})
        return True

    def revised(self) -> None:
        """Put the next revision in force at once, as if no order were open, with the terms unchanged."""
        number = self.log.terms.revision + 1
        SymbolRevision.objects.create(
            symbol=self.symbol,
            number=number,
            feed=self.symbol.feed,
            source=self.symbol.source,
            price_scale=self.symbol.price_scale,
            price_source=self.symbol.price_source,
            since_ms=self.newest_ms,
        )
        Symbol.objects.filter(pk=self.id).update(revision=number)
        self.log.terms = replace(self.log.terms, revision=number)

    def admitted(self, price: str, *, at_ms: int | None = None) -> int:
        """Bring one quote that must be admitted; return its seq."""
        batch = self.tick(price, at_ms=at_ms)
        assert batch.admitted == 1, batch.refused
        return batch.by_symbol[self.id].head.seq


def market_open(code: str = "EURUSD", *, price: str | None = "1.08512", **terms: Any) -> Market:
    """Offer a symbol and, unless ``price`` is None, bring its first tick."""
    defaults = {"feed": "script", "source": code, "min_duration_s": 1, "purchase_deadline_s": 0}
    asked: dict[str, Any] = {"code": code} | defaults | terms
    symbol = symbol_add(NewSymbol(**asked))
    market = Market(
        symbol,
        SymbolLog(
            SymbolTerms(
                symbol_id=symbol.id,
                code=symbol.code,
                feed=symbol.feed,
                source=symbol.source,
                price_scale=symbol.price_scale,
                price_source=symbol.price_source,
                revision=symbol.revision,
            )
        ),
    )
    if price is not None:
        market.admitted(price)
    return market


def session_held(market: Market, *, closes_ms: int) -> None:
    """Give a market trading hours whose only session has begun and ends then."""
    calendar = MarketCalendar.objects.create(name=f"hours of {market.code}", time_zone="UTC")
    TradingWindow.objects.create(calendar=calendar, opens_ms=1, closes_ms=closes_ms, made_at_ms=1)
    Symbol.objects.filter(pk=market.id).update(calendar=calendar)


@dataclass
class Trader:
    """A user with wallets, and the ways to act for it."""

    user: User
    caller: Caller
    wallets: dict[str, UUID]

    def place(
        self, market: Market | str, direction: str = "up", stake: str = "10.00", *, ledger: str = "demo", **terms: Any
    ) -> OrderDocument:
        """Place an order through the service; it lasts 60 s unless ``duration_s`` or ``expires_at_ms`` is given."""
        return self.placed(market, direction, stake, ledger=ledger, **terms).order

    def placed(
        self, market: Market | str, direction: str = "up", stake: str = "10.00", *, ledger: str = "demo", **terms: Any
    ) -> PlacedOrder:
        """Place an order as :meth:`place` does, and tell whether it was a repeat."""
        asked: dict[str, Any] = {
            "client_order_id": f"order-{next(_numbers)}",
            "symbol": market if isinstance(market, str) else market.code,
            "direction": direction,
            "stake": stake,
            "ledger": None if "wallet_id" in terms else ledger,
        } | terms
        if "expires_at_ms" not in asked:
            asked.setdefault("duration_s", 60)
        return order_place(caller=self.caller, ticket=Ticket(**asked))

    def balance(self, book: str = "demo") -> int:
        """Return a wallet's balance in minor units."""
        return next(row.balance for row in wallets_of(self.user.id) if row.book == book)

    def open_stakes(self, book: str = "demo") -> int:
        """Return the stakes of a wallet's open orders in minor units."""
        return next(row.open_stakes for row in wallets_of(self.user.id) if row.book == book)

    def http(self, *, scopes: tuple[str, ...] = ("read", "trade"), ledgers: tuple[str, ...] | None = None) -> Client:
        """Return an HTTP client with an API token of its own, thus with rate limits of its own."""
        _, secret = token_create(user_id=self.user.id, scopes=scopes, ledgers=ledgers, now_ms=db_now_ms())
        client = Client(headers={"Authorization": f"Bearer {secret}"})
        # Threads may share a client from here on: what it makes once is made.
        client.handler.load_middleware()
        return client


def trader_open(*, real: str = "0.00", verified: bool = True) -> Trader:
    """Sign a user up; ``real`` is put on the real wallet by an adjustment."""
    user = user_create(email=f"trader-{next(_numbers)}@example.com", password=None, verified=verified)
    wallets = {row.book: row.id for row in wallets_of(user.id)}
    if amount := parse_amount(real, "USD"):
        balance_adjust(wallet_id=wallets["real"], amount=amount, reason="for tests")
    caller = Caller(
        user_id=user.id,
        source="api",
        scopes=frozenset({"read", "trade"}),
        ledgers=None,
        token_id=None,
        rate_key=f"user:{user.id}",
        banned=False,
    )
    return Trader(user, caller, wallets)


def due(limit: int) -> list[UUID]:
    """Return orders that can be settled, as a worker plans them."""
    return [order for wallet in orders_due(limit=limit) for order in wallet]


def entering(limit: int) -> list[UUID]:
    """Return orders whose entry can be decided."""
    return [order for wallet in orders_entering(limit=limit) for order in wallet]


def settle_due(*, limit: int = 250) -> int:
    """Let orders enter and settle until nothing is due, as the worker does; return how many orders were settled."""
    total = 0
    while orders_enter(entering(limit)):
        pass
    while settled := orders_settle(due(limit)):
        total += settled
    return total


def order_row(order: OrderDocument | str) -> Order:
    """Return an order, or the one with that id, as it is stored now."""
    return Order.objects.get(pk=order if isinstance(order, str) else order.id)
