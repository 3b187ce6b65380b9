"""The supervisor keeps runtimes alive, says when they serve, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from config import embedded
from config.runtimes import platform_plan
from tests.config.conftest import Run, alive, offspring
from tests.config.stand_in import shell, web
from tests.support import eventually

FOREVER = shell("exec sleep 600")
STUBBORN = shell("trap '' TERM; sleep 600 & while true; do sleep 0.2; done")


class Watched:
    """A supervisor under test and the lines that it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)

    def output(self) -> str:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            self.lines.append(line)
        return "".join(self.lines)

    def shows(self, text: str, *, within_s: float = 30) -> str:
        def check() -> str:
            assert text in self.output(), self.output()
            return self.output()

        return eventually(check, within_s=within_s)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(timeout=40)
        return code, time.monotonic() - started


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def supervise(run: Run, folder: Path, *, own_servers: bool = False, **plan: Any) -> Watched:
    named = {"DATABASE_URL": "", "DATABASE_OWNER_URL": "", "REDIS_URL": ""} if own_servers else {}
    environ = {**named, "DATA_DIR": str(folder / "data")}
    return Watched(run("-m", "tests.config.stand_in", json.dumps(plan), environ=environ))


def pid_of(watched: Watched, name: str) -> int:
    """Return the last process id that a runtime printed after its name."""
    return int([line.split()[-1] for line in watched.lines if line.startswith(f"{name} ")][-1])


def test_ready_is_said_when_readyz_answers_200(run: Run, folder: Path, port: int) -> None:
    watched = supervise(run, folder, port=port, runtimes={"web": web(port)})

    shown = watched.shows("the greeting")
    assert f"\nready http://127.0.0.1:{port}\nthe greeting\n" in "\n" + shown
    assert watched.stop()[0] == 0


def test_ready_is_not_said_while_readyz_refuses(run: Run, folder: Path, port: int) -> None:
    """A platform without ticks is up and not ready."""
    watched = supervise(run, folder, port=port, runtimes={"web": web(port, 503)})

    # The stand-in prints each question: after a third one the first two have been answered.
    watched.shows("asked 3")
    assert "ready http" not in watched.output()
    watched.stop()


def test_a_killed_runtime_is_started_again(run: Run, folder: Path, port: int) -> None:
    """Contract: a runtime that dies is restarted within 30 s."""
    runtimes = {"web": web(port), "parser": shell("echo pid $$; exec sleep 600")}
    watched = supervise(run, folder, port=port, runtimes=runtimes)
    watched.shows("parser     | pid")
    first = pid_of(watched, "parser")

    os.kill(first, signal.SIGKILL)

    watched.shows("parser ended with code -9 and starts again in 0.5 s")
    eventually(lambda: watched.output() and pid_of(watched, "parser") != first, within_s=30)
    assert psutil.pid_exists(pid_of(watched, "parser"))
    watched.stop()


def test_pauses_between_restarts_grow_to_a_bound(run: Run, folder: Path, port: int) -> None:
    watched = supervise(run, folder, port=port, runtimes={"broken": shell("exit 3")})

    watched.shows("broken ended with code 3 and starts again in 2.0 s")
    pauses = [line.split()[-2] for line in watched.lines if "starts again in" in line]
    assert pauses == ["0.5", "1.0", "2.0"]
    assert watched.stop()[0] == 0


def test_children_of_a_dead_runtime_are_ended(run: Run, folder: Path, port: int) -> None:
    """A child that outlives its runtime would hold the port, and the log pipe open for ever."""
    watched = supervise(run, folder, port=port, runtimes={"parser": shell("sleep 600 & echo child $!; exit 1")})
    watched.shows("child")
    child = psutil.Process(pid_of(watched, "parser"))

    eventually(lambda: not alive([child]), within_s=10)
    watched.shows("parser ended with code 1")
    watched.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_without_a_word(run: Run, folder: Path, port: int, number: signal.Signals) -> None:
    """Contract: Ctrl-C, or SIGTERM, stops everything it started within 30 s."""
    watched = supervise(run, folder, own_servers=True, port=port, runtimes={"web": web(port), "beat": FOREVER})
    watched.shows("the greeting")
    started = offspring(watched.process.pid)
    assert len(started) >= 4

    code, took_s = watched.stop(number)

    assert (code, alive(started)) == (0, [])
    assert took_s < 10
    assert "Traceback" not in watched.output()


@pytest.mark.slow
def test_a_runtime_that_ignores_the_signal_is_killed_in_time(run: Run, folder: Path, port: int) -> None:
    watched = supervise(run, folder, port=port, runtimes={"web": web(port), "stubborn": STUBBORN})
    watched.shows("the greeting")
    started = offspring(watched.process.pid)

    code, took_s = watched.stop()

    assert (code, alive(started)) == (0, [])
    assert took_s < 20


@pytest.mark.slow
def test_nothing_outlives_a_killed_supervisor(run: Run, folder: Path, port: int) -> None:
    """SIGKILL leaves no chance to clean up: the kernel ends the runtimes, and the next start recovers."""
    runtimes = {"web": web(port), "beat": FOREVER}
    watched = supervise(run, folder, own_servers=True, port=port, runtimes=runtimes)
    watched.shows("the greeting")
    started = offspring(watched.process.pid)

    watched.process.kill()

    eventually(lambda: not alive(started), within_s=15)
    again = supervise(run, folder, own_servers=True, port=port, runtimes=runtimes)
    again.shows("the greeting")
    assert again.stop()[0] == 0


@pytest.mark.slow
def test_a_second_start_keeps_the_data(run: Run, folder: Path, port: int) -> None:
    runtimes = {"web": web(port)}
    statements = ("CREATE TABLE kept AS SELECT 7 AS n", "SELECT n FROM kept")
    for statement in statements:
        watched = supervise(run, folder, own_servers=True, port=port, runtimes=runtimes)
        watched.shows("the greeting")
        with psycopg.connect(embedded.urls(folder / "data").owner, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
        assert watched.stop()[0] == 0
    assert rows == [(7,)]


def test_a_killed_database_is_started_again(run: Run, folder: Path, port: int) -> None:
    watched = supervise(run, folder, own_servers=True, port=port, runtimes={"web": web(port)})
    watched.shows("the greeting")
    [postgres] = [p for p in psutil.Process(watched.process.pid).children() if p.name() == "postgres"]

    postgres.kill()

    watched.shows("postgres had ended and was started again")
    psycopg.connect(embedded.urls(folder / "data").database).close()
    watched.stop()


def test_a_killed_make_takes_the_platform_along(run: Run, folder: Path, port: int) -> None:
    """SIGKILL to make leaves it no chance to hand the signal on."""
    plan = json.dumps({"port": port, "runtimes": {"web": web(port)}})
    like_make = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'tests.config.stand_in', sys.argv[1]])"
    watched = Watched(run("-c", like_make, plan, environ={"MAKELEVEL": "1", "DATA_DIR": str(folder / "data")}))
    watched.shows("the greeting")
    started = offspring(watched.process.pid)

    watched.process.kill()

    eventually(lambda: not alive(started), within_s=15)


def test_a_taken_port_is_one_clear_line(run: Run, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        watched = supervise(run, folder, port=port, runtimes={"web": web(port)})
        code = watched.process.wait(timeout=30)

    assert code == 1
    assert (
        watched.output() == f"supervisor | port {port} is not free (Address already in use): set PORT to another one\n"
    )


def test_a_second_platform_on_the_same_data_is_refused(run: Run, folder: Path, port: int) -> None:
    first = supervise(run, folder, own_servers=True, port=port, runtimes={"web": web(port)})
    first.shows("the greeting")
    second = supervise(run, folder, own_servers=True, port=0, runtimes={"beat": FOREVER})

    assert second.process.wait(timeout=30) == 1
    assert second.output() == f"supervisor | already running: process {first.process.pid}\n"
    first.stop()


def test_a_failed_step_starts_no_runtime(run: Run, folder: Path, port: int) -> None:
    steps = {"migrate": shell("echo broken migration; exit 4")}
    watched = supervise(run, folder, port=port, steps=steps, runtimes={"web": web(port)})

    assert watched.process.wait(timeout=30) == 1
    assert watched.output() == ("migrate    | broken migration\nsupervisor | set-up step migrate failed with code 4\n")


@pytest.mark.slow
def test_a_reader_that_stalls_does_not_stall_the_supervisor(run: Run, folder: Path, port: int) -> None:
    """Whoever waits for `ready` and reads no further must still be able to stop the platform."""
    runtimes = {
        "web": web(port),
        "loud": shell("while true; do echo a line of sixty characters, again and again; done"),
    }
    watched = supervise(run, folder, port=port, runtimes=runtimes)
    started = eventually(lambda: offspring(watched.process.pid), within_s=30)
    eventually(lambda: psutil.Process(watched.process.pid).cpu_times().user > 2, within_s=60)

    code, took_s = watched.stop()

    assert code == 0
    assert took_s < 20
    assert alive(started) == []


def test_only_migrations_connect_as_the_owner(tmp_path: Path) -> None:
    plan = platform_plan(port=8000, data_dir=tmp_path, development=True)

    assert [(step.name, step.as_owner) for step in plan.steps] == [("migrate", True), ("seed", False)]
    assert list(plan.runtimes) == ["web", "parser", "ea_gateway", "ea_executor", "settlement", "beat"]


def test_production_seeds_no_demo_data(tmp_path: Path) -> None:
    plan = platform_plan(port=8000, data_dir=tmp_path, development=False)

    assert [step.name for step in plan.steps] == ["migrate", "static"]
    assert plan.greeting == ()
