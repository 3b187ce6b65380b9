"""Binance's market streams, spot and futures: one connection, streams asked for by SUBSCRIBE or in the address."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, urlsplit

import msgspec

from quotes.adapters.binance_packets import is_answer, packet_read
from quotes.adapters.connection import Timings, WebSocketFeed
from quotes.adapters.subscriptions import Subscriptions
from quotes.adapters.upstream import Clock, Packet, Wanted
from quotes.feeds import FeedSettings

STREAMS_PER_REQUEST = 100


class BinanceDialect:
    """SUBSCRIBE and UNSUBSCRIBE, except for the streams that the address names itself."""

    keepalive_s = None
    # Five messages a second are allowed.
    pace_s = 0.21
    due_s = math.inf
    detail = ""

    def __init__(self, endpoint: str) -> None:
        self.answered = False
        self._included = streams_in(endpoint)
        self._streams = Subscriptions[str]()
        self._number = 0

    def opened(self) -> None:
        """Forget the connection before this one."""
        self.answered = False
        self._streams.reset(self._included)

    def requests(self, wanted: Mapping[str, Wanted], now_s: float) -> list[str]:
        """Return what asks for new streams and leaves old ones."""
        new, gone = self._streams.changes(_streams_of(wanted), now_s)
        return [*self._batches("SUBSCRIBE", new), *self._batches("UNSUBSCRIBE", gone)]

    def _batches(self, method: str, streams: list[str]) -> Iterable[str]:
        for start in range(0, len(streams), STREAMS_PER_REQUEST):
            self._number += 1
            request = {"method": method, "params": streams[start : start + STREAMS_PER_REQUEST], "id": self._number}
            yield msgspec.json.encode(request).decode()

    def ping(self) -> str | None:
        """Return nothing: Binance answers WebSocket's ping."""
        return None

    def read(self, frame: bytes, *, packet: int, recv_ms: int) -> Packet:
        """Return the tick of a frame, if it has one.

        :raises PacketError: when it cannot be read
        """
        said = packet_read(frame, packet=packet, recv_ms=recv_ms)
        if said is None:
            self.answered = self.answered or is_answer(frame)
            return Packet(recv_ms)
        return Packet(recv_ms, (said.tick,), timed=said.timed)


def binance_feed(*, settings: FeedSettings, clock: Clock, timings: Timings | None = None) -> WebSocketFeed:
    """Return the feed ``binance``."""
    return WebSocketFeed(settings=settings, clock=clock, dialect=BinanceDialect(settings.endpoint), timings=timings)


def streams_in(endpoint: str) -> frozenset[str]:
    """Return the streams that an address asks for by itself: ``?streams=a/b`` or ``/ws/a``."""
    parts = urlsplit(endpoint)
    named = [name for text in parse_qs(parts.query).get("streams", []) for name in text.split("/")]
    if "/ws/" in parts.path:
        named.extend(parts.path.partition("/ws/")[2].split("/"))
    return frozenset(_stream(*name.split("@", 1)) for name in named if "@" in name)


def _streams_of(wanted: Mapping[str, Wanted]) -> Iterable[str]:
    for source, want in wanted.items():
        if want.quotes:
            yield _stream(source, "bookTicker")
        if want.trades:
            yield _stream(source, "trade")
            yield _stream(source, "aggTrade")


def _stream(source: str, kind: str) -> str:
    return f"{source.casefold()}@{kind}"
