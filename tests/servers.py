"""Give each test run PostgreSQL and Redis of its own, unless servers are named by URL.

Loaded as a plugin before Django reads its settings. The tests connect as the schema's owner, who may
create databases and is no superuser; parallel workers inherit the addresses from the first process.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from config import embedded

# Nobody reads this data after a crash.
THROW_AWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


def _start() -> None:
    folder = Path(tempfile.mkdtemp(prefix="fairstrike-tests-"))
    if os.geteuid() == 0:
        # PostgreSQL runs as another user then, who must be able to reach its data.
        folder.chmod(0o711)
    needed = {name: not os.environ.get(f"{name}_URL") for name in ("DATABASE", "REDIS")}
    servers = embedded.start(folder, postgres=needed["DATABASE"], redis=needed["REDIS"], options=THROW_AWAY)
    # The embedded owner's address serves as both: tests create databases.
    if needed["DATABASE"]:
        os.environ["DATABASE_URL"] = os.environ["DATABASE_OWNER_URL"] = servers.urls.owner
        # Tables are emptied after a test with their triggers off, which is a superuser's to allow.
        with psycopg.connect(servers.urls.owner, user="postgres") as connection:
            connection.execute("GRANT SET ON PARAMETER session_replication_role TO fairstrike_owner")
    if needed["REDIS"]:
        os.environ["REDIS_URL"] = servers.urls.redis
    os.environ["DATA_DIR"] = str(folder)
    os.environ["TEST_TEMPLATE"] = f"template_{folder.name}".replace("-", "_")
    # The suite starts hundreds of processes: whatever the caller's shell says, each module is compiled once for all.
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "pycache")}
    starter = os.getpid()

    def end() -> None:
        if os.getpid() == starter:
            if not needed["DATABASE"]:
                _drop(os.environ["TEST_TEMPLATE"])
            servers.stop()
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)


def _drop(database: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(database)))


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Each worker has a database of its own, so what leaves the database must not meet that of another.
    own = Path(os.environ["DATA_DIR"]) / worker
    own.mkdir(mode=0o711, exist_ok=True)
    os.environ["DATA_DIR"] = str(own)
    # Limits of log-ins by address are counted in Redis: workers of one address must not use up each other's.
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("?db=0", f"?db={int(worker.removeprefix('gw')) + 1}")
else:
    _start()
