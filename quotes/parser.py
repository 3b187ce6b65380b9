"""The quote parser: one process that serves all feeds, each by its own task and thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from quotes.adapters.registry import adapter_build, runs_unasked
from quotes.adapters.upstream import Adapter, Clock
from quotes.backoff import Backoff
from quotes.feed_runner import FeedRunner
from quotes.feed_writer import DATABASE_ERRORS, Choice, FeedWriter
from quotes.feeds import FEEDS, feed_settings
from quotes.market_watch import MarketWatch
from quotes.receive_clock import ReceiveClock

log = structlog.get_logger(__name__)

STOP_WITHIN_S = 2.5
LOOK_EVERY_S = 1.0


class Parser:
    """Runs the feeds that have symbols, or one named feed, until it is stopped or the named feed ends.

    :param feed: serve this feed only, with or without symbols
    :param choice: which of the symbols
    :param adapter: builds the named feed's adapter, when its settings are not enough
    """

    def __init__(
        self,
        *,
        feed: str | None = None,
        choice: Choice | None = None,
        adapter: Callable[[Clock], Adapter] | None = None,
    ) -> None:
        self._feed = feed
        self._choice = choice or Choice()
        self._adapter = adapter
        self._watch = MarketWatch()
        self._watch_thread = ThreadPoolExecutor(1, thread_name_prefix="markets")
        self._stopping = asyncio.Event()
        self._runners: dict[str, FeedRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or the end of the named feed; then write what was received and leave."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        self._tasks["markets"] = asyncio.create_task(self._look_on(), name="markets")
        if self._feed is not None:
            self._serve(self._feed)
        await self._stopping.wait()
        for runner in self._runners.values():
            runner.stop()
        _, unfinished = await asyncio.wait(self._tasks.values(), timeout=STOP_WITHIN_S)
        if unfinished:
            # A statement that does not return cannot be interrupted from here, and its thread would hold us up.
            log.warning("parser_left_in_a_hurry", waiting_for=[task.get_name() for task in unfinished])
            sys.stdout.flush()
            os._exit(0)
        self._watch_thread.shutdown(wait=False)
        for task in self._tasks.values():
            if error := task.exception():
                raise error

    def _serve(self, name: str) -> None:
        clock = ReceiveClock()
        settings = feed_settings(name)
        adapter = self._adapter(clock.now_ms) if self._adapter else adapter_build(settings, clock.now_ms)
        writer = FeedWriter(settings=settings, clock=clock, choice=self._choice)
        self._runners[name] = FeedRunner(name=name, adapter=adapter, writer=writer)
        self._tasks[name] = asyncio.create_task(self._runners[name].run(), name=f"feed-{name}")
        # A feed ends by itself only when its script has ended or by a defect; the process ends with it.
        self._tasks[name].add_done_callback(lambda _: self._stopping.set())

    async def _look_on(self) -> None:
        """Look at the markets each second; feeds that got their first symbol start being served."""
        backoff = Backoff(least_s=LOOK_EVERY_S, most_s=2.0)
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            delay_s = LOOK_EVERY_S
            try:
                await loop.run_in_executor(self._watch_thread, self._watch.look)
                backoff.reset()
            except DATABASE_ERRORS as error:
                log.warning("markets_database_failed", error=str(error))
                await loop.run_in_executor(self._watch_thread, self._watch.close)
                delay_s = backoff.next_s()
            if self._feed is None:
                self._serve_new()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stopping.wait()
        await loop.run_in_executor(self._watch_thread, self._watch.close)

    def _serve_new(self) -> None:
        for name in sorted(self._watch.feeds - self._runners.keys()):
            if runs_unasked(name):
                self._serve(name)
            elif name not in FEEDS:
                log.warning("feed_unknown", feed=name)
