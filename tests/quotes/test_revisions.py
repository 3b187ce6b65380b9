"""What a parser makes of a revision, and from which endpoints it may write (rules 1: revisions, custom feeds)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from kernel import db
from quotes.domain import RawTick
from quotes.feed_writer import Choice, FeedWriter, Report
from quotes.feeds import BINANCE, SCRIPT, SIMULATOR, Feed, FeedSettings, endpoint_allowed, feed_is_custom
from quotes.inbox import Cargo
from quotes.models import Symbol, SymbolRevision
from quotes.receive_clock import ReceiveClock
from quotes.revisions import revision_request, revision_terms
from quotes.services import NewSymbol, symbol_add
from settlement.revisions import revisions_activate
from tests.market import trader_open
from tests.quotes.market import code_new, database_now_ms
from tests.quotes.running import seq_of
from tests.quotes.ticks import raw
from tests.support import eventually

pytestmark = pytest.mark.django_db(transaction=True)
MIRROR = "ws://127.0.0.1:9/stream"


def symbol_new(feed: str = "script", **terms: Any) -> Symbol:
    """Offer a symbol."""
    code = code_new()
    return symbol_add(NewSymbol(code=code, feed=feed, source=code, **terms))


def revise(symbol: Symbol, **changes: Any) -> None:
    """Put a revision in force."""
    revision_request(
        code=symbol.code,
        terms=replace(revision_terms(symbol), **changes),
        reason="A test",
        by_id=None,
        now_ms=database_now_ms(),
    )
    assert eventually(revisions_activate, within_s=30) == 1
    symbol.refresh_from_db()


@contextmanager
def leading(*symbols: Symbol, feed: Feed = SCRIPT, override: str = "") -> Iterator[FeedWriter]:
    """Lead some symbols of a feed on this thread's session."""
    writer = FeedWriter(
        settings=FeedSettings(feed, override),
        clock=ReceiveClock(),
        choice=Choice(codes=frozenset(symbol.code for symbol in symbols)),
    )
    try:
        assert writer.lead()
        yield writer
    finally:
        writer.leave()


def beat(writer: FeedWriter) -> None:
    """Let a second pass: the writer looks at the symbols."""
    writer.beat(Report(connected=True, detail="", alive_ms=database_now_ms(), clock_offset_ms=None, clock_sane=True))


def write(writer: FeedWriter, source: str, price: str) -> None:
    """Let a quote come in now."""
    writer.write(Cargo([quote(source, price)], [], database_now_ms()))


def quote(source: str, price: str) -> RawTick:
    """Return a quote that happens and is received now."""
    now_ms = database_now_ms()
    return replace(raw(price, now_ms, recv_ms=now_ms), source=source)


def logged(symbol: Symbol) -> list[tuple[int, int, int]]:
    """Return the log: seq, price, revision."""
    found = db.rows("SELECT seq, price, revision FROM quotes_tick WHERE symbol_id = %s ORDER BY seq", [symbol.pk])
    return [(seq, price, revision) for seq, price, revision in found]


def refusals(symbol: Symbol) -> dict[str, int]:
    """Return how many ticks were refused, by reason."""
    return dict(db.rows("SELECT reason, count FROM quotes_refusal_count WHERE source = %s", [symbol.source]))


def test_a_parser_writes_by_the_new_terms_within_a_second_and_keeps_the_lead() -> None:
    """Rules 1: in flight under the old revision is refused and counted; the other symbols go on."""
    symbol, other = symbol_new(), symbol_new()
    with leading(symbol, other) as writer:
        write(writer, symbol.source, "1.08512")
        revise(symbol, price_scale=2)

        writer.write(Cargo([quote(symbol.source, "1.08513"), quote(other.source, "2.5")], [], database_now_ms()))
        beat(writer)
        write(writer, symbol.source, "1.08514")

    assert logged(symbol) == [(1, 108_512, 1), (2, 109, 2)]
    assert seq_of(other.pk) == 1
    assert refusals(symbol) == {"revision": 1}


def test_a_symbol_goes_to_another_feed_and_back_without_a_gap() -> None:
    """Rules 1: its numbers go on from feed to feed; the first parser reads again where the log stands."""
    symbol = symbol_new()

    def write_elsewhere() -> None:
        with leading(symbol, feed=SIMULATOR) as simulator:
            write(simulator, symbol.source, "1.08513")

    with leading(symbol) as writer:
        write(writer, symbol.source, "1.08512")
        revise(symbol, feed="simulator")
        with ThreadPoolExecutor(1) as thread:
            thread.submit(write_elsewhere).result(20)
        revise(symbol, feed="script")
        beat(writer)
        write(writer, symbol.source, "1.08514")

    assert logged(symbol) == [(1, 108_512, 1), (2, 108_513, 2), (3, 108_514, 3)]


def test_ticks_and_sockets_tell_prices_in_the_scale_of_their_revision() -> None:
    """Contract, ticks: what an order was settled by reads for ever as it read then."""
    symbol = symbol_new()
    with leading(symbol) as writer:
        write(writer, symbol.source, "1.08512")
        revise(symbol, price_scale=2)
        beat(writer)
        write(writer, symbol.source, "1.08514")

    ticks = Client().get(f"/api/v1/symbols/{symbol.code}/ticks").json()["data"]
    shown = Client().get(f"/api/v1/symbols/{symbol.code}").json()

    assert [tick["price"] for tick in ticks] == ["1.08512", "1.09"]
    assert (shown["price_scale"], shown["last_tick"]["price"]) == (2, "1.09")


@pytest.mark.parametrize(
    ("feed", "endpoint", "custom"),
    [("simulator", "", True), ("script", "", True), ("binance", "", False), ("binance", MIRROR, True)],
)
def test_what_makes_a_feed_a_custom_one(feed: str, endpoint: str, custom: bool) -> None:
    """Rules 1, custom feeds: generators, scripts, and overridden endpoints; a revision says so, too."""
    assert feed_is_custom(feed, endpoint) is custom

    symbol = symbol_new("kraken")
    assert symbol.custom is False
    revise(symbol, feed=feed, endpoint=endpoint)

    assert symbol.custom is custom
    assert Client().get(f"/api/v1/symbols/{symbol.code}").json()["feed_custom"] is custom


@pytest.mark.parametrize(
    ("recorded", "override", "production", "allowed"),
    [
        ("", "", True, True),
        ("", MIRROR, True, False),
        (MIRROR, "", True, False),
        (MIRROR, MIRROR, True, True),
        ("", MIRROR, False, True),
    ],
)
def test_a_parser_writes_from_the_endpoint_on_record(
    settings: Any, recorded: str, override: str, production: bool, allowed: bool
) -> None:
    """Rules 1, custom feeds: in production a parser that was pointed elsewhere writes nothing."""
    assert endpoint_allowed(recorded, override, production=production) is allowed
    settings.CUSTOM_FEEDS_ON_REAL = not production
    symbol = symbol_new("binance", endpoint=recorded)

    with leading(symbol, feed=BINANCE, override=override) as writer:
        beat(writer)
        write(writer, symbol.source, "1.08512")

    assert seq_of(symbol.pk) == (1 if allowed else 0)


def test_a_symbol_that_is_fed_from_elsewhere_is_marked() -> None:
    """Rules 1, custom feeds: in development nothing is refused, and nothing is hidden."""
    symbol = symbol_new("binance")

    with leading(symbol, feed=BINANCE, override=MIRROR):
        pass

    assert Symbol.objects.get(pk=symbol.pk).custom is True


def test_in_production_the_real_ledger_takes_a_custom_feed_only_when_it_is_declared(settings: Any) -> None:
    """Rules 1, custom feeds: undeclared ones are refused on the real ledger; demo takes both."""
    settings.CUSTOM_FEEDS_ON_REAL = False
    trader = trader_open(real="100.00").http()
    hidden, declared = code_new(), code_new()
    for code, flags in ((hidden, []), (declared, ["--declare-custom"])):
        call_command("add_symbol", code, "--feed", "script", "--source", code, *flags, stdout=StringIO())
        with leading(Symbol.objects.get(code=code)) as writer:
            write(writer, code, "1.08512")

    def placed(code: str, ledger: str) -> tuple[int, str | None]:
        body = {"symbol": code, "direction": "up", "stake": "1.00", "duration_s": 60, "ledger": ledger}
        body["client_order_id"] = f"{code}-{ledger}"
        response = trader.post("/api/v1/orders", body, content_type="application/json")
        return response.status_code, response.json().get("code")

    assert placed(hidden, "real") == (422, "symbol.not_offered")
    assert placed(hidden, "demo") == (201, None)
    assert placed(declared, "real") == (201, None)
    terms = {code: Client().get(f"/api/v1/symbols/{code}").json() for code in (hidden, declared)}
    assert [(terms[code]["feed"], terms[code]["feed_custom"]) for code in (hidden, declared)] == [
        ("script", True),
        ("custom", True),
    ]


def test_the_command_asks_waits_and_withdraws() -> None:
    """Commands: what is not named stays as it is; refusals are told in words."""
    symbol = symbol_new()
    out = StringIO()

    call_command("revise_symbol", symbol.code, price_scale=3, reason="Coarser", wait=10.0, stdout=out)
    with pytest.raises(CommandError, match="reason must say why"):
        call_command("revise_symbol", symbol.code, price_scale=4)
    with pytest.raises(CommandError, match="has these terms already"):
        call_command("revise_symbol", symbol.code, reason="Nothing")
    with pytest.raises(CommandError, match="This person may not"):
        call_command("revise_symbol", symbol.code, price_scale=4, reason="Now", emergency=True)
    with pytest.raises(CommandError, match="no revision"):
        call_command("revise_symbol", symbol.code, cancel=True)
    call_command("revise_symbol", symbol.code, price_source="last", reason="Trades", stdout=out)
    call_command("revise_symbol", symbol.code, cancel=True, stdout=out)

    told = out.getvalue()
    assert "revision 2 is in force" in told
    assert f"revision 3 of {symbol.code} is withdrawn" in told
    revision = SymbolRevision.objects.get(symbol=symbol, number=2)
    assert (revision.source, revision.price_scale, revision.price_source) == (symbol.source, 3, "mid")


def test_the_command_notes_the_endpoint_of_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 1, custom feeds: the endpoint on record is the one that ``FEED_<NAME>_URL`` named at the revision."""
    symbol = symbol_new("kraken")
    monkeypatch.setenv("FEED_BINANCE_URL", MIRROR)

    call_command("revise_symbol", symbol.code, feed="binance", reason="A mirror", wait=10.0, stdout=StringIO())

    assert SymbolRevision.objects.get(symbol=symbol, number=2).endpoint == MIRROR
    assert Symbol.objects.get(pk=symbol.pk).custom is True
