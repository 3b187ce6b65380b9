"""What the parser tells by Redis: one subscription per process, renewed for as long as the process lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import structlog
from django.conf import settings
from redis import asyncio as aioredis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from kernel.metrics import count
from quotes.publishing import FEED_CHANNEL, TICKS_CHANNEL
from quotes.stream.messages import Tick, ticks_published

log = structlog.get_logger(__name__)

_READ_S = 5
_PAUSE_LEAST_S = 0.25
_PAUSE_MOST_S = 4.0


class Ear:
    """Listens for ticks and for hints about states; ``hears`` tells whether the subscription stands."""

    def __init__(self, *, ticks: Callable[[list[Tick]], None], feed: Callable[[], None]) -> None:
        self.hears = False
        self._ticks = ticks
        self._feed = feed
        self._failing = False

    async def run(self) -> None:
        """Listen for ever; the pause after a failure grows to a bound."""
        pause_s = _PAUSE_LEAST_S
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                count("quotes_subscription_failures")
                if self.hears:
                    pause_s = _PAUSE_LEAST_S
                if not self._failing:
                    log.warning("quotes_subscription_lost", error=str(error))
                self._failing = True
            self.hears = False
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MOST_S)

    async def _listen(self) -> None:
        client = aioredis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=2,
            socket_timeout=None,
            health_check_interval=_READ_S,
            retry_on_timeout=False,
        )
        try:
            async with client.pubsub() as pubsub:
                await pubsub.subscribe(TICKS_CHANNEL, FEED_CHANNEL)
                await self._read(pubsub)
        finally:
            await client.aclose()

    async def _read(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=_READ_S)
            if message is None:
                continue
            if message["type"] == "subscribe":
                self.hears = True
                if self._failing:
                    log.info("quotes_subscription_restored")
                self._failing = False
            elif message["channel"] == TICKS_CHANNEL.encode():
                self._hear(message["data"])
            elif message["type"] == "message":
                self._feed()

    def _hear(self, data: bytes) -> None:
        try:
            self._ticks(ticks_published(data))
        except msgspec.DecodeError as error:
            # Redis is not the truth: what cannot be read is a lost message, and the heads make up for it.
            count("quotes_messages_unreadable")
            log.warning("quotes_message_unreadable", error=str(error))
