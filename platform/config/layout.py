"""Where the embedded servers of a data directory keep their data and their sockets."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from config import programs
from config.programs import EmbeddedError
from config.tethered import Identity, tethered

PORT = 5432  # names the socket file; nothing listens on TCP
SOCKET_PATH_BYTES_MAX = 107
STATE_FILE = "embedded.json"


@dataclass(frozen=True)
class Layout:
    """The directories of one data directory's servers."""

    postgres: Path
    sockets: Path

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"


def find(data_dir: Path) -> Layout:
    """Return the places of ``data_dir``: those in use since its first start, else those it will get."""
    recorded = _recorded(data_dir)
    if recorded is not None:
        return recorded
    identity = programs.server_identity(create=False)
    private = private_folder(data_dir, identity)
    home = data_dir if identity is None or programs.reachable(data_dir, identity.uid) else private
    fits = len(os.fsencode(home / "run" / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES_MAX
    # PostgreSQL takes a list of socket directories: separators and quotes would need an escape.
    plain = re.fullmatch(r"[\w/.+@-]+", str(home)) is not None
    return Layout(postgres=home / "postgres", sockets=(home if fits and plain else private) / "run")


def identity_for(place: Layout) -> Identity | None:
    """Return the user that PostgreSQL runs as: us, or, since it refuses root, a user without rights."""
    return programs.owner_identity(place.postgres) or programs.server_identity(create=True)


def private_folder(data_dir: Path, identity: Identity | None) -> Path:
    """Return the folder among the temporary ones that stands in where ``data_dir`` cannot serve."""
    name = "fairstrike-" + hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 what is made there is private
        folder = Path(parent).resolve() / name
        fits = len(os.fsencode(folder / "run" / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES_MAX
        if fits and (identity is None or programs.reachable(folder.parent, identity.uid)):
            return folder
    raise EmbeddedError("no temporary folder is fit for the servers' sockets: set TMPDIR to a short path")


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory and its log folder where they are missing."""
    if not data_dir.exists():
        data_dir.mkdir(parents=True)
        # Others may pass through but not look around: as root, the server's user must reach its folder.
        data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    (data_dir / "log").mkdir(mode=0o700, exist_ok=True)


def prepare(data_dir: Path, *, sync: bool) -> Layout:
    """Make the folders and, where there is none, a database cluster; write down where they are.

    :param sync: wait until a new cluster is on the disk
    :raises EmbeddedError: a folder belongs to somebody else, or the cluster cannot be made
    """
    place = find(data_dir)
    identity = identity_for(place)
    private = private_folder(data_dir, identity)
    if place.postgres.parent != data_dir:
        user = identity.name if identity else "this user"
        sys.stderr.write(f"{data_dir} is closed to user {user}: PostgreSQL keeps its data in {place.postgres}\n")
    if private in (place.postgres.parent, place.sockets.parent):
        programs.make_private(private, identity)
    programs.make_private(place.sockets, identity)
    if place.postgres.exists():
        programs.make_private(place.postgres, identity)
    else:
        _initdb(place, identity, private=private, sync=sync)
    state = {"data_dir": str(data_dir), "postgres": str(place.postgres), "sockets": str(place.sockets)}
    draft = data_dir / f"{STATE_FILE}.new"
    draft.write_text(json.dumps(state, indent=1) + "\n")
    draft.replace(data_dir / STATE_FILE)
    return place


def _recorded(data_dir: Path) -> Layout | None:
    try:
        state = json.loads((data_dir / STATE_FILE).read_text())
        place = Layout(postgres=Path(state["postgres"]), sockets=Path(state["sockets"]))
        copied = state["data_dir"] != str(data_dir)
    except (FileNotFoundError, ValueError, KeyError):
        return None
    # A copy of a data directory must not reach for the servers of the original.
    return None if copied or not place.postgres.exists() else place


def _initdb(place: Layout, identity: Identity | None, *, private: Path, sync: bool) -> None:
    # Made beside its place and moved there when whole: an interrupted start leaves no half a cluster.
    draft = place.postgres.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    programs.make_private(draft, identity)
    command = [
        str(programs.postgres_bin(identity, private=private) / "initdb"),
        f"--pgdata={draft}",
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        # The built-in locale sorts alike on every machine, whatever its C library.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        *([] if sync else ["--no-sync"]),
    ]
    made = subprocess.run(
        tethered(command, death_signal=signal.SIGKILL, identity=identity),
        cwd=place.sockets,
        env=programs.clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise EmbeddedError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
    draft.rename(place.postgres)
