"""The platform as ``make run`` starts it, in a folder and on a port of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psutil

from config import probes
from config.runtimes import ROOT, platform_plan
from config.tethered import tethered

STOP_LIMIT_S = 40
KEPT = ("soak-report.json", "platform.log")
_ERROR = re.compile(r"\[(?:error|critical) *\] (\S+)")
_ENDED = re.compile(r"(\w+) ended with code (-?\d+)")


class PlatformError(RuntimeError):
    """The platform did not start, or ended by itself."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningPlatform:
    """The supervisor and everything it has started. Start it from the main thread: it dies with that thread."""

    def __init__(self, feeds: Mapping[str, str]) -> None:
        # Directories of one user alone would shut out PostgreSQL, which runs as another one when we are root.
        self.data_dir = Path(tempfile.mkdtemp(prefix="fairstrike-soak-"))
        self.data_dir.chmod(0o711)
        self.port = free_port()
        self.killed: list[tuple[str, int]] = []
        inherited = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        own = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "EA_PORT": "0"}
        self.environ = {**inherited, **own, "DJANGO_SETTINGS_MODULE": "config.settings.dev", **feeds}
        self._plan = platform_plan(port=self.port, data_dir=self.data_dir, development=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the address that it answers at."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Return the file with the output of all runtimes."""
        return self.data_dir / "platform.log"

    def start(self) -> None:
        """Start the supervisor."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                tethered([sys.executable, "-m", "config.supervisor"], death_signal=signal.SIGTERM),
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def readiness_problem(self) -> str | None:
        """Return what the platform says instead of being ready.

        :raises PlatformError: it has ended
        """
        self.require()
        return probes.readiness_problem(self.port)

    def require(self) -> None:
        """Refuse to go on without the platform.

        :raises PlatformError: it has ended
        """
        if self._process is None or self._process.poll() is not None:
            raise PlatformError(f"the platform has ended:\n{self.log.read_text(errors='replace')[-3_000:]}")

    def runtimes(self) -> dict[str, psutil.Process]:
        """Return the processes that run now, by the names of the plan; Redis as ``redis``."""
        found: dict[str, psutil.Process] = {}
        if self._process is None:
            return found
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    command = tuple(child.cmdline()[1:])
                    if child.name() == "redis-server":
                        found["redis"] = child
                    for name, planned in self._plan.runtimes.items():
                        if command == planned[1:]:
                            found[name] = child
        return found

    def kill(self, name: str, now_ms: int) -> bool:
        """End a runtime as a power cut would; return whether there was one."""
        process = self.runtimes().get(name)
        if process is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            self.killed.append((name, now_ms))
            return True
        return False

    def memory_mb(self) -> dict[str, float]:
        """Return the resident memory of each runtime."""
        found = {}
        for name, process in self.runtimes().items():
            with contextlib.suppress(psutil.NoSuchProcess):
                found[name] = round(process.memory_info().rss / 2**20, 1)
        return found

    def endings(self) -> Counter[str]:
        """Return how often each runtime has ended, whoever ended it."""
        return Counter(found[1] for found in _ENDED.finditer(self.log.read_text(errors="replace")))

    def errors(self) -> Counter[str]:
        """Return the errors in the log, by the name of the event and the runtime that met it.

        Celery calls it an error that Redis is away; where it was killed, that is no news.
        """
        found: Counter[str] = Counter()
        redis_killed = any(name == "redis" for name, _ in self.killed)
        for line in self.log.read_text(errors="replace").splitlines():
            if redis_killed and "redis" in line.casefold():
                continue
            if error := _ERROR.search(line):
                found[f"{error[1]} of {line.partition('|')[0].strip()}"] += 1
        return found

    def manage(self, *arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run one of the contract's commands beside the platform."""
        command = tethered([sys.executable, str(ROOT / "manage.py"), *arguments], death_signal=signal.SIGKILL)
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def stop(self) -> None:
        """Stop it as Ctrl-C does, and by force what is still there then."""
        if self._process is None or self._process.poll() is not None:
            return
        left = psutil.Process(self._process.pid).children(recursive=True)
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=STOP_LIMIT_S)
        until_s = time.monotonic() + 5
        while any(child.is_running() for child in left) and time.monotonic() < until_s:
            time.sleep(0.1)
        for child in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()

    def tidy(self) -> None:
        """Remove the folder but for the report and the log."""
        for path in self.data_dir.iterdir():
            if path.name in KEPT:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
