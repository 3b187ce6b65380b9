"""Run a command that cannot outlive the process that started it.

This file is also a script of its own: the parent starts it, it ties itself to the parent with
``PR_SET_PDEATHSIG``, takes the identity asked for, and becomes the command. Doing this between
fork and exec in the parent (``preexec_fn``) is unsafe once the parent has threads.
"""

import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Identity:
    """The operating system user that a server runs as."""

    name: str
    uid: int
    gid: int


def tethered(command: list[str], *, death_signal: signal.Signals, identity: Identity | None = None) -> list[str]:
    """Return the command line that runs ``command`` tied to the life of the calling thread's process.

    :param death_signal: sent to the command when its parent ends in any way, SIGKILL included
    :param identity: taken before the command starts; needs root
    """
    uid, gid = (identity.uid, identity.gid) if identity else (-1, -1)
    script = str(Path(__file__).resolve())
    # Isolated and without site-packages, so that the detour costs milliseconds.
    head = [sys.executable, "-I", "-S", script, str(os.getpid()), str(death_signal.value), str(uid), str(gid)]
    return [*head, *command]


def _become(arguments: list[str]) -> None:
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # The kernel forgets the death signal when credentials change, so it is asked for last.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(f"the parent of {command[0]} is gone")
    # Python ignores these two for itself, and an ignored signal would stay ignored in the command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    _become(sys.argv[1:])
