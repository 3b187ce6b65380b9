"""A storm of reconnecting terminals: all lose their link at once, some without a word, and come back together."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from ea.client import Spool

Frame = dict[str, Any]
ANSWER_LIMIT_S = 60.0
# So many open their first link at a time: the storm is to come afterwards.
GREETING_AT_ONCE = 50
# How long a terminal waits before it sends again what it has no answer to.
AGAIN_S = 1.0


class Link:
    """Frames over TCP on an event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, payload: bytes) -> None:
        """Send one payload."""
        self._writer.write(struct.pack(">I", len(payload)) + payload)

    async def next(self, *kinds: str) -> Frame:
        """Return the next frame of some kinds; others are passed over.

        :raises OSError: the server has ended the connection
        :raises EOFError: it has, in the middle of a frame
        """
        while True:
            (length,) = struct.unpack(">I", await self._reader.readexactly(4))
            frame: Frame = json.loads(await self._reader.readexactly(length))
            if frame["type"] in kinds:
                return frame

    def cut(self) -> None:
        """End the connection at once, unread answers with it."""
        self._writer.transport.abort()

    @contextmanager
    def cut_on_error(self) -> Iterator[None]:
        """End the connection when what is said over it fails: nobody else holds it."""
        try:
            yield
        except BaseException:
            self.cut()
            raise


@dataclass
class Storm:
    """What became of a storm.

    :param statuses: of the acknowledgements of what was sent again
    :param again: how often a terminal had to come more than once
    :param welcome_s: from the first knock to the welcome, for each terminal
    :param knocked_s: in which time all of them knocked for the first time
    """

    statuses: Counter[str] = field(default_factory=Counter)
    again: int = 0
    welcome_s: list[float] = field(default_factory=list)
    knocked_s: float = 0.0

    @property
    def slowest_ms(self) -> int:
        """How long the last one waited for its welcome."""
        return round(1000 * max(self.welcome_s))


async def storm(*, port: int, spools: Sequence[Spool], logged: Callable[[], bool], silent: int = 0) -> Storm:
    """Connect a terminal for each spool and send what is in it, lose all links and answers, and let all come back.

    Every second link is cut; the others are half open: the server has them still when their terminals knock again.

    :param logged: whether all that was sent is in the log
    :param silent: so many more connect in the storm and never say a word
    :raises TimeoutError: a terminal was not welcomed, or an event of its not acknowledged
    """
    found, held = Storm(), list[Link]()
    try:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            held += await _first_links(port, spools)
            while not await asyncio.to_thread(_asked, logged):
                await asyncio.sleep(AGAIN_S)
                # Where the log's session ended unseen, its first signals are refused for now, and come again.
                for link, spool in zip(held, spools, strict=True):
                    for payload in spool.waiting.values():
                        link.send(payload)
            for link in held[::2]:
                link.cut()
            begun_s = time.monotonic()
            strangers = [asyncio.create_task(_opened(port)) for _ in range(silent)]
            coming = [asyncio.create_task(_come_back(port, spool, found, begun_s)) for spool in spools]
            held += await asyncio.gather(*coming)
            held += await asyncio.gather(*strangers)
    finally:
        for link in held:
            link.cut()
    return found


def _asked(logged: Callable[[], bool]) -> bool:
    """Ask the database on a thread that has a connection for this only."""
    try:
        return logged()
    finally:
        connection.close()


async def _first_links(port: int, spools: Sequence[Spool]) -> list[Link]:
    links = list[Link]()
    for at in range(0, len(spools), GREETING_AT_ONCE):
        some = spools[at : at + GREETING_AT_ONCE]
        links += await asyncio.gather(*(_greeted(port, spool) for spool in some))
    for link, spool in zip(links, spools, strict=True):
        for payload in spool.waiting.values():
            link.send(payload)
    return links


async def _come_back(port: int, spool: Spool, found: Storm, begun_s: float) -> Link:
    """Knock until welcomed, and send again until everything is acknowledged."""
    found.knocked_s = max(found.knocked_s, time.monotonic() - begun_s)
    while True:
        try:
            link = await _greeted(port, spool)
            found.welcome_s.append(time.monotonic() - begun_s)
            with link.cut_on_error():
                for payload in spool.waiting.values():
                    link.send(payload)
                while spool.waiting:
                    ack = await link.next("ack")
                    found.statuses[ack["status"]] += 1
                    spool.answered(ack)
            return link
        except (OSError, EOFError):
            found.again += 1
            await asyncio.sleep(0.1)


async def _greeted(port: int, spool: Spool) -> Link:
    """Connect and say hello.

    :raises ConnectionRefusedError: the server does not want it now
    """
    link = await _opened(port)
    with link.cut_on_error():
        challenge = await link.next("challenge")
        link.send(spool.credentials.signed(spool.hello(challenge["nonce"])))
        answer = await link.next("welcome", "reject")
        if answer["type"] == "reject":
            raise ConnectionRefusedError(answer["code"])
    return link


async def _opened(port: int) -> Link:
    return Link(*await asyncio.open_connection("127.0.0.1", port))
