"""Kraken's public market data, version 2 and version 1 of its WebSocket API."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog

from kernel.metrics import count
from quotes.adapters.connection import Timings, WebSocketFeed
from quotes.adapters.kraken_packets import Answer, Said, packet_read
from quotes.adapters.subscriptions import Subscriptions, retry_after_s
from quotes.adapters.upstream import Clock, Declaration, Packet, Wanted, printable
from quotes.feeds import FeedSettings

log = structlog.get_logger(__name__)

SYMBOLS_PER_REQUEST = 100
# In these states orders do not meet, so no price is made; with limit orders only they do.
CLOSED_STATES = {
    "maintenance": "Kraken is under maintenance.",
    "cancel_only": "Kraken takes cancellations only.",
    "post_only": "Kraken takes orders that do not trade only.",
}
OPEN_STATES = frozenset({"online", "limit_only"})


class KrakenDialect:
    """Subscriptions by channel and symbol, each acknowledged; the version is the address's, or what is heard."""

    keepalive_s = None
    pace_s = 0.05

    def __init__(self, endpoint: str, *, receive_time: bool) -> None:
        self.answered = False
        self._version = 2 if "v2" in urlsplit(endpoint).path.split("/") else 1
        self._receive_time = receive_time
        self._topics = Subscriptions[tuple[str, str]]()
        self._asked: dict[int, list[tuple[str, str]]] = {}
        self._number = 0
        self._anew = False

    @property
    def due_s(self) -> float:
        """When there is something to ask for again."""
        return 0.0 if self._anew else self._topics.due_s

    @property
    def detail(self) -> str:
        """Which subscriptions are refused."""
        return self._topics.detail

    def opened(self) -> None:
        """Forget the connection before this one."""
        self.answered = self._anew = False
        self._topics.reset()
        self._asked = {}

    def requests(self, wanted: Mapping[str, Wanted], now_s: float) -> list[str]:
        """Return what asks for new channels and leaves old ones."""
        self._anew = False
        new, gone = self._topics.changes(self._topics_of(wanted), now_s)
        return [*self._batches("subscribe", new), *self._batches("unsubscribe", gone)]

    def _topics_of(self, wanted: Mapping[str, Wanted]) -> Iterable[tuple[str, str]]:
        # Version 1 has quotes with a time in a channel of their own.
        quotes = "ticker" if self._version == 2 else "spread"
        for source, want in wanted.items():
            if want.quotes:
                yield quotes, source
            if want.trades:
                yield "trade", source

    def _batches(self, method: str, topics: list[tuple[str, str]]) -> Iterable[str]:
        for channel in sorted({channel for channel, _ in topics}):
            symbols = [symbol for one, symbol in topics if one == channel]
            for start in range(0, len(symbols), SYMBOLS_PER_REQUEST):
                self._number += 1
                batch = symbols[start : start + SYMBOLS_PER_REQUEST]
                if method == "subscribe":
                    self._asked[self._number] = [(channel, symbol) for symbol in batch]
                yield msgspec.json.encode(self._request(method, channel, batch)).decode()

    def _request(self, method: str, channel: str, symbols: list[str]) -> dict[str, Any]:
        if self._version == 1:
            return {"event": method, "reqid": self._number, "pair": symbols, "subscription": {"name": channel}}
        params: dict[str, Any] = {"channel": channel, "symbol": symbols}
        if channel == "ticker":
            params["event_trigger"] = "bbo"
        if method == "subscribe":
            # The book as it is now is welcome, trades of the past are not.
            params["snapshot"] = channel == "ticker"
        return {"method": method, "params": params, "req_id": self._number}

    def ping(self) -> str | None:
        """Return the API's own ping."""
        self._number += 1
        ping = {"method": "ping", "req_id": self._number} if self._version == 2 else {"event": "ping"}
        return msgspec.json.encode(ping).decode()

    def read(self, frame: bytes, *, packet: int, recv_ms: int) -> Packet:
        """Return the ticks and the declaration of a frame, and take in answers.

        :raises PacketError: when it cannot be read
        """
        said = packet_read(frame, packet=packet, recv_ms=recv_ms)
        if said.version is not None and said.version != self._version:
            # A stand-in at any address may speak either version; from here on it is asked in its own.
            self._version, self._anew = said.version, True
            self._topics.reset()
            self._asked = {}
        if said.answer is not None:
            self._take(said.answer)
        # Stamped with our time, trades of the past would look like trades of now.
        ticks = () if said.history and self._receive_time else said.ticks
        return Packet(recv_ms, ticks, declared=_declared(said, recv_ms), timed=said.timed)

    def _take(self, answer: Answer) -> None:
        self.answered = True
        asked = self._asked.get(answer.request or 0, [])
        topics = [(channel, symbol) for channel, symbol in asked if answer.symbol in {"", symbol}]
        if not topics and answer.symbol:
            channels = [answer.channel] if answer.channel else ["spread", "ticker", "trade"]
            topics = [(channel, answer.symbol) for channel in channels]
        for topic in topics:
            if not answer.error or "already subscribed" in answer.error.casefold():
                self._topics.accept(topic)
                continue
            reason = printable(answer.error, 100)
            self._topics.refuse(topic, reason=reason, again_s=time.monotonic() + retry_after_s())
            count("feed_subscriptions_refused", feed="kraken")
            log.warning("feed_subscription_refused", feed="kraken", topic=" ".join(topic), error=reason)


def kraken_feed(*, settings: FeedSettings, clock: Clock, timings: Timings | None = None) -> WebSocketFeed:
    """Return the feed ``kraken``."""
    dialect = KrakenDialect(settings.endpoint, receive_time=settings.receive_time)
    return WebSocketFeed(settings=settings, clock=clock, dialect=dialect, timings=timings)


def _declared(said: Said, recv_ms: int) -> tuple[Declaration, ...]:
    if said.system in CLOSED_STATES:
        return (Declaration(None, closed=True, recv_ms=recv_ms, reason=CLOSED_STATES[said.system]),)
    if said.system in OPEN_STATES:
        return (Declaration(None, closed=False, recv_ms=recv_ms),)
    return ()
