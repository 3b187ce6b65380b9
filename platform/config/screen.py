"""Show the lines of many processes on one standard output."""

import asyncio
import contextlib
import queue
import sys
import threading

COLOURS = (36, 33, 35, 32, 34, 31)


class Screen:
    """Standard output behind a queue: a reader that stalls loses lines and never stops the supervisor."""

    def __init__(self) -> None:
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=10_000)
        self._coloured = sys.stdout.isatty()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def show(self, name: str, text: bytes) -> None:
        head = f"{name:<10} | "
        if self._coloured:
            head = f"\033[{COLOURS[sum(name.encode()) % len(COLOURS)]}m{head}\033[0m"
        self.plain(head.encode() + text)

    def plain(self, text: bytes) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(text + b"\n")

    def close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._writer.join(timeout=1)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            # A closed terminal or pipe takes no more lines; the platform goes on without them.
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()


class ProcessOutput(asyncio.SubprocessProtocol):
    """Shows what a process writes, and tells its exit apart from the end of its output.

    The output ends later where children of the process still hold it; ``Process.wait`` of some
    Python versions waits for them.
    """

    def __init__(self, name: str, screen: Screen) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._name = name
        self._screen = screen
        self._rest = b""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._screen.show(self._name, line)

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rest:
            self._screen.show(self._name, self._rest)
        self.closed.set_result(None)
