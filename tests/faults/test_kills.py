"""Runtimes killed with SIGKILL while orders are placed and settled (F-01, F-02, F-03)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx
import pytest

from accounts.services import token_create
from kernel import db
from kernel.errors import Problem
from quotes.models import SymbolHead
from quotes.services import NewSymbol, symbol_add
from settlement.audit import orders_audit
from tests.books import violations
from tests.faults.processes import PARSER, WORKER, Runtimes, free_port, web
from tests.market import Market, Trader, db_now_ms, market_open, trader_open
from tests.support import eventually
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(300)]

CODE = "EURUSD"


def _offer() -> int:
    return symbol_add(NewSymbol(code=CODE, feed="simulator", source=CODE, min_duration_s=1)).id


def _seq(symbol_id: int) -> int:
    return SymbolHead.objects.get(symbol_id=symbol_id).seq


def _place(trader: Trader, number: int) -> str:
    """Place one short order; while the parser is dead the market is stale and refuses."""
    try:
        ledger = "real" if number % 2 else "demo"
        return trader.place(CODE, "up" if number % 3 else "down", "1.00", ledger=ledger, duration_s=1).id
    except Problem as problem:
        return problem.code


def _all_settled() -> bool:
    return Order.objects.exists() and not Order.objects.filter(state="open").exists()


def _settled_now() -> int:
    return Order.objects.exclude(state="open").count()


def test_worker_and_parser_are_killed_and_recovered(runtimes: Runtimes) -> None:
    """Issue, F-02, F-03: every accepted order settles once and by the log; nothing is accepted on stale quotes."""
    symbol_id, traders = _offer(), [trader_open(real="500.00") for _ in range(2)]
    runtimes.start("parser", PARSER)
    runtimes.start("worker", WORKER)
    eventually(lambda: _seq(symbol_id) > 2, within_s=60)
    answers: Counter[str] = Counter()
    accepted: list[str] = []
    numbers = count()

    def trade(orders: int) -> None:
        for _ in range(orders):
            number = next(numbers)
            answer = _place(traders[number % 2], number)
            if "." in answer:
                answers[answer] += 1
            else:
                accepted.append(answer)

    for victims in (["worker"], ["parser"], ["worker", "parser"]):
        eventually(lambda: _accepts(traders[0], accepted), within_s=60, every_s=0.2)
        trade(40)
        before = _settled_now()
        for victim in victims:
            runtimes.kill(victim)
        trade(20)
        for victim in victims:
            runtimes.start(victim, WORKER if victim == "worker" else PARSER)
        trade(20)
        eventually(lambda before=before: _settled_now() > before, within_s=60)  # type: ignore[misc]

    eventually(_all_settled, within_s=60)
    assert set(answers) <= {"market.stale"}
    assert Order.objects.count() == len(accepted) == len(set(accepted))
    assert violations() == {}
    result = orders_audit(from_ms=None, to_ms=None)
    assert (result.checked, result.differences, result.unavailable) == (len(accepted), [], [])


def _accepts(trader: Trader, accepted: list[str]) -> bool:
    """Whether the market takes orders again; the order that shows it counts like any other."""
    answer = _place(trader, 0)
    if "." not in answer:
        accepted.append(answer)
        return True
    return False


def test_a_killed_web_process_loses_no_acknowledged_order(runtimes: Runtimes) -> None:
    """F-01, F-09: clients send the same id until they are answered; one order per id, none acknowledged and lost."""
    market, trader, port = market_open(max_tick_age_ms=600_000), trader_open(), free_port()
    _, secret = token_create(user_id=trader.user.id, scopes=("trade",), now_ms=db_now_ms())
    runtimes.start("web", web(port))
    address = f"http://127.0.0.1:{port}"
    eventually(lambda: _answers(address), within_s=60, every_s=0.2)
    acknowledged: dict[str, str] = {}

    def send(ident: str) -> None:
        """Send one order until it is answered, as the contract asks of clients."""
        body = {
            "ledger": "demo",
            "symbol": market.code,
            "direction": "up",
            "stake": "1.00",
            "duration_s": 3_600,
            "client_order_id": ident,
        }

        def answered() -> bool:
            try:
                answer = httpx.post(
                    f"{address}/api/v1/orders", json=body, headers={"Authorization": f"Bearer {secret}"}, timeout=5
                )
            except httpx.TransportError:
                return False
            if answer.status_code not in (200, 201):
                assert answer.json()["retryable"], answer.text
                return False
            acknowledged[ident] = answer.json()["id"]
            return True

        eventually(answered, within_s=90, every_s=0.1)

    with ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(send, f"id-{number}") for number in range(120)]
        for threshold in (15, 60):
            _heard_until(market, lambda threshold=threshold: len(acknowledged) >= threshold, within_s=60)  # type: ignore[misc]
            runtimes.kill("web")
            runtimes.start("web", web(port))
            _heard_until(market, lambda: _answers(address), within_s=60)
        _heard_until(market, lambda: all(sent.done() for sent in sending), within_s=100)
        for sent in sending:
            sent.result()
    stored = dict(db.rows("SELECT client_order_id, id::text FROM trading_order"))
    assert stored == acknowledged
    assert len(stored) == 120
    assert trader.balance() == 1_000_000 - 120 * 100
    assert violations() == {}


def _heard_until(market: Market, check: Callable[[], bool], *, within_s: float) -> None:
    """Wait while the feed goes on being heard: a market that is silent for 5 s takes no orders."""
    eventually(lambda: market.heartbeat() and check(), within_s=within_s, every_s=0.2)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
