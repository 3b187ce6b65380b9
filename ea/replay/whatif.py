"""What other limits would have done: the signals of the log through the same rules, onto a ledger on paper.

What came of a signal for reasons that limits have no say in stays: an unknown symbol, a deadline, a halted market. An
order that was placed keeps its opening and its end; only its stake may be another one. A signal that limits held back,
and that these would not, is placed on paper at the price of then and settled by the ticks that followed.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from accounts.domain import ledger_of
from ea.deciding import Denied, Route, ask_of, ticket_of, wallet_of
from ea.domain import State
from ea.protocol import Signal
from ea.replay.folding import FoldedOrder, LoggedEvent, PlacedRow, Step, folded, signal_read
from ea.replay.history import Page, Scope, pages_decided, snapshot, steps_until, undecided
from ea.replay.market import TicksGoneError, market_at, placement_on_paper
from ea.replay.paper import Figures, Group, PaperLedger, PaperOrder, payout_of
from ea.risk import tightened
from ea.risk_limits import NAMES, Limits
from ea.risk_past import Past
from ea.risk_rules import Ask, facts_asked, judge
from kernel import db
from kernel.errors import Problem
from ledger.selectors import WalletRow, entries_of_reference, numbers_between, statement, wallet_places
from trading.domain import OrderState, Ticket

EXAMPLES_MAX = 20
TAKEN = "taken"
TICKS_GONE, UNANSWERED = "ticks in the archive only", "submitted without an answer"
_OF_LIMITS = frozenset(f"risk.{name}" for name in NAMES)
_FUNDS = "order.insufficient_funds"
_OF_GUARDS = frozenset({"order.payout_moved", "order.price_moved"})
_REFUSED = frozenset({State.DENIED, State.EXPIRED, State.REJECTED})

_ticket_decoded = msgspec.json.Decoder(Ticket).decode


_ROUTES = """
SELECT event.id, link.user_id, link.ledger, link.wallet_id, key.ledgers FROM ea_event AS event
JOIN ea_link AS link ON link.id = event.link_id JOIN ea_key AS key ON key.kid = event.kid
WHERE event.id = ANY(%(ids)s::bigint[])"""

_RESETS = """
SELECT link_id, wallet_id, stop, at_ms FROM ea_risk_stop WHERE act = 'reset' AND at_ms < %(until_ms)s
  AND (%(link_id)s::bigint IS NULL OR link_id = %(link_id)s) ORDER BY at_ms, id"""


@dataclass(frozen=True, slots=True)
class _Reset:
    """A stop of an installation on a wallet was reset by its owner."""

    link_id: int
    wallet_id: UUID
    stop: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a signal asks for under these limits, and where.

    :param ticket: with guards as strict as the limits
    :param wallet: with its balance on paper
    """

    ticket: Ticket
    wallet: WalletRow
    group: Group
    ask: Ask


@dataclass(slots=True)
class WhatIf:
    """What limits would have done beside what happened.

    :param undecided: events without a decision, which are left out
    :param unknown: signals that cannot be judged, by reason; they count as taken nowhere
    :param on_paper: orders that nobody placed
    :param warnings: soft values that were passed
    :param differing: how many signals were decided otherwise, the first of them as examples
    """

    paper: PaperLedger = field(default_factory=PaperLedger)
    real: PaperLedger = field(default_factory=PaperLedger)
    signals: int = 0
    undecided: int = 0
    on_paper: int = 0
    differing: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def differ(self, event: LoggedEvent, here: str, there: str) -> None:
        """Take note of a signal that these limits decide otherwise."""
        if here != there:
            self.differing += 1
            if len(self.examples) < EXAMPLES_MAX:
                self.examples.append(f"{event.event_id}: {there} became {here}")

    def document(self) -> dict[str, Any]:
        """Return everything by name; money in minor units."""
        groups = sorted({*self.paper.figures, *self.real.figures})
        return {
            "signals": self.signals,
            "undecided": self.undecided,
            "unknown": dict(sorted(self.unknown.items())),
            "on_paper": self.on_paper,
            "differing": self.differing,
            "warnings": dict(sorted(self.warnings.items())),
            "groups": [
                group._asdict() | {"paper": _figures(self.paper, group), "real": _figures(self.real, group)}
                for group in groups
            ],
            "examples": self.examples,
        }


def _figures(ledger: PaperLedger, group: Group) -> dict[str, Any]:
    return ledger.figures.get(group, Figures()).document()


def what_if(limits: Limits, scope: Scope) -> WhatIf:
    """Run the decided signals of the log through limits, in the order of their decisions; nothing is written."""
    with snapshot():
        run = _Run(limits, _resets(scope))
        for page in pages_decided(scope):
            run.play(page, scope)
        run.settle(scope.until_us // 1_000 - 1)
        run.found.undecided = undecided(scope)
    return run.found


@dataclass(frozen=True, slots=True)
class _Case:
    """A decided signal with all that is on record about it."""

    event: LoggedEvent
    steps: Sequence[Step]
    order: FoldedOrder
    signal: Signal | None
    placed: PlacedRow | None
    route: Route | None

    @property
    def now_ms(self) -> int:
        """When it was decided."""
        return self.steps[0].at_us // 1_000

    @property
    def refused(self) -> str | None:
        """The code that it was refused with; None for an order that was accepted."""
        return self.order.code if State(self.order.state) in _REFUSED else None

    @property
    def known_at_ms(self) -> int:
        """When the bridge knew the result of its order."""
        assert self.placed is not None
        at_us = next((step.at_us for step in self.steps if step.state == State.SETTLED), None)
        return (self.placed.settled_at_ms or self.placed.expires_at_ms) if at_us is None else at_us // 1_000

    def taken(self, wish: _Wish, stake: int) -> PaperOrder:
        """Return its order with a stake on paper: the market has ended it as it was."""
        assert self.placed is not None
        state = OrderState(self.placed.state)
        result = None if state is OrderState.OPEN else state
        return _paper(self.event, wish, stake, result, self.placed.payout_percent, self.known_at_ms)


def _paper(
    event: LoggedEvent, wish: _Wish, stake: int, result: OrderState | None, payout_percent: int, known_at_ms: int
) -> PaperOrder:
    payout = 0 if result is None else payout_of(result, stake=stake, payout_percent=payout_percent)
    return PaperOrder(event.id, event.link_id, wish.group, wish.wallet.id, stake, result, payout, known_at_ms)


class _Run:
    """One pass over the log."""

    def __init__(self, limits: Limits, coming: Sequence[_Reset]) -> None:
        self.found = WhatIf()
        self._limits = limits
        self._asked = facts_asked(limits)
        self._pasts: defaultdict[UUID, Past] = defaultdict(Past)
        self._resets = deque(coming)

    def play(self, page: Page, scope: Scope) -> None:
        """Take a page of signals."""
        ways = _routes(event.id for event in page.events)
        for event in page.events:
            steps = steps_until(page.steps[event.id], scope.until_us)
            signal, placed = signal_read(event), page.placed.get(event.id)
            self._signal(_Case(event, steps, folded(event, steps), signal, placed, ways.get(event.id)))

    def settle(self, now_ms: int) -> None:
        """Let results and resets of up to an instant be known, in their order."""
        while self._resets and self._resets[0].at_ms <= now_ms:
            reset = self._resets.popleft()
            self._results(reset.at_ms)
            self._pasts[reset.wallet_id].reset(reset.link_id, reset.stop, at_ms=reset.at_ms)
        self._results(now_ms)

    def _results(self, now_ms: int) -> None:
        for order in self.found.paper.settled_until(now_ms):
            past = self._pasts[order.wallet_id]
            past.settled(str(order.event), payout=order.payout, at_ms=order.known_at_ms)
        for _ in self.found.real.settled_until(now_ms):
            pass

    def _signal(self, case: _Case) -> None:
        self.settle(case.now_ms)
        self.found.signals += 1
        wish, refused = self._wish(case), case.refused
        group = Group("", "", case.order.strategy, case.order.symbol or "") if wish is None else wish.group
        if refused is not None:
            self.found.real.deny(group, refused)
        elif case.placed is not None and wish is not None:
            self.found.real.take(case.taken(wish, case.placed.stake))
        else:
            self.found.unknown[UNANSWERED] += 1
            return
        # Where nothing is wished for, limits were never asked.
        decided = refused or "" if wish is None else self._decided(case, wish)
        if decided == TICKS_GONE:
            self.found.unknown[decided] += 1
            return
        if isinstance(decided, str):
            self.found.paper.deny(group, decided)
        else:
            self.found.paper.take(decided)
        here = decided if isinstance(decided, str) else TAKEN
        self.found.differ(case.event, here, refused or TAKEN)

    def _decided(self, case: _Case, wish: _Wish) -> PaperOrder | str:
        """Return the order that a signal becomes on paper, or the code that it is refused with."""
        past, event, ask = self._pasts[wish.wallet.id], case.event, wish.ask
        payout_percent, price = self._market(case, wish)
        facts = past.facts(
            ask, link=event.link_id, now_ms=case.now_ms, kid=event.kid, payout_percent=payout_percent, price=price
        )
        verdict = judge(facts, self._limits, ask)
        self.found.warnings.update(verdict.warnings)
        past.tripped(event.link_id, verdict.trips)
        if verdict.code is not None:
            return verdict.code
        bound = self._limits.hard.orders_per_minute
        past.placed(str(event.id), ask, link=event.link_id, kid=event.kid, now_ms=case.now_ms, per_minute=bound)
        order = self._placed(case, wish)
        if isinstance(order, str):
            past.rejected(str(event.id))
        return order

    def _market(self, case: _Case, wish: _Wish) -> tuple[int | None, Decimal | None]:
        """Return what the symbol paid and its newest price, where limits ask for it."""
        market = None
        if "market" in self._asked:
            market = market_at(wish.group.symbol, real=wish.group.ledger == "real", now_ms=case.now_ms)
        if market is None:
            return None, None
        price = None if market.tick_price is None else Decimal(market.tick_price).scaleb(-market.price_scale)
        return market.payout_percent if case.placed is None else case.placed.payout_percent, price

    def _placed(self, case: _Case, wish: _Wish) -> PaperOrder | str:
        """Return the order of a signal that limits let pass, or the code that placement refuses it with."""
        if case.placed is not None:
            return _FUNDS if wish.ask.stake > wish.wallet.balance else case.taken(wish, wish.ask.stake)
        if case.refused is not None and not _judged_anew(case, wish):
            return case.refused
        owner = wallet_places([wish.wallet.id])[wish.wallet.id].owner_id
        try:
            made = placement_on_paper(ticket=wish.ticket, wallet=wish.wallet, owner_id=owner, now_ms=case.now_ms)
        except TicksGoneError:
            return TICKS_GONE
        except Problem as problem:
            return problem.code
        self.found.on_paper += 1
        terms = made.terms
        return _paper(case.event, wish, terms.stake, made.result, terms.payout_percent, terms.expires_at_ms)

    def _wish(self, case: _Case) -> _Wish | None:
        """Return what a signal asked for, None where it came to nothing before limits were asked."""
        signal, order = case.signal, case.order
        wallet = None if signal is None else _wallet(case, signal)
        if signal is None or wallet is None or order.symbol is None:
            return None
        wallet = replace(wallet, balance=self._balance(case, wallet.id))
        ticket = ticket_of(case.event.event_id, signal, order.symbol, wallet)
        if order.ticket is not None and not self._apart(wallet.id):
            # Between the decision and the balance that is read here it may have moved: what was frozen counts.
            ticket = replace(ticket, stake=_ticket_decoded(order.ticket).stake)
        ticket = tightened(ticket, self._limits, ref_price=signal.ref_price)
        group = Group(str(ledger_of(wallet.book)), wallet.currency, order.strategy, order.symbol)
        return _Wish(ticket, wallet, group, ask_of(ticket, signal, wallet, now_ms=case.now_ms))

    def _balance(self, case: _Case, wallet_id: UUID) -> int:
        """Return a wallet's balance on paper: what it was, but for what the bridge did to it here and there."""
        placed = case.placed
        entries = [] if placed is None else entries_of_reference(account_id=wallet_id, reference=placed.id)
        if entries:
            # The stake was the first thing that the order moved.
            then = entries[-1].balance_after - entries[-1].amount
        else:
            no, _ = numbers_between(account_id=wallet_id, from_ms=case.now_ms, to_ms=None)
            before = statement(account_id=wallet_id, before_no=no, limit=1)
            then = before[0].balance_after if before else 0
        return then + self._apart(wallet_id)

    def _apart(self, wallet_id: UUID) -> int:
        return self.found.paper.moved(wallet_id) - self.found.real.moved(wallet_id)


def _wallet(case: _Case, signal: Signal) -> WalletRow | None:
    """Return the wallet of the ticket that was frozen, or of the one that limits held back; its balance is of today."""
    frozen, route = case.order.wallet_id, case.route
    if frozen is not None:
        place = wallet_places([UUID(frozen)])[UUID(frozen)]
        return WalletRow(place.wallet_id, place.book, "wallet", place.currency, 0, 0)
    if route is None or case.order.code not in _OF_LIMITS:
        return None
    try:
        return wallet_of(route, signal)
    except Denied:
        # Its key or its route has been changed since.
        return None


def _judged_anew(case: _Case, wish: _Wish) -> bool:
    """Whether a refusal may be another one here: it was for limits or for money, or for guards that limits had set."""
    if case.refused in _OF_LIMITS or case.refused == _FUNDS:
        return True
    if case.refused not in _OF_GUARDS or case.order.ticket is None:
        return False
    frozen = _ticket_decoded(case.order.ticket)
    return _guards(frozen) != _guards(wish.ticket)


def _guards(ticket: Ticket) -> tuple[int | None, str | None]:
    return ticket.min_payout_percent, ticket.max_price_drift


def _routes(events: Iterable[int]) -> dict[int, Route]:
    """Return whose wallets the signals of events may trade on, by the events' numbers; as it stands today."""
    found = db.rows(_ROUTES, {"ids": db.numbers_array(events)})
    return {row[0]: Route(*row[1:]) for row in found}


def _resets(scope: Scope) -> list[_Reset]:
    """Return the resets of risk stops in their order."""
    return [_Reset(*row) for row in db.rows(_RESETS, scope.parameters())]
