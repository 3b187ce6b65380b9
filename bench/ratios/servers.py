"""PostgreSQL and Redis of the run's own, durable as in production, and the processes that are measured."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

from config import embedded
from config.tethered import tethered

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 90.0
FILES_WANTED = 16_384


class Rig:
    """The servers of one run, in a folder of their own, and what leads other processes to them."""

    def __init__(self) -> None:
        # PostgreSQL runs as another user when we are root, who must be able to reach its data.
        self.data_dir = Path(tempfile.mkdtemp(prefix="fairstrike-bench-"))
        self.data_dir.chmod(0o711)
        self.servers = embedded.start(self.data_dir)
        inherited = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        self.environ = {
            **inherited,
            "DATA_DIR": str(self.data_dir),
            "DATABASE_URL": self.servers.urls.database,
            "REDIS_URL": self.servers.urls.redis,
            "DJANGO_SETTINGS_MODULE": "config.settings.prod",
            "SECRET_KEY": "of this run alone, and gone with it",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "false",
            "LOG_LEVEL": "ERROR",
            "PYTHONWARNINGS": "ignore",
        }
        files_allow()

    def prepare(self) -> None:
        """Make the tables, and let this process be one of the platform's."""
        owner = self.environ | {"DATABASE_URL": self.servers.urls.owner}
        command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"]
        subprocess.run(command, env=owner, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
        os.environ.update(self.environ)
        import django

        django.setup()

    def postgres_cpu_s(self) -> float:
        """Return the processor seconds of all of PostgreSQL so far, ended backends included."""
        return tree_cpu_s(self.servers.pids["postgres"])

    def libpq_place(self) -> dict[str, str]:
        """Return host, port, user and database as libpq's programs take them."""
        parts = urlsplit(self.servers.urls.database)
        query = parse_qs(parts.query)
        return {
            "host": query["host"][0],
            "port": query["port"][0],
            "user": parts.username or "",
            "dbname": parts.path.strip("/"),
        }

    def stop(self) -> None:
        """Stop the servers and remove all data."""
        self.servers.stop()
        shutil.rmtree(self.data_dir, ignore_errors=True)


def files_allow() -> None:
    """Allow this process and its children as many sockets as the machine lets them have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def tree_cpu_s(pid: int) -> float:
    """Return processor seconds of a process, of its ended children, and of its living descendants."""
    try:
        process = psutil.Process(pid)
        total = sum(process.cpu_times()[:4])
        living = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return 0.0
    for child in living:
        try:
            total += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    *arguments: str, environ: Mapping[str, str], port: int | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python process beside this one; it ends with the block, however that ends.

    :param port: wait until it listens there
    """
    output = subprocess.DEVNULL if log is None else log.open("a")
    process = subprocess.Popen(
        tethered([sys.executable, *arguments], death_signal=signal.SIGTERM),
        env=dict(environ),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=output,
        text=True,
    )
    try:
        if port is not None:
            _await_port(process, port)
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _await_port(process: subprocess.Popen[str], port: int) -> None:
    until_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until_s:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} has ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen")
