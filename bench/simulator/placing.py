"""Clients and operators: orders are placed as ``trading.services.order_place`` does it, around the real admission."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from bench.simulator.build import Build
from bench.simulator.database import Database, LockTimeoutError, Session, SessionGoneError, Transaction
from bench.simulator.rows import AccountRow, HeadRow, OrderRow, SymbolRow, WalletRow
from bench.simulator.world import Process, Step, Steps, World
from kernel.errors import Problem
from kernel.money import AmountPrecisionError, format_minor, format_scaled, parse_amount
from ledger.domain import Family, GuardedBalance, InsufficientFundsError, TransferDraft
from quotes.domain import MarketFacts
from settlement.domain import TRIMMED_WINDOW_MS
from trading.domain import Account, Market, Terms, Ticket, Wallet

LOCK_LIMIT_MS = 2_000
CURRENCY = "USD"
STAKES = (100, 101, 133, 5_000, 25_000)
DURATIONS_S = (1, 2, 3, 5, 5, 7, 10, 12, 15)
JUNK: tuple[dict[str, Any], ...] = (
    {"symbol": "NOSUCH"},
    {"direction": "sideways"},
    {"stake": "1.001"},
    {"stake": "0.10"},
    {"stake": "999999.00"},
    {"duration_s": 0},
    {"duration_s": -5},
    {"duration_s": 10**9},
    {"min_payout_percent": 100},
    {"max_price_drift": "0", "expected_price": "0.00001"},
)
# Refusals that only junk can get. Whatever else is refused depends on the moment.
NEVER_BY_GOOD_TICKETS = frozenset(
    {"symbol.unknown", "order.direction.invalid", "order.stake.precision", "order.stake.below_minimum"}
)


def order_id_of(draws: random.Random, at_ms: int) -> UUID:
    """Return an id that begins with an instant, as version 7 does; drawn, so that a seed repeats it."""
    return UUID(int=(at_ms << 80) | (7 << 76) | (2 << 62) | draws.getrandbits(60))


@dataclass(frozen=True, slots=True)
class PlacedNote:
    """What the judge is told of an order: what was known when it was admitted."""

    order_id: UUID
    symbol: SymbolRow | None
    head: HeadRow
    now_ms: int


@dataclass(slots=True)
class Client:
    """A person with a real and a demo wallet, who sends an order and asks again until it is answered."""

    world: World
    database: Database
    build: Build
    name: str
    wallets: Sequence[WalletRow]
    symbols: Sequence[SymbolRow]
    until_ms: int
    appoint: Callable[[str, int], None]
    process: Process = field(init=False)
    # What the client was told: the order's id by the ticket's own id.
    told: dict[str, UUID] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    _draws: random.Random = field(init=False)
    _session: Session | None = None
    _asking: tuple[WalletRow, Ticket] | None = None
    _sent: list[tuple[WalletRow, Ticket]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draws = self.world.draws(f"client {self.name}")
        # What dies here is the web process that serves the request; the client asks again.
        self.process = Process(self.name, self._run, self._gone, crash_chance=0.01)

    def _gone(self) -> None:
        if self._session is not None:
            self._session.end()

    def _run(self) -> Steps:
        self._session = Session(self.database, self.name)
        while self.world.now_ms < self.until_ms:
            if self._asking is None:
                yield Step("thinks", self._draws.randint(300, 4_000))
                self._asking = self._composed()
            wallet, ticket = self._asking
            try:
                yield from self._ask(wallet, ticket)
            except SessionGoneError:
                self._session = Session(self.database, self.name)
                yield Step("asks again", 50)
                continue
            except LockTimeoutError:
                self._rolled_back("order.busy")
                yield Step("is told to come again", 100)
                continue
            except Problem as problem:
                self._rolled_back(problem.code)
                self._judge_refusal(ticket, problem.code)
            self._asking = None

    def _rolled_back(self, code: str) -> None:
        assert self._session is not None
        if self._session.open is not None:
            self._session.open.roll_back()
        self.world.seen[f"answer: {code}"] += 1
        self.world.say(self.name, "is refused: {}", code)

    def _judge_refusal(self, ticket: Ticket, code: str) -> None:
        junk = ticket.client_order_id.endswith("-junk")
        if code in NEVER_BY_GOOD_TICKETS and not junk:
            self.world.found("rules 2", f"{code} for the good ticket {ticket}")
        if ticket.client_order_id in self.told and code != "order.client_order_id.reused":
            self.world.found("rules 2", f"{code} for the accepted {ticket.client_order_id}")

    def _composed(self) -> tuple[WalletRow, Ticket]:
        draws = self._draws
        if self._sent and draws.random() < 0.15:
            wallet, ticket = draws.choice(self._sent)
            # The same order again, or other terms under a used id.
            changed = replace(ticket, direction="up" if ticket.direction == "down" else "down")
            return wallet, changed if draws.random() < 0.3 else ticket
        wallet, symbol = draws.choice(self.wallets), draws.choice(self.symbols)
        ticket = Ticket(
            client_order_id=f"{self.name}-{len(self._sent)}",
            symbol=symbol.code,
            direction=draws.choice(("up", "down")),
            stake=format_minor(draws.choice(STAKES), CURRENCY),
            wallet_id=wallet.id,
            duration_s=draws.choice(DURATIONS_S),
        )
        if draws.random() < 0.15:
            at_ms = self.database.now_ms() + draws.randint(1_000, 15_000)
            ticket = replace(ticket, duration_s=None, expires_at_ms=at_ms)
        if draws.random() < 0.15:
            price = self.database.table("head")[symbol.id].head.tick_price or 1
            expected = format_scaled(price, symbol.price_scale)
            drift = format_scaled(draws.choice((0, 2, 50)), symbol.price_scale)
            ticket = replace(ticket, expected_price=expected, max_price_drift=drift)
        if draws.random() < 0.12:
            ticket = replace(ticket, client_order_id=f"{self.name}-{len(self._sent)}-junk", **draws.choice(JUNK))
        self._sent.append((wallet, ticket))
        return wallet, ticket

    def _ask(self, wallet: WalletRow, ticket: Ticket) -> Steps:
        """Place an order in one transaction, with a step between any two of its statements."""
        assert self._session is not None
        transaction = self._session.begin()
        early: AccountRow | None = None
        if not self.build.wallet_locked:
            early = transaction.read("account", wallet.id)
            yield Step("has read the wallet", self._takes())
        yield from transaction.lock("account", [wallet.id], LOCK_LIMIT_MS)
        yield Step("holds the wallet", self._takes())
        now_ms = self.database.now_ms()
        balance = early or transaction.read("account", wallet.id)
        order_id = transaction.read("asked", (wallet.id, ticket.client_order_id)) if self.build.repeats_known else None
        asked = _asked(ticket)
        if order_id is not None:
            stored = transaction.read("order", order_id)
            transaction.commit()
            self._answer_repeat(ticket, stored, asked)
            return
        symbol, head = self._standing(ticket.symbol)
        terms = self.build.order_admit(
            ticket=ticket,
            stake=_stake(ticket),
            account=Account(False, None, None, email_verified=True),
            wallet=self._wallet(transaction, wallet, balance),
            market=None if symbol is None else self._market(symbol, head, now_ms),
            now_ms=now_ms,
        )
        yield Step("is admitted", self._takes())
        order = self._written(transaction, wallet, ticket, terms, balance)
        transaction.notes.append(PlacedNote(order["id"], symbol, head, now_ms))
        yield Step("commits the order", self._takes())
        transaction.commit()
        yield Step("has committed the order", self._takes())
        self.world.seen["accepted"] += 1
        self.world.say(self.name, "has order {} {} {}", ticket.client_order_id, order["direction"], order["symbol"])
        self._answer(ticket, order)
        if self._draws.random() < 0.5:
            expires_at_ms = order["expires_at_ms"]
            edges = (expires_at_ms, expires_at_ms, expires_at_ms - TRIMMED_WINDOW_MS, order["entry_until_ms"])
            self.appoint(ticket.symbol, self._draws.choice(edges) or expires_at_ms)

    def _answer_repeat(self, ticket: Ticket, stored: OrderRow, asked: str) -> None:
        self.world.seen["repeated"] += 1
        if stored["asked"] != asked:
            raise Problem("order.client_order_id.reused", status=422, title="other terms")
        self._answer(ticket, stored)

    def _answer(self, ticket: Ticket, order: OrderRow) -> None:
        known = self.told.setdefault(ticket.client_order_id, order["id"])
        if known != order["id"]:
            self.world.found("I-23", f"{ticket.client_order_id} is answered with {known} and with {order['id']}")

    def _wallet(self, transaction: Transaction, wallet: WalletRow, balance: AccountRow) -> Wallet:
        stakes: AccountRow = transaction.read("account", wallet.stakes_id)
        nobody = (None, None, None, None, None)
        ids = (wallet.id, wallet.user_id, wallet.book, CURRENCY)
        return Wallet(*ids, balance.balance, wallet.stakes_id, stakes.balance, *nobody)

    def _standing(self, code: str) -> tuple[SymbolRow | None, HeadRow]:
        symbol = next((row for row in self.database.table("symbol").values() if row.code == code), None)
        return symbol, HeadRow() if symbol is None else self.database.table("head")[symbol.id]

    def _market(self, symbol: SymbolRow, row: HeadRow, now_ms: int) -> Market:
        """Return a market as it stands (``trading.services._market``)."""
        facts = MarketFacts(
            operator_state=symbol.operator_state,
            closed_by_feed=row.closed_by_feed,
            clock_sane=row.clock_sane,
            heartbeat_ms=row.heartbeat_ms,
            tick_seq=row.head.seq,
            tick_at_ms=row.head.tick_at_ms,
            tick_price=row.head.tick_price,
            max_tick_age_ms=symbol.max_tick_age_ms,
        )
        return Market(
            symbol_id=symbol.id,
            code=symbol.code,
            offered=True,
            state=self.build.market_state(facts, now_ms=now_ms),
            price_scale=symbol.price_scale,
            payout_percent=symbol.payout_percent,
            min_stake=100,
            max_stake=50_000,
            min_duration_s=1,
            max_duration_s=3_600,
            purchase_deadline_s=1,
            max_tick_age_ms=symbol.max_tick_age_ms,
            entry_rule=symbol.entry_rule,
            settlement_rule=symbol.settlement_rule,
            revision=1,
            custom=False,
            session_closes_ms=None,
            exposure_cap=None,
            exposure=None,
            tick_seq=row.head.seq,
            tick_at_ms=row.head.tick_at_ms,
            tick_price=row.head.tick_price,
            watermark_ms=row.head.watermark_ms,
        )

    def _written(
        self, transaction: Transaction, wallet: WalletRow, ticket: Ticket, terms: Terms, balance: AccountRow
    ) -> OrderRow:
        """Reserve the stake and store the order (``trading.statements.PLACE``)."""
        order_id = order_id_of(self._draws, terms.accepted_at_ms)
        order = _order_row(order_id, wallet, ticket, terms)
        stakes = transaction.read("account", wallet.stakes_id)
        guarded = {
            wallet.id: GuardedBalance(balance.balance, balance.entry_no),
            wallet.stakes_id: GuardedBalance(stakes.balance, stakes.entry_no),
        }
        draft = TransferDraft(Family.ORDER_STAKE, "stake", order_id, wallet.id, wallet.stakes_id, terms.stake)
        try:
            post(self.build, transaction, [draft], guarded)
        except InsufficientFundsError:
            raise Problem("wallet.insufficient_funds", status=422, title="second wall") from None
        transaction.insert("order", order_id, order)
        transaction.insert("open", order_id, {name: order[name] for name in OPEN_COLUMNS})
        if self.build.repeats_known:
            transaction.insert("asked", (wallet.id, ticket.client_order_id), order_id)
        return order

    def _takes(self) -> int:
        drawn = self._draws.random()
        return 0 if drawn < 0.5 else self._draws.randint(1, 5) if drawn < 0.97 else self._draws.randint(100, 2_500)


OPEN_COLUMNS = ("id", "symbol_id", "expires_at_ms", "entry_after_seq", "entry_until_ms")


def post(
    build: Build, transaction: Transaction, drafts: Sequence[TransferDraft], guarded: dict[UUID, GuardedBalance]
) -> None:
    """Number transfers, store them under their facts, and store the balances that they leave."""
    for done in build.numbered(drafts, guarded):
        fact = (done.draft.family, done.draft.reference)
        if build.facts_keyed:
            transaction.insert("transfer", fact, done)
        else:
            transaction.append("transfers more", [done])
    for account_id, kept in guarded.items():
        transaction.write("account", account_id, AccountRow(kept.balance, kept.entry_no))


def _stake(ticket: Ticket) -> int | None:
    try:
        return parse_amount(ticket.stake, CURRENCY)
    except AmountPrecisionError:
        return None


def _asked(ticket: Ticket) -> str:
    return f"{replace(ticket, client_order_id='')}"


def _order_row(order_id: UUID, wallet: WalletRow, ticket: Ticket, terms: Terms) -> OrderRow:
    opening, wait = terms.opening, terms.wait
    return {
        "id": order_id,
        "user_id": wallet.user_id,
        "wallet_id": wallet.id,
        "stakes_id": wallet.stakes_id,
        "book": wallet.book,
        "currency": CURRENCY,
        "client_order_id": ticket.client_order_id,
        "asked": _asked(ticket),
        "symbol_id": terms.symbol_id,
        "symbol": terms.symbol,
        "direction": terms.direction.value,
        "stake": terms.stake,
        "payout_percent": terms.payout_percent,
        "entry_rule": terms.entry_rule,
        "settlement_rule": terms.settlement_rule,
        "max_tick_age_ms": terms.max_tick_age_ms,
        "revision": terms.revision,
        "price_scale": terms.price_scale,
        "accepted_at_ms": terms.accepted_at_ms,
        "expires_at_ms": terms.expires_at_ms,
        "expected_price": terms.expected_price,
        "max_price_drift": terms.max_price_drift,
        "entry_after_seq": wait and wait.after_seq,
        "entry_after_ms": wait and wait.after_ms,
        "entry_until_ms": wait and wait.until_ms,
        "entered_at_ms": opening and terms.accepted_at_ms,
        "open_seq": opening and opening.seq,
        "open_at_ms": opening and opening.at_ms,
        "open_price": opening and opening.price,
        "state": "open",
        "payout": None,
        "reason": None,
        "close_seq": None,
        "close_price": None,
    }
