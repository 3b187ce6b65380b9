"""Show the lines of many processes on one standard output."""

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
