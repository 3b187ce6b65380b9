"""One feed at work: receive, keep for at most 50 ms, write; lead or stand by."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from kernel.metrics import count
from quotes.adapters.upstream import Adapter, Wanted
from quotes.admission import LeadershipLostError
from quotes.backoff import Backoff
from quotes.feed_writer import DATABASE_ERRORS, FeedWriter, Report
from quotes.inbox import Inbox
from quotes.pace import Pace

log = structlog.get_logger(__name__)

T = TypeVar("T")

WINDOW_S = 0.05
BEAT_S = 1.0
STANDBY_S = 0.5


class FeedRunner:
    """Moves one feed's packets into the log.

    The event loop only receives; every statement runs on the feed's own thread, whose session holds the lock.
    """

    def __init__(self, *, name: str, adapter: Adapter, writer: FeedWriter) -> None:
        self.name = name
        self._adapter = adapter
        self._writer = writer
        self._inbox = Inbox()
        self._pace = Pace(window_s=WINDOW_S)
        self._wake = asyncio.Event()
        self._stopping = False
        self._leads: bool | None = None
        self._told_dropped = 0
        self._subscribed: dict[str, Wanted] = {}
        self._receiving: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"feed-{name}")
        self._database_backoff = Backoff(least_s=0.25, most_s=2.0)
        self._upstream_backoff = Backoff(least_s=0.5, most_s=30.0)

    def stop(self) -> None:
        """Ask for the end: what was received is still written."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Serve the feed until it ends by itself or is stopped."""
        try:
            while not await self._turn():
                pass
        finally:
            await self._receive_no_more()
            await self._on_thread(self._writer.leave)
            self._thread.shutdown(wait=False)

    async def _turn(self) -> bool:
        """Lead for as long as it goes well; return whether the feed is done."""
        try:
            if not await self._on_thread(self._writer.lead):
                await self._stand_by()
                return self._stopping
            self._leads = True
            self._database_backoff.reset()
            await self._subscribe()
            return await self._write_on()
        except LeadershipLostError as error:
            log.warning("feed_leadership_lost", feed=self.name, error=str(error))
            await self._on_thread(self._writer.leave)
            await self._stand_by()
        except DATABASE_ERRORS as error:
            await self._on_thread(self._writer.leave)
            log.warning("feed_database_failed", feed=self.name, error=str(error), dropped=self._inbox.drop())
            await self._pause(self._database_backoff.next_s())
            self._inbox.drop()
        return self._stopping

    async def _stand_by(self) -> None:
        if self._leads is not False:
            self._leads = False
            log.info("feed_stands_by", feed=self.name)
        await self._receive_no_more()
        self._inbox.forget()
        self._writer.forget()
        await self._pause(STANDBY_S)

    async def _write_on(self) -> bool:
        """Write what comes within 50 ms, and beat each second; return when there is nothing to come."""
        beat_at_s = 0.0
        while not await self._over():
            await self._wait(beat_at_s)
            self._wake.clear()
            started_s = time.monotonic()
            await self._write()
            if started_s >= beat_at_s:
                await self._beat()
                beat_at_s = started_s + BEAT_S
            await asyncio.sleep(self._pace.rest_s(time.monotonic() - started_s))
        await self._beat()
        return True

    async def _over(self) -> bool:
        if self._stopping:
            await self._receive_no_more()
            return True
        return self._receive()

    async def _write(self) -> None:
        cargo = self._inbox.take()
        if not cargo:
            return
        began_s = time.monotonic()
        try:
            await self._on_thread(lambda: self._writer.write(cargo))
        except DATABASE_ERRORS:
            self._inbox.keep(cargo.declared)
            raise
        self._pace.wrote(time.monotonic() - began_s)

    async def _beat(self) -> None:
        # Everything received until the sign of life that is told here has been written before.
        alive_ms = self._inbox.alive_ms
        await self._write()
        report = Report(
            connected=self._adapter.connected,
            detail=self._detail(),
            alive_ms=alive_ms,
            clock_offset_ms=self._inbox.clock_offset_ms,
            clock_sane=self._inbox.clock_sane,
        )
        await self._on_thread(lambda: self._writer.beat(report))
        await self._subscribe()

    def _detail(self) -> str:
        """Return what the adapter says, and how many ticks came that could not be written."""
        dropped = self._inbox.dropped
        if dropped > self._told_dropped:
            count("ticks_dropped", dropped - self._told_dropped, feed=self.name)
            self._told_dropped = dropped
        told = [self._adapter.detail[:170], f"{dropped} ticks dropped" if dropped else ""]
        return "; ".join(part for part in told if part)

    async def _subscribe(self) -> None:
        wanted = dict(self._writer.wanted)
        if wanted != self._subscribed:
            await self._adapter.resubscribe(wanted)
            self._subscribed = wanted

    def _receive(self) -> bool:
        """Keep the receiving task alive; return whether a finite source has ended."""
        task = self._receiving
        if task is not None and not task.done():
            return False
        if task is not None and (error := task.exception()) is None:
            return True
        delay_s = 0.0
        if task is not None:
            # An adapter handles what upstream does; this is a defect of ours, and the feed must live on.
            log.error("feed_adapter_failed", feed=self.name, exc_info=error)
            count("feed_adapter_failures", feed=self.name)
            delay_s = self._upstream_backoff.next_s()
        self._receiving = asyncio.create_task(self._packets(delay_s), name=f"receive-{self.name}")
        self._receiving.add_done_callback(lambda _: self._wake.set())
        return False

    async def _packets(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        async with contextlib.aclosing(self._adapter.packets()) as packets:
            async for packet in packets:
                self._inbox.put(packet)
                if packet.ticks or packet.refused or packet.declared:
                    self._wake.set()

    async def _receive_no_more(self) -> None:
        task, self._receiving = self._receiving, None
        if task is None or task.done():
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _wait(self, until_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until_s - time.monotonic())):
                await self._wake.wait()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until the end is asked for."""
        self._wake.clear()
        until_s = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until_s:
            await self._wait(until_s)
            self._wake.clear()

    async def _on_thread(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)
