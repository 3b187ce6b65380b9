"""Binance packets, recorded and malformed (F-15; data of real streams in ``tests/data``)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotes.adapters.binance_packets import packet_read
from quotes.adapters.upstream import PacketError
from quotes.domain import RawTick
from tests.quotes.replay import DELIVERY, FUTURES, recording
from tests.quotes.ticks import T0


def tick_of(packet: object) -> RawTick | None:
    """Decode a packet given as an object or as text."""
    frame = packet if isinstance(packet, bytes) else json.dumps(packet).encode()
    said = packet_read(frame, packet=1, recv_ms=T0)
    return None if said is None else said.tick


@pytest.mark.parametrize("path", [FUTURES, DELIVERY], ids=["futures", "delivery"])
def test_every_recorded_packet_is_read(path: object) -> None:
    """Dependencies 5: book tickers and trades become ticks, depth and candles are passed over."""
    packets = recording(FUTURES if path is FUTURES else DELIVERY)
    for packet in packets:
        tick = tick_of(packet.text.encode())
        event = json.loads(packet.text)["data"]
        if event["e"] not in {"bookTicker", "aggTrade", "trade"}:
            assert tick is None
            continue
        assert tick is not None
        assert (tick.source, tick.src_ms) == (event["s"], event["T"])
        if event["e"] == "bookTicker":
            assert (tick.bid, tick.ask, tick.last) == (Decimal(event["b"]), Decimal(event["a"]), None)
            assert tick.source_id == f"u{event['u']}"
        else:
            assert (tick.bid, tick.ask, tick.last) == (None, None, Decimal(event["p"]))
            assert tick.source_id == f"a{event['a']}"
    assert len(packets) > 500


def test_a_spot_book_ticker_has_no_name_and_no_time() -> None:
    """Dependencies 5: neither ``e`` nor ``T`` nor ``E``; the time of the tick is the receive time."""
    event = {"u": 400900217, "s": "BNBUSDT", "b": "25.35190000", "B": "31.21", "a": "25.36520000", "A": "40.66"}

    raw = tick_of(event)
    combined = tick_of({"stream": "bnbusdt@bookTicker", "data": event})

    assert raw == combined
    assert raw is not None
    assert (raw.source, raw.src_ms, raw.bid, raw.source_id) == ("BNBUSDT", T0, Decimal("25.35190000"), "u400900217")


def test_a_spot_trade_carries_the_time_of_the_trade() -> None:
    """Dependencies 5: ``T`` before ``E``; ids of trades are apart from those of aggregates and book updates."""
    event = {
        "e": "trade",
        "E": T0 - 1,
        "s": "BNBBTC",
        "t": 12345,
        "p": "0.001",
        "q": "100",
        "T": T0 - 5,
        "m": True,
        "M": True,
    }

    tick = tick_of(event)

    assert tick is not None
    assert (tick.src_ms, tick.last, tick.source_id) == (T0 - 5, Decimal("0.001"), "t12345")


def test_only_a_time_of_the_exchange_says_something_about_its_clock() -> None:
    """Rules 1: a packet that we stamp does not count for the offset, one that took no millisecond does."""
    book = {"u": 1, "s": "BNBUSDT", "b": "1", "a": "2"}
    found = [packet_read(json.dumps(book | more).encode(), packet=1, recv_ms=T0) for more in ({}, {"T": T0}, {"E": T0})]

    assert [said and (said.tick.src_ms, said.timed) for said in found] == [(T0, False), (T0, True), (T0, True)]


def test_microseconds_are_recognised() -> None:
    """Dependencies 5: ``timeUnit=MICROSECOND`` in an address of the operator's own."""
    tick = tick_of({"e": "trade", "s": "BNBBTC", "t": 1, "p": "1", "T": T0 * 1000 + 999})

    assert tick is not None
    assert tick.src_ms == T0


@pytest.mark.parametrize(
    "packet",
    [
        {"result": None, "id": 1},
        {"code": 2, "msg": "Invalid request"},
        {"e": "serverShutdown", "E": T0},
        {"stream": "bnbusdt@depth@100ms", "data": {"e": "depthUpdate", "s": "BNBUSDT", "b": [["1", "2"]], "a": []}},
        {"e": "kline", "s": "BNBUSDT", "k": {"c": "1"}},
        {"stream": "!miniTicker@arr", "data": {"e": "24hrMiniTicker", "s": "BNBUSDT", "c": "1"}},
        {},
    ],
)
def test_other_packets_are_passed_over(packet: object) -> None:
    """Contract, feeds: other stream types are ignored."""
    assert tick_of(packet) is None


BOOK = {"e": "bookTicker", "u": 1, "s": "BNBUSDT", "b": "1.1", "B": "1", "a": "1.2", "A": "1", "T": T0, "E": T0}
MALFORMED = [
    b"",
    b"\x00\x01\x02",
    b"nonsense",
    b"[1,2,3]",
    b"null",
    b'"text"',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    json.dumps(BOOK).encode()[:-10],
    json.dumps(BOOK).encode().replace(b"1.1", b"\xff\xfe"),
    json.dumps(BOOK | {"b": 1.1}).encode(),
    json.dumps(BOOK | {"b": None}).encode(),
    json.dumps(BOOK | {"b": ["1.1"]}).encode(),
    json.dumps(BOOK | {"b": ""}).encode(),
    json.dumps(BOOK | {"b": "1,1"}).encode(),
    json.dumps(BOOK | {"b": "1_1"}).encode(),
    json.dumps(BOOK | {"b": "0x10"}).encode(),
    json.dumps(BOOK | {"b": "1" * 1_000}).encode(),
    json.dumps(BOOK | {"b": "1e-900000"}).encode(),
    json.dumps(BOOK | {"b": "1e900000"}).encode(),
    json.dumps(BOOK | {"b": "\u0661\u0662"}).encode(),
    json.dumps(BOOK | {"u": "1"}).encode(),
    json.dumps(BOOK | {"u": True}).encode(),
    json.dumps(BOOK | {"u": 10**30}).encode(),
    json.dumps(BOOK | {"T": -1}).encode(),
    json.dumps(BOOK | {"T": 10**30}).encode(),
    json.dumps(BOOK | {"T": "now"}).encode(),
    json.dumps(BOOK).replace(str(T0), "1e308").encode(),
    json.dumps(BOOK | {"s": 7}).encode(),
    json.dumps(BOOK | {"s": ""}).encode(),
    json.dumps(BOOK | {"s": "A\x00B"}).encode(),
    json.dumps(BOOK | {"s": "\ud800"}).encode(),
    json.dumps(BOOK | {"s": "S" * 100}).encode(),
    json.dumps({key: value for key, value in BOOK.items() if key != "a"}).encode(),
    json.dumps({"stream": "bnbusdt@bookTicker", "data": [BOOK]}).encode(),
    json.dumps({"stream": "bnbusdt@bookTicker", "data": "x"}).encode(),
    json.dumps({"stream": 5, "data": BOOK}).encode(),
]


@pytest.mark.parametrize("frame", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_packets_are_told_apart(frame: bytes) -> None:
    """F-15: truncated, wrong types, bad UTF-8, absurd numbers and names, deep nesting."""
    with pytest.raises(PacketError):
        tick_of(frame)


def test_the_symbol_of_a_malformed_packet_is_kept_where_it_is_known() -> None:
    """Rules 1: refusals are counted by symbol and reason."""
    with pytest.raises(PacketError) as caught:
        tick_of(BOOK | {"b": "x"})

    assert caught.value.source == "BNBUSDT"


@given(st.binary(max_size=300))
def test_no_bytes_break_the_decoder(frame: bytes) -> None:
    """F-15: any bytes become a tick, nothing, or a malformed packet."""
    try:
        packet_read(frame, packet=1, recv_ms=T0)
    except PacketError:
        return


@given(
    st.dictionaries(
        st.sampled_from(["e", "s", "u", "b", "a", "p", "t", "T", "E", "stream", "data"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.sampled_from(["bookTicker", "aggTrade"]),
    )
)
def test_no_fields_break_the_decoder(event: dict[str, object]) -> None:
    """F-15: any types in the known fields."""
    try:
        tick_of({"e": "bookTicker"} | event)
    except PacketError:
        return
