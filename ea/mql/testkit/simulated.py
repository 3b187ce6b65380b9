"""A simulated terminal with one expert on a chart: a process, its folder, its standard input."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SANITIZER_SETTINGS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1"}
ANSWER_WITHIN_S = 20.0


class TerminalFailed(Exception):
    """The simulated terminal ended as it should not, for example with a report of a sanitizer."""


class Terminal:
    """Starts a program of :func:`ea.mql.testkit.build.expert_built` and speaks with it.

    The folder is the terminal's own: its files, its global variables and its history stay for the next run in it.

    :ivar lines: what it has printed: ``[ea]``, ``[alert]``, ``[comment]``, ``[sim]``
    """

    def __init__(self, program: Path, folder: Path, settings: Mapping[str, str]) -> None:
        (folder / "Files").mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [str(program), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **SANITIZER_SETTINGS, **settings},
        )
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self._process.stderr, self._errors)),
        ]
        for reader in self._readers:
            reader.start()
        self.wait_for(lambda: any(line.startswith("[sim] started") for line in self.lines))

    def do(self, *commands: str) -> None:
        """Give commands and wait until they are done.

        :raises TerminalFailed: the process ended instead
        """
        before = self._done()
        for command in commands:
            self.say(command)
        self.wait_for(lambda: self._done() >= before + len(commands))

    def say(self, command: str) -> None:
        """Give a command without waiting."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def comment(self) -> str:
        """Return what stands on the chart."""
        before = self._count("[end]")
        self.say("comment")
        self.wait_for(lambda: self._count("[end]") > before)
        end = max(at for at, line in enumerate(self.lines) if line == "[end]")
        begin = max(at for at, line in enumerate(self.lines[:end]) if line.startswith("[comment]"))
        return "\n".join(self.lines[begin:end]).removeprefix("[comment] ")

    def stop(self) -> None:
        """Take the expert off the chart.

        :raises TerminalFailed: it did not end well
        """
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
        self.ended()

    def ended(self, *, code: int = 0) -> None:
        """Wait for the end of the process, and see that it was a good one.

        :raises TerminalFailed: another exit code, or anything on the error output
        """
        found = self._process.wait(ANSWER_WITHIN_S)
        self._join()
        if found != code or self._errors:
            raise TerminalFailed(f"exit {found}\n" + "\n".join([*self.lines[-20:], *self._errors]))

    def kill(self) -> None:
        """End the process at once, as a crash of the computer would."""
        self._process.kill()
        self._process.wait(ANSWER_WITHIN_S)
        self._join()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def said(self, text: str) -> bool:
        """Whether a printed line has this text in it."""
        return any(text in line for line in self.lines)

    def wait_for(self, fact: Callable[[], bool], within_s: float = ANSWER_WITHIN_S) -> None:
        """Wait until something printed makes a fact true.

        :raises TerminalFailed: the process ended, or the time is up
        """
        until = time.monotonic() + within_s
        with self._changed:
            while not fact():
                left = until - time.monotonic()
                if left <= 0 or (not self.running and not self._readers[0].is_alive()):
                    raise TerminalFailed("\n".join(["no answer", *self.lines[-20:], *self._errors]))
                self._changed.wait(min(left, 0.2))

    def _done(self) -> int:
        return sum(line.startswith("[sim] done") for line in self.lines)

    def _count(self, line: str) -> int:
        return self.lines.count(line)

    def _read(self, stream: object, into: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            with self._changed:
                into.append(line.rstrip("\n"))
                self._changed.notify_all()

    def _join(self) -> None:
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
