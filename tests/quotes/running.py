"""``manage.py`` as a process of its own, on the test database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from kernel import db
from tests.support import eventually

ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """Return the environment that leads another process to the database of this test."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return os.environ | {
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")),
        "REDIS_URL": settings.REDIS_URL,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "LOG_LEVEL": "INFO",
    }


@dataclass
class Running:
    """A process and where its output goes."""

    process: subprocess.Popen[str]
    log: Path

    def logged(self) -> str:
        """Return what it has logged so far."""
        return self.log.read_text()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@contextmanager
def parsing(tmp_path: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run ``manage.py parse_quotes``; it is gone afterwards."""
    log = tmp_path / f"parser-{len(list(tmp_path.glob('parser-*')))}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "parse_quotes", *arguments],
            env=environment() | dict(variables or {}),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Running(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def seq_of(symbol_id: int) -> int:
    """Return how long a symbol's log is."""
    found = db.row("SELECT seq FROM quotes_symbol_head WHERE symbol_id = %s", [symbol_id])
    assert found is not None
    return int(found[0])


def ticks_flow(symbol_id: int, *, within_s: float) -> int:
    """Wait for the next tick of a symbol and return its seq."""
    before = seq_of(symbol_id)
    return eventually(lambda: seq if (seq := seq_of(symbol_id)) > before else 0, within_s=within_s)
