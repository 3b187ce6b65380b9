"""Deriv's ticks: one stream for each symbol, ended by its subscription's id; a closed market is asked for again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import msgspec
import structlog

from kernel.metrics import count
from quotes.adapters.connection import Timings, WebSocketFeed
from quotes.adapters.deriv_packets import Said, packet_read
from quotes.adapters.subscriptions import RETRY_S, Subscriptions, retry_after_s
from quotes.adapters.upstream import Clock, Declaration, Packet, Wanted, printable
from quotes.feeds import FeedSettings

log = structlog.get_logger(__name__)

CLOSED = "MarketIsClosed"
# A symbol that does not exist is hardly there half a minute later.
UNKNOWN_AGAIN_S = 300.0
_UNKNOWN = frozenset({"InvalidSymbol", "InputValidationFailed"})


class DerivDialect:
    """Calls ``ticks``, ``forget`` and ``ping``."""

    # A session that asks nothing for two minutes is ended, however much it is sent.
    keepalive_s = 30.0
    pace_s = 0.05

    def __init__(self) -> None:
        self.answered = False
        self._symbols = Subscriptions[str]()
        self._asked: dict[int, str] = {}
        self._streams: dict[str, str] = {}
        self._leaving: set[str] = set()
        self._forget: list[str] = []
        self._open: set[str] = set()
        self._number = 0

    @property
    def due_s(self) -> float:
        """When there is something to ask for again, or a stream to end."""
        return 0.0 if self._forget else self._symbols.due_s

    @property
    def detail(self) -> str:
        """Which symbols are refused."""
        return self._symbols.detail

    def opened(self) -> None:
        """Forget the connection before this one."""
        self.answered = False
        self._symbols.reset()
        self._asked, self._streams = {}, {}
        self._leaving, self._open, self._forget = set(), set(), []

    def requests(self, wanted: Mapping[str, Wanted], now_s: float) -> list[str]:
        """Return what asks for new symbols and ends the streams of old ones."""
        new, gone = self._symbols.changes(wanted, now_s)
        for symbol in gone:
            self._leave(symbol)
        self._leaving.difference_update(wanted)
        forget, self._forget = self._forget, []
        return [*self._ticks(new), *(self._request("forget", stream) for stream in forget)]

    def _ticks(self, symbols: Iterable[str]) -> Iterable[str]:
        for symbol in symbols:
            text = self._request("ticks", symbol)
            self._asked[self._number] = symbol
            yield text

    def _request(self, call: str, argument: str | int) -> str:
        self._number += 1
        request: dict[str, object] = {call: argument}
        if call == "ticks":
            request["subscribe"] = 1
        return msgspec.json.encode(request | {"req_id": self._number}).decode()

    def _leave(self, symbol: str) -> None:
        stream = self._streams.pop(symbol, None)
        if stream is None:
            # Its id comes with its first tick.
            self._leaving.add(symbol)
        else:
            self._forget.append(stream)
        self._open.discard(symbol)

    def ping(self) -> str | None:
        """Return the API's own ping."""
        return self._request("ping", 1)

    def read(self, frame: bytes, *, packet: int, recv_ms: int) -> Packet:
        """Return the tick and the declaration of a frame, and take in answers.

        :raises PacketError: when it cannot be read
        """
        said = packet_read(frame, packet=packet, recv_ms=recv_ms)
        self.answered = self.answered or said.request is not None
        if said.error:
            return Packet(recv_ms, declared=self._refused(said, recv_ms))
        if said.tick is None:
            return Packet(recv_ms)
        return Packet(recv_ms, (said.tick,), declared=self._ticked(said.tick.source, said.subscription, recv_ms))

    def _ticked(self, symbol: str, stream: str, recv_ms: int) -> tuple[Declaration, ...]:
        """Learn a stream's id, and take a market's first tick for its opening."""
        if symbol in self._leaving and stream:
            self._leaving.discard(symbol)
            self._forget.append(stream)
        elif stream and self._streams.get(symbol) != stream:
            self._streams[symbol] = stream
        if symbol in self._open:
            return ()
        self._symbols.accept(symbol)
        self._open.add(symbol)
        return (Declaration(symbol, closed=False, recv_ms=recv_ms),)

    def _refused(self, said: Said, recv_ms: int) -> tuple[Declaration, ...]:
        symbol = self._asked.get(said.request or 0) or said.source
        count("feed_subscriptions_refused", feed="deriv", code=said.error if said.error in _CODES else "other")
        if not symbol:
            return ()
        if said.error == "AlreadySubscribed":
            self._symbols.accept(symbol)
            return ()
        reason = printable(said.message or said.error, 100)
        after_s = retry_after_s(UNKNOWN_AGAIN_S if said.error in _UNKNOWN else RETRY_S)
        self._symbols.refuse(symbol, reason=reason, again_s=time.monotonic() + after_s)
        self._streams.pop(symbol, None)
        self._leaving.discard(symbol)
        self._open.discard(symbol)
        log.warning(
            "feed_subscription_refused", feed="deriv", topic=symbol, code=printable(said.error, 40), error=reason
        )
        if said.error != CLOSED:
            return ()
        return (Declaration(symbol, closed=True, recv_ms=recv_ms, reason=reason),)


_CODES = frozenset({CLOSED, "AlreadySubscribed", "RateLimit", *_UNKNOWN})


def deriv_feed(*, settings: FeedSettings, clock: Clock, timings: Timings | None = None) -> WebSocketFeed:
    """Return the feed ``deriv``."""
    return WebSocketFeed(settings=settings, clock=clock, dialect=DerivDialect(), timings=timings)
