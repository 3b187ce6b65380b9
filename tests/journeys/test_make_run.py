"""``make run``: one command that starts everything, keeps it alive and leaves nothing behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from config import embedded, layout, programs
from tests.support import eventually

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 120
RESTART_LIMIT_S = 30
STOP_LIMIT_S = 30
RUNTIME_RSS_MB_MAX = 160
# What tells each runtime's command line apart.
RUNTIMES = {"web": "uvicorn", "parser": "parse_quotes", "settlement": "worker", "beat": "beat"}


@dataclass
class MakeRun:
    """A running ``make run`` with a log file, a port and a data directory of its own."""

    process: subprocess.Popen[bytes]
    log: Path
    data_dir: Path
    port: int

    def ready(self) -> None:
        """Wait for the line that says so."""

        def check() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return f"\nready http://127.0.0.1:{self.port}\n" in "\n" + self.log.read_text()

        eventually(check, within_s=START_LIMIT_S)

    def pids(self) -> dict[str, int]:
        """Return the process of each runtime that lives now."""
        found: dict[str, int] = {}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            found |= {name: child.pid for name, word in RUNTIMES.items() if word in words}
        return found

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> float:
        """Send SIGTERM to make's own process; return the seconds until the last process was gone."""
        everything = psutil.Process(self.process.pid).children(recursive=True)
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=STOP_LIMIT_S)
        _, alive = psutil.wait_procs(everything, timeout=0.1)
        assert alive == []
        return time.monotonic() - started


Start = Callable[[], MakeRun]


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fairstrike-t-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    private = layout.private_folder(folder, programs.server_identity(create=False))
    for path in (folder, private):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start ``make run`` over one data directory; end what a failed test leaves running."""
    started: list[MakeRun] = []

    def make_run() -> MakeRun:
        started.append(_start(folder))
        return started[-1]

    yield make_run
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(timeout=STOP_LIMIT_S)


def _start(data_dir: Path) -> MakeRun:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not re.search(r"_URL$|^DJANGO_|^MAKE", name)}
    log = data_dir / "make.log"
    with log.open("wb") as output:
        # -o setup: these tests run in an environment that is set up already.
        process = subprocess.Popen(
            ["make", "-o", "setup", "run"],
            cwd=ROOT,
            env={**kept, "DATA_DIR": str(data_dir), "PORT": str(port), "EA_PORT": "0"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return MakeRun(process=process, log=log, data_dir=data_dir, port=port)


def _people(data_dir: Path) -> list[tuple[object, ...]]:
    with psycopg.connect(embedded.urls(data_dir).database) as connection:
        return connection.execute(b"SELECT id, email FROM accounts_user ORDER BY id").fetchall()


def test_make_run_from_the_first_start_to_the_second(start: Start) -> None:
    """Contract: ready line, demo log-ins, restart within 30 s, SIGTERM ends all within 30 s, data is kept."""
    first = start()
    first.ready()
    before = first.pids()
    sizes_mb = {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in before.items()}
    people = _people(first.data_dir)
    assert set(before) == set(RUNTIMES)
    assert {name: size for name, size in sizes_mb.items() if size >= RUNTIME_RSS_MB_MAX} == {}
    assert "trader@example.com / trader-demo-1" in first.log.read_text()

    for name in ("parser", "settlement"):
        os.kill(before[name], signal.SIGKILL)

    def restarted() -> bool:
        now = first.pids()
        return set(now) == set(RUNTIMES) and all(now[name] != before[name] for name in ("parser", "settlement"))

    eventually(restarted, within_s=RESTART_LIMIT_S)
    eventually(first.is_ready, within_s=RESTART_LIMIT_S)
    assert first.stop() < STOP_LIMIT_S
    assert embedded.running_pid(first.data_dir) is None

    second = start()
    second.ready()
    assert len(people) >= 3
    assert _people(second.data_dir) == people
    assert second.stop() < STOP_LIMIT_S
