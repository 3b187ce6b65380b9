"""Run the platform's processes on one machine: ``python -m config.supervisor``.

Starts the embedded servers where no URL is set, runs the set-up steps, starts every runtime,
restarts one that dies, says when the platform is ready, and on SIGTERM, SIGINT or SIGHUP stops all
of it. Runtimes die with the supervisor, however it ends.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from config import embedded, probes
from config.programs import EmbeddedError
from config.runtimes import Plan, platform_plan
from config.screen import ProcessOutput, Screen
from config.tethered import tethered

# Whoever starts us with SIGHUP ignored (nohup) wants the platform to outlive the terminal.
HANG_UP = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, *HANG_UP)
STOP_LIMIT_S = 10.0
BACKOFF_S = (0.5, 10.0)
SETTLED_AFTER_S = 30.0
NOT_READY_NOTE_S = 20.0


class SetUpError(RuntimeError):
    """The platform cannot start; the message says why and is fit for a person to read."""


class Supervisor:
    """Keeps the runtimes of a plan alive until it is told to stop."""

    def __init__(self, plan: Plan, *, environ: Mapping[str, str], servers: embedded.Servers, screen: Screen) -> None:
        self._plan = plan
        self._environ = {**environ, "PYTHONUNBUFFERED": "1"}
        self._servers = servers
        self._screen = screen
        self._stopping = asyncio.Event()
        self._groups: set[int] = set()
        # A make that is killed cannot tell us; its recipe has no other reason to outlive it.
        self._parent = os.getppid() if "MAKELEVEL" in environ else None

    async def run(self) -> None:
        """Run until a signal comes.

        :raises SetUpError: a set-up step failed
        """
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        ending = asyncio.create_task(self._end_groups())
        try:
            await self._set_up()
            async with asyncio.TaskGroup() as tasks:
                for name, command in self._plan.runtimes.items():
                    tasks.create_task(self._keep(name, command))
                tasks.create_task(self._watch_neighbours())
                tasks.create_task(self._announce())
        finally:
            self._stopping.set()
            await ending

    async def _set_up(self) -> None:
        owner = {"DATABASE_URL": self._environ["DATABASE_OWNER_URL"]}
        for step in self._plan.steps:
            if self._stopping.is_set():
                return
            code = await self._execute(step.name, step.command, owner if step.as_owner else {})
            if code != 0 and not self._stopping.is_set():
                raise SetUpError(f"set-up step {step.name} failed with code {code}")

    async def _keep(self, name: str, command: tuple[str, ...]) -> None:
        delay_s, clock = BACKOFF_S[0], asyncio.get_running_loop().time
        while not self._stopping.is_set():
            started_s = clock()
            code = await self._execute(name, command)
            if not self._stopping.is_set():
                delay_s = BACKOFF_S[0] if clock() - started_s > SETTLED_AFTER_S else delay_s
                self._say(f"{name} ended with code {code} and starts again in {delay_s:.1f} s")
                await self._pause(delay_s)
                delay_s = min(delay_s * 2, BACKOFF_S[1])

    async def _execute(self, name: str, command: tuple[str, ...], extra: Mapping[str, str] | None = None) -> int:
        """Run a command in a process group of its own to its end; end what is left of the group."""
        transport, output = await asyncio.get_running_loop().subprocess_exec(
            lambda: ProcessOutput(name, self._screen),
            *tethered(list(command), death_signal=signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env={**self._environ, **(extra or {})},
            start_new_session=True,
        )
        pid = transport.get_pid()
        self._groups.add(pid)
        await output.exited
        # Children of the command would hold on to its ports and its pipe.
        _signal_group(pid, signal.SIGKILL)
        self._groups.discard(pid)
        await output.closed
        return transport.get_returncode() or 0

    async def _end_groups(self) -> None:
        await self._stopping.wait()
        clock, told = asyncio.get_running_loop().time, set[int]()
        deadline_s = clock() + STOP_LIMIT_S
        while self._groups:
            patient = clock() < deadline_s
            for pid in self._groups - told if patient else set(self._groups):
                _signal_group(pid, signal.SIGTERM if patient else signal.SIGKILL)
                told.add(pid)
            await asyncio.sleep(0.05)

    async def _watch_neighbours(self) -> None:
        """Start dead servers again, and stop when the make that started us is gone."""
        while not self._stopping.is_set():
            if self._parent not in (None, os.getppid()):
                self._say("make has ended")
                self._stopping.set()
                return
            try:
                # Not in a thread: the servers would end with the thread that starts them.
                for name in self._servers.revive():
                    self._say(f"{name} had ended and was started again")
            except EmbeddedError as error:
                self._say(str(error))
            await self._pause(1.0)

    async def _announce(self) -> None:
        clock = asyncio.get_running_loop().time
        note_s = clock() + NOT_READY_NOTE_S
        while not self._stopping.is_set():
            problem = await asyncio.to_thread(probes.readiness_problem, self._plan.port)
            if problem is None:
                for line in (f"ready http://127.0.0.1:{self._plan.port}", *self._plan.greeting):
                    self._screen.plain(line.encode())
                return
            if clock() > note_s:
                self._say(f"not ready yet: {problem}")
                note_s = clock() + NOT_READY_NOTE_S
            await self._pause(0.25)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _say(self, text: str) -> None:
        self._screen.show("supervisor", text.encode())


def supervise(plan: Plan, *, environ: Mapping[str, str]) -> int:
    """Run ``plan`` beside embedded servers until a signal comes; return the exit code."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))
    screen = Screen()
    try:
        if problem := probes.port_problem(plan.port):
            raise SetUpError(problem)
        with embedded.start_missing(environ) as servers:
            if not servers.owned:
                raise SetUpError(f"already running: process {embedded.running_pid(servers.data_dir)}")
            filled = embedded.environment(environ, servers.data_dir)
            asyncio.run(Supervisor(plan, environ=filled, servers=servers, screen=screen).run())
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
    except (SetUpError, EmbeddedError) as error:
        screen.show("supervisor", str(error).encode())
        return 1
    finally:
        screen.close()
    return 0


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def main() -> int:
    """Run the whole platform as the settings describe it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        plan = platform_plan(port=settings.PORT, data_dir=settings.DATA_DIR, development=settings.DEVELOPMENT)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"supervisor: {error}\n")
        return 1
    return supervise(plan, environ=os.environ)


if __name__ == "__main__":
    sys.exit(main())
