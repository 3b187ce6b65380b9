"""What the report on equal execution is made of: how long orders took, and which were refused, client by client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import enumerate as threads_alive
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts.callers import caller_of
from kernel.errors import Problem
from kernel.metrics import counted
from tests.books import fingerprint
from tests.logged import statements_logged
from tests.market import Market, Trader, market_open, order_row, trader_open
from tests.support import eventually
from trading import refusals
from trading.models import Order, RefusalCount

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    refusals.refusals_forget()
    yield
    refusals.refusals_end()
    refusals.refusals_forget()


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def refused(trader: Trader, market: Market | str, code: str, **terms: Any) -> None:
    with pytest.raises(Problem) as problem:
        trader.place(market, **terms)
    assert problem.value.code == code


def tallied() -> dict[tuple[str, str], int]:
    """Return the counts of the only client and day by ledger and code."""
    rows = list(RefusalCount.objects.all())
    assert len({(row.user_id, row.day) for row in rows}) <= 1
    assert {row.day for row in rows} <= {datetime.now(UTC).date()}
    return {(row.book_kind, row.code): row.count for row in rows}


# --- how long orders take --------------------------------------------------------------------------


def test_an_order_keeps_how_long_it_took(market: Market, trader: Trader) -> None:
    """Equal execution: the time from the request's arrival to the write, in microseconds, never in its answer."""
    began_ns = time.monotonic_ns()
    order = trader.place(market)
    handled_us = order_row(order).handled_us
    assert handled_us is not None
    assert 0 < handled_us <= (time.monotonic_ns() - began_ns) // 1_000
    assert not hasattr(order, "handled_us")


def test_what_delays_a_request_on_its_way_to_placement_is_measured(
    market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal execution: the clock runs from the first middleware on; a request held before placement shows."""
    held_s = 0.05

    def held(*arguments: Any, **named: Any) -> Any:
        time.sleep(held_s)
        return caller_of(*arguments, **named)

    monkeypatch.setattr("trading.api.caller_of", held)
    body = {"ledger": "demo", "symbol": market.code, "direction": "up", "stake": "10.00", "duration_s": 60}
    client = trader.http()
    market.admitted("1.08512")
    placed = client.post("/api/v1/orders", body | {"client_order_id": "a"}, content_type="application/json")
    assert placed.status_code == 201
    handled_us = order_row(placed.json()["id"]).handled_us
    assert handled_us is not None
    assert handled_us >= held_s * 1_000_000


def test_the_measured_time_is_frozen_with_the_order(market: Market, trader: Trader) -> None:
    """Rules 2, what is frozen: nobody betters a measured time, not even while the order is open."""
    order = trader.place(market)
    with pytest.raises(DatabaseError, match="frozen"), transaction.atomic():
        Order.objects.filter(pk=order.id).update(handled_us=1)


def test_placement_never_sees_the_measured_time() -> None:
    """Rules 2: never a different path; neither admission nor what it reads knows the column."""
    from trading import domain, statements

    assert "handled_us" not in statements.FACTS
    for seen in (domain.Ticket, domain.Account, domain.Wallet, domain.Market, domain.Terms):
        assert not {"handled_us", "arrived_ns"} & set(seen.__dataclass_fields__)


# --- refused orders --------------------------------------------------------------------------------


def test_refusals_are_counted_by_client_ledger_and_code(market: Market, trader: Trader) -> None:
    """Equal execution: each refusal once, whether the ticket names a ledger or a wallet, of a client or of nobody."""
    for _ in range(2):
        refused(trader, market, "order.stake.below_minimum", stake="0.01", ledger="real")
    refused(trader, market, "order.stake.below_minimum", stake="0.01", wallet_id=trader.wallets["real"])
    refused(trader, "NOPE", "symbol.unknown", ledger="demo")
    refused(trader, market, "wallet.unknown", wallet_id=uuid4())
    refused(trader, market, "wallet.unknown", wallet_id=trader_open().wallets["demo"])
    assert refusals.refusals_write() == 6
    assert tallied() == {
        ("real", "order.stake.below_minimum"): 3,
        ("demo", "symbol.unknown"): 1,
        ("none", "wallet.unknown"): 2,
    }
    refused(trader, "NOPE", "symbol.unknown", ledger="demo")
    assert (refusals.refusals_write(), refusals.refusals_write()) == (1, 0)
    assert tallied()["demo", "symbol.unknown"] == 2


def test_a_refusal_writes_nothing_with_the_request(market: Market, trader: Trader) -> None:
    """Rules 2: the first check that fails is the answer, and nothing has changed; the count is made in memory."""
    before = fingerprint()
    with statements_logged() as log:
        refused(trader, market, "order.stake.below_minimum", stake="0.01")
    assert not [text for text in log if text.lstrip().startswith(("INSERT", "UPDATE", "DELETE"))]
    assert not [text for text in log if "trading_refusal_count" in text]
    assert fingerprint() == before


def test_what_a_known_caller_is_refused_before_there_is_a_ticket_is_counted(
    market: Market, trader: Trader, settings: Any
) -> None:
    """Equal execution: a rate limit that is tighter for some would show; a stranger's request belongs to no client."""
    client = trader.http()
    assert client.post("/api/v1/orders", "{", content_type="application/json").status_code == 400
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"orders": (1, 60, 1)}
    limited = trader.http()
    codes = [limited.post("/api/v1/orders", "{", content_type="application/json").json()["code"] for _ in range(2)]
    assert codes == ["request.invalid", "rate.limited"]
    assert Client().post("/api/v1/orders", "{", content_type="application/json").status_code == 401
    refusals.refusals_write()
    assert tallied() == {("none", "request.invalid"): 2, ("none", "rate.limited"): 1}


def test_counts_outlive_an_outage_of_the_database(
    market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-07: what could not be written is written next time, with what came meanwhile."""
    refused(trader, "NOPE", "symbol.unknown")
    with monkeypatch.context() as broken:
        broken.setattr(refusals, "_ADD", "SELECT 1 / 0")
        with pytest.raises(DatabaseError):
            refusals.refusals_write()
    refused(trader, "NOPE", "symbol.unknown")
    assert refusals.refusals_write() == 2
    assert tallied() == {("demo", "symbol.unknown"): 2}


def test_memory_is_bounded(market: Market, trader: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal execution: a flood of refusals holds a bounded number of sums; what does not fit is told."""
    monkeypatch.setattr(refusals, "SUMS_MAX", 1)
    before = counted("refusals_uncounted")
    refused(trader, "NOPE", "symbol.unknown")
    refused(trader, "NOPE", "symbol.unknown")
    refused(trader, market, "order.stake.below_minimum", stake="0.01")
    assert counted("refusals_uncounted") - before == 1
    assert refusals.refusals_write() == 2


@pytest.mark.django_db(transaction=True)
def test_one_thread_writes_and_the_end_of_the_process_writes_the_rest(
    market: Market, trader: Trader, settings: Any
) -> None:
    """Equal execution: counts reach the table by themselves; what an ending process still holds is written at once."""
    settings.REFUSALS_WRITTEN_EVERY_S = 0.01
    refused(trader, "NOPE", "symbol.unknown")
    refused(trader, "NOPE", "symbol.unknown")
    assert eventually(lambda: tallied() == {("demo", "symbol.unknown"): 2}, within_s=10)
    assert len([thread for thread in threads_alive() if thread.name == "refusals"]) == 1
    settings.REFUSALS_WRITTEN_EVERY_S = 3_600
    refused(trader, "NOPE", "symbol.unknown")
    refusals.refusals_end()
    assert tallied() == {("demo", "symbol.unknown"): 3}
    assert not [thread for thread in threads_alive() if thread.name == "refusals"]
    assert connection.is_usable()


@pytest.mark.django_db(transaction=True)
def test_a_server_that_is_stopped_writes_the_rest(market: Market, trader: Trader, settings: Any) -> None:
    """Equal execution: uvicorn ends by its signal, which skips Python's own exit; its last message to us is enough."""
    from config.asgi import application

    settings.REFUSALS_WRITTEN_EVERY_S = 3_600
    refused(trader, "NOPE", "symbol.unknown")
    messages, answers = iter(["lifespan.startup", "lifespan.shutdown"]), list[str]()

    async def receive() -> dict[str, str]:
        return {"type": next(messages)}

    async def send(message: dict[str, str]) -> None:
        answers.append(message["type"])

    asyncio.run(application({"type": "lifespan"}, receive, send))
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert tallied() == {("demo", "symbol.unknown"): 1}


def test_the_rest_of_placement_is_as_it_was(market: Market, trader: Trader) -> None:
    """Performance, data path 1: the column rides in the third statement; there is no fourth."""
    with statements_logged() as log:
        trader.place(market)
    assert len([text for text in log if "trading_" in text or "ledger_account" in text]) == 3
