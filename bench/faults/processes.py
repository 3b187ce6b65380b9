"""The platform's servers and runtimes, each of which can be killed, stopped and started by itself."""

from __future__ import annotations

import contextlib
import os
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
from urllib.parse import quote

from bench.soak.running import free_port
from config import embedded, layout, programs
from config.programs import EmbeddedError
from config.runtimes import ROOT, platform_plan
from config.tethered import tethered
from kernel.failpoints import VARIABLE

DIED = -signal.SIGKILL
END_LIMIT_S = 10.0


class FaultsError(RuntimeError):
    """The platform of a run cannot go on; the message says why."""


class Platform:
    """Own servers in a folder of their own, and runtimes by name. Make and use it on the main thread.

    Names are those of the plan; further settlement workers are ``settlement-2`` and so on.
    ``overrides`` are settings of single runtimes, by name. Who waits calls :meth:`keep` meanwhile.
    """

    def __init__(self, *, durable: bool, environ: Mapping[str, str]) -> None:
        """Start the servers and migrate.

        :param durable: let PostgreSQL wait for the disk at each commit
        :param environ: settings of the runtimes besides their servers
        """
        self.folder = Path(tempfile.mkdtemp(prefix="fairstrike-faults-"))
        # Directories of one user alone would shut out PostgreSQL, which runs as another one when we are root.
        self.folder.chmod(0o711)
        self.port = free_port()
        self.ea_port = free_pair()
        self._servers = embedded.start(self.folder, options={} if durable else {"fsync": "off"})
        inherited = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        ports = {"PORT": str(self.port), "EA_PORT": str(self.ea_port)}
        own = {"DATA_DIR": str(self.folder), "LOG_LEVEL": "INFO", **ports, **environ}
        # Hundreds of processes start in a run: each module is compiled once, whatever the environment says.
        own |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.folder / "bytecode")}
        self.environ = {**inherited, **own, "DJANGO_SETTINGS_MODULE": "config.settings.dev"}
        self.environ = embedded.environment(self.environ, self.folder)
        self.overrides: dict[str, dict[str, str]] = {}
        self._plan = platform_plan(port=self.port, data_dir=self.folder, development=True)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._kept: set[str] = set()
        self.ended: Counter[str] = Counter()
        self.manage("migrate", "--verbosity", "0", as_owner=True)

    @property
    def url(self) -> str:
        """Return the address that the web process answers at."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_socket(self) -> str:
        """Return the path of PostgreSQL's socket."""
        return str(layout.find(self.folder).sockets / f".s.PGSQL.{layout.PORT}")

    @property
    def database_folder(self) -> Path:
        """Return where PostgreSQL keeps its data."""
        return layout.find(self.folder).postgres

    def superuser_url(self) -> str:
        """Return the address of the database as its superuser."""
        return self.environ["DATABASE_OWNER_URL"].replace("//fairstrike_owner@", "//postgres@")

    @property
    def redis_url(self) -> str:
        """Return the address of Redis."""
        return self._servers.urls.redis

    def database_url(self, port: int) -> str:
        """Return the address of the database behind a proxy on a loopback port."""
        return f"postgresql://fairstrike@/fairstrike?host={quote('127.0.0.1')}&port={port}"

    def manage(self, *arguments: str, as_owner: bool = False, timeout_s: float = 300) -> str:
        """Run a command to its end and return what it printed.

        :raises FaultsError: when it fails
        """
        environ = self.environ | ({"DATABASE_URL": self.environ["DATABASE_OWNER_URL"]} if as_owner else {})
        command = tethered([sys.executable, str(ROOT / "manage.py"), *arguments], death_signal=signal.SIGKILL)
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=timeout_s, check=False)
        if ended.returncode != 0:
            raise FaultsError(
                f"{' '.join(arguments)}: {(ended.stdout + ended.stderr).decode(errors='replace')[-2000:]}"
            )
        return ended.stdout.decode()

    # --- runtimes ------------------------------------------------------------------------------------

    def start(self, name: str, *, failpoint: str = "") -> None:
        """Start a runtime, with a failpoint where one is asked for."""
        command = [word.replace("settlement@", f"{name}@") for word in self._plan.runtimes[name.partition("-")[0]]]
        self._processes[name] = self._spawned(name, command, failpoint, self.overrides.get(name, {}))
        if failpoint:
            self._kept.discard(name)
        else:
            self._kept.add(name)

    def keep(self) -> None:
        """Start runtimes again that have ended by themselves, as the supervisor does; ``ended`` counts them.

        A settlement worker ends itself when its loop stands still for seconds, whatever holds it up.
        """
        for name in sorted(self._kept):
            if (code := self._processes[name].poll()) is not None:
                self.ended[f"{name.partition('-')[0]}, code {code}"] += 1
                self.start(name)

    def start_command(self, name: str, arguments: tuple[str, ...], *, failpoint: str = "") -> None:
        """Start a Python program of ours beside the runtimes."""
        self._processes[name] = self._spawned(name, [sys.executable, *arguments], failpoint, {})

    def _spawned(
        self, name: str, command: list[str], failpoint: str, environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        armed = {VARIABLE: failpoint} if failpoint else {}
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                tethered(command, death_signal=signal.SIGKILL),
                cwd=ROOT,
                env={**self.environ, "PYTHONUNBUFFERED": "1", **environ, **armed},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, *names: str) -> None:
        """End runtimes as a power cut would; those that have ended already are forgotten."""
        for name in names:
            self._kept.discard(name)
            if (process := self._processes.pop(name, None)) is not None:
                process.kill()
                process.wait(END_LIMIT_S)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a runtime."""
        self._processes[name].send_signal(number)

    def running(self, name: str) -> bool:
        """Whether a runtime was started and has not ended."""
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def code(self, name: str) -> int | None:
        """Return the exit code of a runtime that has ended, else None."""
        return self._processes[name].poll()

    def stopped(self, name: str) -> bool:
        """Whether a runtime was stopped by a signal and waits to be continued."""
        status = Path(f"/proc/{self._processes[name].pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "T"

    def said(self, name: str, characters: int = 1_500) -> str:
        """Return the end of what a runtime has said."""
        return (self.folder / "log" / f"{name}.log").read_text(errors="replace")[-characters:]

    # --- servers -------------------------------------------------------------------------------------

    def server_end(self, name: str, number: signal.Signals) -> None:
        """End a server, ``postgres`` or ``redis``, and wait until it is gone.

        SIGQUIT is PostgreSQL's immediate stop: it comes back by replaying its log, as after a crash.
        """
        pid = self._servers.pids[name]
        os.kill(pid, number)
        until_s = time.monotonic() + END_LIMIT_S
        while self.server_running(name):
            if time.monotonic() > until_s:
                raise FaultsError(f"{name} does not end")
            time.sleep(0.02)

    def server_running(self, name: str) -> bool:
        """Whether a server, ``postgres`` or ``redis``, was started and has not ended."""
        status = Path(f"/proc/{self._servers.pids[name]}/stat")
        return status.exists() and "Z" not in status.read_text().split()[2]

    def servers_revive(self) -> None:
        """Start the servers again that have ended."""
        try:
            self._servers.revive()
        except EmbeddedError as error:
            raise FaultsError(str(error)) from error

    def stop(self) -> None:
        """End everything."""
        self.kill(*list(self._processes))
        self._servers.stop()

    def tidy(self, *kept: Path) -> None:
        """Remove the data but for some files and the logs."""
        private = layout.private_folder(self.folder, programs.server_identity(create=False))
        shutil.rmtree(private, ignore_errors=True)
        for path in self.folder.iterdir():
            if path not in kept and path.name != "log":
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def free_pair() -> int:
    """Return a port that is free with the next one."""
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", port + 1))
            return port
