"""Kraken's and Deriv's packets, sound and malformed (F-15): any bytes become ticks, nothing, or a counted refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotes.adapters.deriv import DerivDialect
from quotes.adapters.kraken import KrakenDialect
from quotes.adapters.kraken_packets import Answer, packet_read
from quotes.adapters.upstream import Packet, PacketError, Wanted
from quotes.domain import RawTick
from tests.quotes.replay import KRAKEN_TRADES, recording
from tests.quotes.ticks import T0

QUOTE = {"symbol": "BTC/USD", "bid": 1.1, "ask": 1.2, "timestamp": "2026-01-31T09:30:00.125999Z"}
TRADE = {"symbol": "BTC/USD", "price": 1.1, "trade_id": 5, "timestamp": "2026-01-31T09:30:00.125999Z"}
TICK = {"symbol": "R_100", "epoch": 1_700_000_000, "quote": 1.1}
DIALECTS: dict[str, Callable[[], KrakenDialect | DerivDialect]] = {
    "kraken": lambda: KrakenDialect("wss://x/v2", receive_time=False),
    "deriv": DerivDialect,
}


def ticker(**fields: Any) -> dict[str, Any]:
    return {"channel": "ticker", "type": "update", "data": [QUOTE | fields]}


def trade(**fields: Any) -> dict[str, Any]:
    return {"channel": "trade", "type": "update", "data": [TRADE | fields]}


def tick(**fields: Any) -> dict[str, Any]:
    about = {"msg_type": "tick", "echo_req": {"ticks": "R_100"}, "subscription": {"id": "s"}, "req_id": 1}
    return about | {"tick": TICK | fields}


def read(dialect: str, packet: object) -> Packet:
    """Read a packet given as an object or as bytes, as the feed does."""
    frame = packet if isinstance(packet, bytes) else json.dumps(packet).encode()
    speaker = DIALECTS[dialect]()
    speaker.opened()
    speaker.requests({"BTC/USD": Wanted()}, 0.0)
    return speaker.read(frame, packet=1, recv_ms=T0)


def test_every_recorded_packet_is_read() -> None:
    """Dependencies 5, Kraken version 1: trades become ticks, events and heartbeats none."""
    for packet in recording(KRAKEN_TRADES):
        said = packet_read(packet.text.encode(), packet=1, recv_ms=T0)
        if not packet.text.startswith("["):
            assert said.ticks == ()
            continue
        _, rows, _, pair = json.loads(packet.text)
        at_ms = [int(Decimal(row[2]) * 1000) for row in rows]
        assert said.ticks == tuple(
            RawTick(pair, 1, at, T0, last=Decimal(row[0])) for row, at in zip(rows, at_ms, strict=True)
        )


def test_numbers_keep_their_digits() -> None:
    """Dependencies 5: JSON numbers become decimals, never floats."""
    frame = (
        b'{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":0.10000000000000000001,"ask":1E+1}]}'
    )

    found = read("kraken", frame).ticks[0]

    assert (str(found.bid), found.ask) == ("0.10000000000000000001", Decimal(10))


def test_a_packet_of_several_trades_is_one_packet() -> None:
    """Rules 1, outliers: a candidate is confirmed by another packet only; microseconds are cut, ids are kept."""
    packet = {"channel": "trade", "type": "update", "data": [TRADE, TRADE | {"trade_id": 6, "price": "1.20"}]}

    first, second = read("kraken", packet).ticks

    assert (first.packet, second.packet) == (1, 1)
    assert (first.src_ms, first.source_id, second.source_id) == (1_769_851_800_125, "t5", "t6")
    assert str(second.last) == "1.20"


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        ([0, {"a": ["5525.4", 1, "1.0"], "b": ["5525.1", 1, "1.0"]}, "ticker", "XBT/USD"], ("5525.1", "5525.4", T0)),
        ([0, ["5698.4", "5700.0", "1542057299.545897", "1", "2"], "spread", "XBT/USD"], ("5698.4", "5700.0", 0)),
    ],
)
def test_arrays_of_quotes(packet: list[Any], expected: tuple[str, str, int]) -> None:
    """Dependencies 5, Kraken version 1: the spread has a time, the ticker none."""
    found = read("kraken", packet).ticks[0]

    assert (str(found.bid), str(found.ask)) == expected[:2]
    assert found.src_ms == (expected[2] or 1_542_057_299_545)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (
            {"method": "subscribe", "success": True, "result": {"channel": "ticker", "symbol": "A/B"}, "req_id": 4},
            Answer("", "ticker", "A/B", 4),
        ),
        (
            {"method": "subscribe", "success": False, "error": "no", "symbol": "A/B", "req_id": 4},
            Answer("no", "", "A/B", 4),
        ),
        ({"error": "Exceeded msg rate", "success": False}, Answer("Exceeded msg rate")),
        (
            {"event": "subscriptionStatus", "status": "error", "pair": "A/B", "errorMessage": "no", "reqid": 4},
            Answer("no", "", "A/B", 4),
        ),
        ({"event": "error", "errorMessage": "Malformed request"}, Answer("Malformed request")),
        ({"method": "unsubscribe", "success": True, "req_id": 4}, None),
        ({"method": "pong", "req_id": 4}, None),
        ({"event": "pong"}, None),
    ],
)
def test_answers(packet: dict[str, Any], expected: Answer | None) -> None:
    """Dependencies 5: acknowledgements and errors of both versions."""
    assert packet_read(json.dumps(packet).encode(), packet=1, recv_ms=T0).answer == expected


OTHERS = [
    ("kraken", {}),
    ("kraken", {"channel": "heartbeat"}),
    ("kraken", {"channel": "book", "type": "snapshot", "data": [{"symbol": "BTC/USD", "bids": []}]}),
    ("kraken", [0, {"b": [["1", "2", "3"]]}, {"c": "4"}, "book-10", "XBT/USD"]),
    ("kraken", [0, ["1", "2", "3"], "ohlc-5", "XBT/USD"]),
    ("kraken", {"event": "lunch"}),
    ("kraken", {"channel": "status", "data": []}),
    ("deriv", {}),
    ("deriv", {"msg_type": "ping", "ping": "pong", "req_id": 9}),
    ("deriv", {"msg_type": "forget", "forget": 1}),
    ("deriv", {"msg_type": "time", "time": 5, "echo_req": {"time": 1}}),
    ("deriv", {"msg_type": "history", "echo_req": {"ticks_history": "R_50"}, "history": {"prices": [1]}}),
    ("deriv", {"msg_type": "tick", "error": {"code": "WrongResponse"}}),
    ("deriv", {"msg_type": "tick", "error": {"code": "WrongResponse"}, "echo_req": {"ticks": ["a"]}, "req_id": 77}),
]


@pytest.mark.parametrize(("dialect", "packet"), OTHERS)
def test_other_packets_say_nothing_but_that_the_source_lives(dialect: str, packet: object) -> None:
    """Contract, feeds: other kinds are ignored."""
    assert read(dialect, packet) == Packet(T0)


MALFORMED: list[tuple[str, object]] = [
    *[(name, frame) for name in DIALECTS for frame in (b"", b"\x00", b"nonsense", b'"text"', b"null", b"7")],
    *[(name, b"[" * 100_000) for name in DIALECTS],
    *[(name, b'{"a":' * 100_000) for name in DIALECTS],
    ("kraken", [1, 2, 3]),
    ("kraken", [0, [], 5, "XBT/USD"]),
    ("kraken", [0, [["1", "2"]], "trade", "XBT/USD"]),
    ("kraken", [0, [["1", "2", "yesterday"]], "trade", "XBT/USD"]),
    ("kraken", [0, [["1", "2", "-5.1"]], "trade", "XBT/USD"]),
    ("kraken", [0, [[1, "2", "3.1"]], "trade", "XBT/USD"]),
    ("kraken", [0, [["1" * 99, "2", "3.1"]], "trade", "XBT/USD"]),
    ("kraken", [0, ["1", "2"], "spread", "XBT/USD"]),
    ("kraken", [0, {"a": [], "b": []}, "ticker", "XBT/USD"]),
    ("kraken", [0, [["1", "2", "3.1"]], "trade", ""]),
    ("kraken", [0, [["1", "2", "3.1"]], "trade", "A\x00B"]),
    *[("kraken", ticker(bid=bid)) for bid in (None, "", "x", "0x1", "1_0", [1], {"a": 1}, True, "\u0661", 10**60)],
    ("kraken", json.dumps(ticker()).encode().replace(b"1.1", b"1e900000")),
    ("kraken", json.dumps(ticker()).encode().replace(b"1.1", b"NaN")),
    ("kraken", json.dumps(ticker()).encode().replace(b"1.1", b'"\xff"')),
    ("kraken", json.dumps(ticker()).encode()[:-10]),
    *[("kraken", ticker(timestamp=at)) for at in (5, "now", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00")],
    ("kraken", ticker(timestamp="1901-01-01T00:00:00Z")),
    *[("kraken", ticker(symbol=symbol)) for symbol in (None, 7, "", "S" * 65, "A\x00B", "\ud800")],
    ("kraken", {"channel": "ticker", "data": {}}),
    ("kraken", {"channel": "ticker", "data": [{"symbol": "BTC/USD", "bid": 1}]}),
    ("kraken", {"channel": "ticker"}),
    ("kraken", trade(trade_id="x")),
    ("kraken", trade(price=None)),
    ("kraken", trade(timestamp=None)),
    ("kraken", {"channel": 5}),
    ("kraken", {"method": "subscribe", "success": "yes"}),
    *[("deriv", tick(quote=quote)) for quote in (None, "", "x", [1], True, 10**60)],
    *[("deriv", tick(epoch=epoch)) for epoch in (None, 0, -1, 1.5, "5", 10**30, True)],
    *[("deriv", tick(symbol=symbol)) for symbol in (None, 7, "", "S" * 65, "A\x00B")],
    ("deriv", tick(bid="x", ask=1)),
    ("deriv", json.dumps(tick()).encode().replace(b"1.1", b"Infinity")),
    ("deriv", {"msg_type": "tick"}),
    ("deriv", {"msg_type": "tick", "tick": []}),
    ("deriv", {"msg_type": 5}),
    ("deriv", {"msg_type": "tick", "error": "no"}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "packet"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_packets_are_told_apart(dialect: str, packet: object) -> None:
    """F-15: truncated, wrong types, bad UTF-8, absurd numbers, times and names, deep nesting."""
    with pytest.raises(PacketError):
        read(dialect, packet)


@pytest.mark.parametrize(
    ("dialect", "packet", "source"),
    [
        ("kraken", ticker(bid="x"), "BTC/USD"),
        ("kraken", trade(price="x"), "BTC/USD"),
        ("deriv", tick(quote="x"), "R_100"),
    ],
)
def test_the_symbol_of_a_malformed_packet_is_kept_where_it_is_known(dialect: str, packet: object, source: str) -> None:
    """Rules 1: refusals are counted by symbol and reason."""
    with pytest.raises(PacketError) as caught:
        read(dialect, packet)

    assert caught.value.source == source


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_words = {
    *("channel", "data", "type", "method", "success", "error", "symbol", "req_id", "result", "event", "status", "pair"),
    *("subscription", "bid", "ask", "timestamp", "price", "trade_id", "system", "a", "b", "msg_type", "tick", "epoch"),
    *("quote", "id", "echo_req", "ticks", "code", "message"),
}
_JSON = st.recursive(
    _SCALARS | st.sampled_from(["ticker", "trade", "spread", "tick", "BTC/USD", "subscribe", "status", "1.5", "1.5.5"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(sorted(_words)),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@given(frame=st.binary(max_size=200))
def test_no_bytes_break_a_decoder(dialect: str, frame: bytes) -> None:
    """F-15: any bytes."""
    try:
        read(dialect, frame)
    except PacketError:
        return


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@given(document=_JSON)
def test_no_document_breaks_a_decoder(dialect: str, document: object) -> None:
    """F-15: any JSON, of the protocols' own words and shapes."""
    try:
        packet = read(dialect, document)
    except PacketError:
        return
    assert all(isinstance(one, RawTick) for one in packet.ticks)


@pytest.mark.parametrize("sound", [ticker(), trade(), tick()], ids=["ticker", "trade", "tick"])
@given(data=st.data())
def test_no_damage_to_a_sound_packet_breaks_a_decoder(sound: dict[str, Any], data: st.DataObject) -> None:
    """F-15: a sound packet with bytes replaced, cut or doubled."""
    frame = bytearray(json.dumps(sound).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not frame:
            return
    for dialect in DIALECTS:
        try:
            read(dialect, bytes(frame))
        except PacketError:
            continue
