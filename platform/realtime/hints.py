"""The gateway's ear: one Redis subscription per process, for the groups its sockets need.

The channels are those of Channels' PubSub layer, whose groups they are; the process joins each group once,
however many sockets want it, and rejoins all of them after an outage without a socket noticing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog
from django.conf import settings
from redis import asyncio as aioredis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from kernel.metrics import count
from realtime.publishing import PUBLIC_GROUP, group_channel

log = structlog.get_logger(__name__)

_READ_S = 5
_PAUSE_S = 0.5


class HintStream:
    """Reads the hints of the wanted groups and hands each to ``deliver``, for as long as the loop runs."""

    def __init__(self, deliver: Callable[[dict[str, Any]], None]) -> None:
        self._deliver = deliver
        self._wanted: Counter[str] = Counter({group_channel(PUBLIC_GROUP): 1})
        self._changed = asyncio.Event()
        self._failing = False

    def want(self, groups: Iterable[str]) -> None:
        """Ask for the hints of groups, once more for each call."""
        self._wanted.update(map(group_channel, groups))
        self._changed.set()

    def unwant(self, groups: Iterable[str]) -> None:
        """Take back one :meth:`want`."""
        self._wanted.subtract(map(group_channel, groups))
        self._changed.set()

    async def run(self) -> None:
        """Listen for ever; while Redis is away the event log alone tells what happens."""
        while True:
            try:
                await self._listen()
            except* (RedisError, OSError) as failures:
                count("realtime_subscription_failures")
                if not self._failing:
                    log.warning("realtime_subscription_lost", error=str(failures.exceptions[0]))
                self._failing = True
            await asyncio.sleep(_PAUSE_S)

    async def _listen(self) -> None:
        client = aioredis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=_READ_S, retry_on_timeout=False
        )
        try:
            async with client.pubsub() as pubsub, asyncio.TaskGroup() as tasks:
                joined: set[str] = set()
                await self._join(pubsub, joined)
                if self._failing:
                    log.info("realtime_subscription_restored")
                self._failing = False
                tasks.create_task(self._read(pubsub))
                tasks.create_task(self._follow(pubsub, joined))
        finally:
            await client.aclose()

    async def _read(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=_READ_S)
            if message is None:
                continue
            try:
                self._deliver(msgspec.msgpack.decode(message["data"]))
            except (msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
                # Redis is not the truth: what cannot be read is a lost hint, and the cursors find it.
                count("realtime_hints_unreadable")
                log.warning("realtime_hint_unreadable", error=str(error))

    async def _follow(self, pubsub: PubSub, joined: set[str]) -> None:
        while True:
            await self._changed.wait()
            await self._join(pubsub, joined)

    async def _join(self, pubsub: PubSub, joined: set[str]) -> None:
        self._changed.clear()
        self._wanted = +self._wanted
        wanted = set(self._wanted)
        if missing := wanted - joined:
            await pubsub.subscribe(*missing)
        if surplus := joined - wanted:
            await pubsub.unsubscribe(*surplus)
        joined.clear()
        joined.update(wanted)
