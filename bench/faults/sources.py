"""An event loop beside the run, for sources and proxies."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

T = TypeVar("T")


class Sources:
    """An event loop on a thread of its own, for sources and proxies that must go on whatever the run waits for."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do a piece of work on the loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context that ends with the loop."""
        return self.run(self._stack.enter_async_context(context))

    def close(self) -> None:
        """Leave all contexts and end the loop."""
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
