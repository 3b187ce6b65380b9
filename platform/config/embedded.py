"""PostgreSQL and Redis for a machine that has neither: real servers, shipped as wheels.

They keep their data under ``DATA_DIR``, listen on Unix sockets only, belong to the process that
started them and end with it, however it ends. ``python -m config.embedded -- COMMAND`` runs any
command beside them.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO
from urllib.parse import quote

from config import layout, programs
from config.layout import PORT, Layout
from config.programs import EmbeddedError
from config.tethered import tethered

LOG_BYTES_MAX = 10_000_000
START_LIMIT_S = 60.0
STOP_LIMIT_S = 8.0
LOCK_FILE = "embedded.lock"

PROVISION_ROLES = (
    "CREATE ROLE fairstrike_owner LOGIN NOSUPERUSER NOCREATEROLE CREATEDB",
    "CREATE ROLE fairstrike LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB",
)
# The application may not TRUNCATE: the append-only tables rely on it.
PROVISION_PRIVILEGES = (
    "ALTER DEFAULT PRIVILEGES FOR ROLE fairstrike_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO fairstrike",
    "ALTER DEFAULT PRIVILEGES FOR ROLE fairstrike_owner GRANT USAGE, SELECT ON SEQUENCES TO fairstrike",
    "ALTER DEFAULT PRIVILEGES FOR ROLE fairstrike_owner GRANT EXECUTE ON FUNCTIONS TO fairstrike",
)


@dataclass(frozen=True)
class Urls:
    """Where to reach the servers: as the application, as the owner of the schema, and Redis."""

    database: str
    owner: str
    redis: str


def urls(data_dir: Path) -> Urls:
    """Return the addresses of the servers of ``data_dir``, whether they run or not."""
    place = layout.find(data_dir.absolute())
    query = f"?host={quote(str(place.sockets))}&port={PORT}"
    return Urls(
        database=f"postgresql://fairstrike@/fairstrike{query}",
        owner=f"postgresql://fairstrike_owner@/fairstrike{query}",
        redis=f"unix://{quote(str(place.redis_socket))}?db=0",
    )


def environment(environ: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    """Return ``environ`` with the embedded servers filled in where no server is named."""
    filled, embedded = dict(environ), urls(data_dir)
    if not filled.get("DATABASE_URL"):
        filled |= {"DATABASE_URL": embedded.database, "DATABASE_OWNER_URL": embedded.owner}
    if not filled.get("DATABASE_OWNER_URL"):
        filled["DATABASE_OWNER_URL"] = filled["DATABASE_URL"]
    if not filled.get("REDIS_URL"):
        filled["REDIS_URL"] = embedded.redis
    return filled


def running_pid(data_dir: Path) -> int | None:
    """Return the process that runs the servers of ``data_dir``, or None when nobody does."""
    path = data_dir / LOCK_FILE
    if not path.exists():
        return None
    with path.open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read() or 0)
    return None


class Servers:
    """Running servers of one data directory; leaving the context stops those that we started."""

    def __init__(self, data_dir: Path, *, postgres: bool, redis: bool, options: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.owned = False
        self._wanted = {"postgres": postgres, "redis": redis}
        self._options = dict(options)
        self._lock: IO[str] | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def urls(self) -> Urls:
        return urls(self.data_dir)

    @property
    def pids(self) -> dict[str, int]:
        """Return the process ids of the servers that we started, by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start what is wanted, or attach to the servers that another process runs.

        :raises EmbeddedError: a server is missing, does not start, or its files belong to somebody else
        """
        layout.make_data_dir(self.data_dir)
        self.owned = self._acquire()
        try:
            if not self.owned:
                self._wait("redis", "postgres")
                return
            place = layout.prepare(self.data_dir, sync=self._options.get("fsync") != "off")
            if self._wanted["redis"]:
                self._start_redis(place)
            if self._wanted["postgres"]:
                self._start_postgres(place)
                _provision(place)
        except BaseException:
            self.stop()
            raise

    def revive(self) -> list[str]:
        """Start again each of our servers that has died; return their names."""
        dead = [name for name, process in self._processes.items() if process.poll() is not None]
        place = layout.find(self.data_dir)
        if "redis" in dead:
            self._start_redis(place)
        if "postgres" in dead:
            self._start_postgres(place)
        return dead

    def stop(self) -> None:
        """Stop what we started, at most twice ``STOP_LIMIT_S`` for each server; may be called again."""
        for name, gentle, hard in (
            ("redis", signal.SIGTERM, signal.SIGKILL),
            ("postgres", signal.SIGINT, signal.SIGQUIT),
        ):
            process = self._processes.pop(name, None)
            if process is not None:
                _end(process, gentle=gentle, hard=hard)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _acquire(self) -> bool:
        # The kernel drops the lock with its owner, so a SIGKILL leaves nothing to clean up.
        lock = (self.data_dir / LOCK_FILE).open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        return True

    def _start_redis(self, place: Layout) -> None:
        home = self.data_dir / "redis"
        home.mkdir(mode=0o700, exist_ok=True)
        programs.end_leftovers("redis-server", home)
        options = {
            "port": "0",
            "unixsocket": str(place.redis_socket),
            "unixsocketperm": "700",
            "dir": str(home),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
        }
        arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
        command = tethered([str(programs.redis_server()), *arguments], death_signal=signal.SIGTERM)
        self._processes["redis"] = self._spawn("redis", command, cwd=home)
        self._wait("redis")

    def _start_postgres(self, place: Layout) -> None:
        programs.end_leftovers("postgres", place.postgres)
        # With no server process left in the directory, whatever process id is in there means nothing.
        (place.postgres / "postmaster.pid").unlink(missing_ok=True)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(place.sockets),
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        } | self._options
        identity = layout.identity_for(place)
        private = layout.private_folder(self.data_dir, identity)
        program = programs.postgres_bin(identity, private=private) / "postgres"
        arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        command = tethered(
            [str(program), "-D", str(place.postgres), *arguments],
            death_signal=signal.SIGINT,
            identity=identity,
        )
        self._processes["postgres"] = self._spawn("postgres", command, cwd=place.sockets)
        self._wait("postgres")

    def _spawn(self, name: str, command: list[str], *, cwd: Path) -> subprocess.Popen[bytes]:
        with _log_file(self.data_dir, name).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cwd,
                env=programs.clean_environment(),
                start_new_session=True,
            )

    def _wait(self, *names: str) -> None:
        answers = {"redis": _redis_answers, "postgres": _postgres_answers}
        deadline = time.monotonic() + START_LIMIT_S
        for name in names:
            # While another process starts them, their places may not be settled: look again each time.
            while self._wanted[name] and not answers[name](layout.find(self.data_dir)):
                process = self._processes.get(name)
                if process is not None and process.poll() is not None:
                    raise EmbeddedError(f"{name} did not start: {self._last_words(name)}")
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"{name} did not answer within {START_LIMIT_S:.0f} s")
                time.sleep(0.05)

    def _last_words(self, name: str) -> str:
        lines = _log_file(self.data_dir, name).read_text(errors="replace").splitlines()
        return " | ".join(lines[-5:])


def start(
    data_dir: Path,
    *,
    postgres: bool = True,
    redis: bool = True,
    options: Mapping[str, str] | None = None,
) -> Servers:
    """Start the servers of ``data_dir`` and provision database and roles; the caller must stop them.

    The servers end with the thread that calls this. When another process runs them already, the
    result is attached to those: ``owned`` is False and ``stop`` leaves them alone.

    :param options: PostgreSQL settings by name, for example ``{"fsync": "off"}`` for throw-away data
    :raises EmbeddedError: a server is missing, does not start, or its files belong to somebody else
    """
    servers = Servers(data_dir.absolute(), postgres=postgres, redis=redis, options=options or {})
    servers.start()
    return servers


def _log_file(data_dir: Path, name: str) -> Path:
    path = data_dir / "log" / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    return path


# --- talking to the servers -------------------------------------------------------------------


def _redis_answers(place: Layout) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(place.redis_socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _postgres_answers(place: Layout) -> bool:
    import psycopg

    try:
        psycopg.connect(host=str(place.sockets), port=PORT, user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def _provision(place: Layout) -> None:
    """Make roles and database where they are missing, and set the application's privileges."""
    import psycopg

    def run(database: str, *statements: str) -> None:
        with psycopg.connect(
            host=str(place.sockets), port=PORT, user="postgres", dbname=database, autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    with psycopg.connect(host=str(place.sockets), port=PORT, user="postgres", dbname="postgres") as connection:
        roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        databases = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    run("postgres", *(statement for statement in PROVISION_ROLES if statement.split()[2] not in roles))
    # Databases are copies of template1: test databases get the same privileges.
    run("template1", *PROVISION_PRIVILEGES)
    if "fairstrike" not in databases:
        run("postgres", "CREATE DATABASE fairstrike OWNER fairstrike_owner")
    run("fairstrike", *PROVISION_PRIVILEGES)


def _end(process: subprocess.Popen[bytes], *, gentle: signal.Signals, hard: signal.Signals) -> None:
    process.send_signal(gentle)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(hard)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- command line -----------------------------------------------------------------------------


def data_dir_from(environ: Mapping[str, str]) -> Path:
    """Return the absolute data directory that ``environ`` names; by default ``.data`` in the checkout."""
    default = Path(__file__).resolve().parents[2] / ".data"
    return Path(environ.get("DATA_DIR") or default).expanduser().absolute()


def start_missing(environ: Mapping[str, str]) -> Servers:
    """Start the servers that ``environ`` names no URL for; with both named, start nothing."""
    return start(
        data_dir_from(environ),
        postgres=not environ.get("DATABASE_URL"),
        redis=not environ.get("REDIS_URL"),
    )


def main(arguments: list[str]) -> int:
    """Run a command beside the servers and return its exit code, or 128 + N after signal N."""
    if len(arguments) < 2 or arguments[0] != "--":
        sys.stderr.write("usage: python -m config.embedded -- COMMAND [ARGUMENT ...]\n")
        return 2
    try:
        servers = start_missing(os.environ)
    except EmbeddedError as error:
        sys.stderr.write(f"embedded servers: {error}\n")
        return 1
    with servers:
        child = subprocess.Popen(
            tethered(arguments[1:], death_signal=signal.SIGTERM),
            env=environment(os.environ, servers.data_dir),
        )

        def forward(number: int, _: FrameType | None) -> None:
            child.send_signal(number)

        # A terminal's Ctrl-C reaches the child by itself; we stay to stop the servers after it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, forward)
        signal.signal(signal.SIGHUP, forward)
        code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
