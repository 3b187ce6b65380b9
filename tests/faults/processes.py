"""Runtimes of the platform as processes of their own, on the test's database, to be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from tests.support import with_user

ROOT = Path(__file__).resolve().parents[2]
WORKER = (
    *(sys.executable, "-m", "celery", "--app", "config.celery", "--quiet", "worker"),
    *("--queues", "settlement", "--pool", "solo", "--loglevel", "warning"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)


def database_url() -> str:
    """Return the address of the test database for the application's own role, which may do less than the tests."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return with_user(urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")), "fairstrike")


class Runtimes:
    """Processes by name; what is still running at the end is killed."""

    def __init__(self, log_folder: Path, **environ: str) -> None:
        self._log_folder = log_folder
        self._environ = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            **environ,
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: tuple[str, ...]) -> None:
        """Start a process; its output goes to a file of its own."""
        with (self._log_folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(command, cwd=ROOT, env=self._environ, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        process = self._running.pop(name)
        assert process.poll() is None, f"{name} had ended by itself: {self.log(name)}"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)

    def alive(self, name: str) -> bool:
        """Whether a process runs."""
        return self._running[name].poll() is None

    def log(self, name: str) -> str:
        """Return the end of what a process has said."""
        return (self._log_folder / f"{name}.log").read_text(errors="replace")[-2_000:]

    def end(self) -> None:
        """Kill everything that still runs."""
        for process in self._running.values():
            process.kill()
            process.wait(timeout=10)
        self._running.clear()
