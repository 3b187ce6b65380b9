"""The embedded servers start anywhere, keep their data, and end with whoever started them."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from config import embedded, layout, programs
from config.tethered import tethered
from tests.config.conftest import Run, alive, offspring, remove_with_private
from tests.servers import THROW_AWAY
from tests.support import eventually

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NO_SERVERS_NAMED = {"DATABASE_URL": "", "DATABASE_OWNER_URL": "", "REDIS_URL": ""}


@pytest.fixture
def servers(folder: Path) -> Iterator[embedded.Servers]:
    with embedded.start(folder / "data", options=THROW_AWAY) as running:
        yield running


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def redis_answers(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def test_data_survives_a_stop_and_a_start(folder: Path) -> None:
    with embedded.start(folder / "data", options=THROW_AWAY) as servers:
        query(servers.urls.owner, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        assert redis_answers(servers.urls.redis)

    assert not redis_answers(servers.urls.redis)
    with pytest.raises(psycopg.OperationalError):
        query(servers.urls.database, "SELECT 1")
    assert embedded.running_pid(folder / "data") is None
    with embedded.start(folder / "data", options=THROW_AWAY) as again:
        assert query(again.urls.database, "SELECT n FROM kept") == [(7,)]


def test_addresses_are_the_same_before_and_after_the_start(folder: Path) -> None:
    before = embedded.urls(folder / "data")
    with embedded.start(folder / "data", options=THROW_AWAY) as servers:
        assert servers.urls == before


def test_a_committed_transaction_is_on_the_disk_by_default(folder: Path) -> None:
    with embedded.start(folder / "data", redis=False) as servers:
        settings = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
        assert query(servers.urls.database, settings) == [("on", "on")]


def test_no_server_listens_on_tcp(servers: embedded.Servers) -> None:
    for pid in servers.pids.values():
        assert psutil.Process(pid).net_connections(kind="inet") == []


def test_the_application_cannot_truncate_or_define_tables(servers: embedded.Servers) -> None:
    """Append-only tables rely on the role: the application neither owns nor truncates."""
    query(servers.urls.owner, "CREATE TABLE facts (n serial)")

    query(servers.urls.database, "INSERT INTO facts DEFAULT VALUES")
    for statement in ("TRUNCATE facts", "DROP TABLE facts", "CREATE TABLE mine (n int)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(servers.urls.database, statement)


def test_roles_have_no_rights_beyond_their_task(servers: embedded.Servers) -> None:
    rights = "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname ~ '^fairstrike'"
    assert sorted(query(servers.urls.owner, rights)) == [
        ("fairstrike", False, False, False),
        ("fairstrike_owner", False, True, False),
    ]
    memberships = "SELECT 1 FROM pg_auth_members WHERE 'fairstrike' IN (roleid::regrole::text, member::regrole::text)"
    assert query(servers.urls.owner, memberships) == []


def test_a_new_database_of_the_owner_has_the_same_privileges(servers: embedded.Servers) -> None:
    """Test databases must refuse what the real one refuses."""
    query(servers.urls.owner, "CREATE DATABASE another")
    owner = servers.urls.owner.replace("/fairstrike?", "/another?")
    query(owner, "CREATE TABLE facts (n int)")

    application = servers.urls.database.replace("/fairstrike?", "/another?")
    query(application, "INSERT INTO facts VALUES (1)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(application, "TRUNCATE facts")


def test_a_second_start_attaches_and_leaves_the_servers_alone(servers: embedded.Servers) -> None:
    with embedded.start(servers.data_dir) as second:
        assert not second.owned
        assert query(second.urls.database, "SELECT 1") == [(1,)]

    assert query(servers.urls.database, "SELECT 1") == [(1,)]
    assert embedded.running_pid(servers.data_dir) == os.getpid()


def test_servers_end_with_a_killed_owner_and_start_again(folder: Path, run: Run) -> None:
    environ = {**NO_SERVERS_NAMED, "DATA_DIR": str(folder / "data")}
    owner = run("-m", "config.embedded", "--", "sh", "-c", "echo up; exec sleep 60", environ=environ)
    assert owner.stdout is not None
    assert "up" in owner.stdout.readline()
    left = offspring(owner.pid)
    query(embedded.urls(folder / "data").owner, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")

    owner.kill()

    eventually(lambda: not alive(left), within_s=15)
    with embedded.start(folder / "data", options=THROW_AWAY) as servers:
        assert servers.owned
        assert query(servers.urls.database, "SELECT n FROM kept") == [(7,)]


def test_a_killed_server_is_revived(servers: embedded.Servers) -> None:
    before = servers.pids
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: sorted(servers.revive()) in ([], ["postgres", "redis"]) and servers.pids != before, within_s=20)

    assert query(servers.urls.database, "SELECT 1") == [(1,)]
    assert redis_answers(servers.urls.redis)
    assert servers.revive() == []


def test_a_process_id_file_that_names_a_stranger_does_not_stop_the_start(folder: Path) -> None:
    """After a crash and a reboot the recorded process id may belong to anybody."""
    with embedded.start(folder / "data", redis=False, options=THROW_AWAY) as servers:
        stale = (layout.find(servers.data_dir).postgres / "postmaster.pid").read_text()
        os.kill(servers.pids["postgres"], signal.SIGKILL)
    pid_file = layout.find(folder / "data").postgres / "postmaster.pid"
    pid_file.write_text("\n".join([str(os.getppid()), *stale.splitlines()[1:]]) + "\n")

    with embedded.start(folder / "data", redis=False, options=THROW_AWAY) as again:
        assert query(again.urls.database, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("name", ["x" * 100, "comma, space and % sign"])
def test_folders_whose_path_no_socket_can_have(folder: Path, name: str) -> None:
    data_dir = folder / name / "data"
    with embedded.start(data_dir, options=THROW_AWAY) as servers:
        assert query(servers.urls.database, "SELECT 1") == [(1,)]
        assert redis_answers(servers.urls.redis)
        assert layout.find(data_dir).postgres == data_dir / "postgres"
    remove_with_private(data_dir)


@only_root
def test_a_folder_that_only_root_can_enter(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A clone under /root: PostgreSQL refuses root, and its own user cannot come here."""
    closed = folder / "data" / "closed"
    closed.mkdir(mode=0o700, parents=True)
    closed.parent.chmod(0o700)
    with embedded.start(closed, options=THROW_AWAY) as servers:
        query(servers.urls.owner, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    place = layout.find(closed)

    assert f"{closed} is closed to user" in capfd.readouterr().err
    assert place.postgres.parent.parent == Path("/tmp")
    assert place.postgres.parent.stat().st_mode & 0o777 == 0o700
    assert closed.stat().st_mode & 0o777 == 0o700
    with embedded.start(closed, options=THROW_AWAY) as again:
        assert query(again.urls.database, "SELECT n FROM kept") == [(7,)]
    remove_with_private(closed)


@only_root
def test_programs_that_only_root_can_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = programs.server_identity(create=True)
    assert identity is not None
    with monkeypatch.context() as patch:
        patch.setattr(programs, "reachable", lambda *_: False)
        copied = programs.postgres_bin(identity, private=folder / "private")
        again = programs.postgres_bin(identity, private=folder / "private")

    assert folder in copied.parents
    command = tethered([str(copied / "initdb"), "--version"], death_signal=signal.SIGKILL, identity=identity)
    assert "PostgreSQL" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert again == copied


@only_root
def test_a_private_folder_of_somebody_else_is_refused(folder: Path) -> None:
    """Anybody may make a folder under the temporary one; only our own is trusted."""
    taken = folder / "taken"
    taken.mkdir()
    os.chown(taken, 12345, 12345)

    with pytest.raises(programs.EmbeddedError, match="does not belong"):
        programs.make_private(taken, None)


def test_a_copied_data_directory_does_not_reach_for_the_original(servers: embedded.Servers, folder: Path) -> None:
    copy = folder / "copy"
    copy.mkdir()
    shutil.copy(servers.data_dir / layout.STATE_FILE, copy)

    assert embedded.urls(copy) != servers.urls
    assert str(folder / "copy") in embedded.urls(copy).database


def test_an_interrupted_first_start_leaves_no_half_a_cluster(folder: Path) -> None:
    data_dir = folder / "data"
    layout.make_data_dir(data_dir)
    (data_dir / "postgres.new").mkdir()
    (data_dir / "postgres.new" / "PG_VERSION").write_text("18\n")

    with embedded.start(data_dir, redis=False, options=THROW_AWAY) as servers:
        assert query(servers.urls.database, "SELECT 1") == [(1,)]


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with pytest.raises(programs.EmbeddedError, match="no_such_setting"):
        embedded.start(folder / "data", redis=False, options={**THROW_AWAY, "no_such_setting": "1"})

    assert embedded.running_pid(folder / "data") is None


def test_named_servers_are_used_and_nothing_is_started(folder: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://a@db/x", "REDIS_URL": "redis://r/0", "DATA_DIR": str(folder / "data")}
    with embedded.start_missing(environ) as servers:
        assert servers.pids == {}

    filled = embedded.environment(environ, folder / "data")
    assert filled == environ | {"DATABASE_OWNER_URL": "postgresql://a@db/x"}


def test_command_runs_beside_the_servers_and_hands_on_its_code(folder: Path, run: Run) -> None:
    environ = {**NO_SERVERS_NAMED, "DATA_DIR": str(folder / "data")}
    check = "import os, psycopg, sys; psycopg.connect(os.environ['DATABASE_URL']).close(); sys.exit(17)"
    process = run("-m", "config.embedded", "--", sys.executable, "-c", check, environ=environ)
    output, _ = process.communicate(timeout=60)

    assert (process.returncode, output.count("Traceback")) == (17, 0)
    assert embedded.running_pid(folder / "data") is None


def test_command_is_told_to_end_before_the_servers(folder: Path, run: Run) -> None:
    environ = {**NO_SERVERS_NAMED, "DATA_DIR": str(folder / "data")}
    script = "trap 'echo ended; exit 0' TERM; echo up; while true; do sleep 0.1; done"
    process = run("-m", "config.embedded", "--", "sh", "-c", script, environ=environ)
    assert process.stdout is not None
    line = process.stdout.readline()
    while "up" not in line:
        line = process.stdout.readline()
    left = offspring(process.pid)

    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)

    assert (process.returncode, output) == (0, "ended\n")
    assert alive(left) == []
