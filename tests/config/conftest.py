"""Folders and processes for the tests of what runs the platform."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config import layout, programs

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that the user of the embedded PostgreSQL can reach, also when we are root."""
    path = Path(tempfile.mkdtemp(prefix="fairstrike-t-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    remove_with_private(path / "data")
    shutil.rmtree(path)


def remove_with_private(data_dir: Path) -> None:
    """Remove a data directory and the private folder that stands in for parts of it."""
    private = layout.private_folder(data_dir, programs.server_identity(create=False))
    for path in (private, data_dir):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def run() -> Iterator[Run]:
    """Start Python with the given arguments and environment; end what a test leaves behind."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, environ: dict[str, str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environ},
            cwd=ROOT,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def offspring(pid: int) -> list[psutil.Process]:
    """Return all living descendants of a process."""
    return psutil.Process(pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those of the processes that still run; one that waits for its parent's notice does not."""

    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return [process for process in processes if runs(process)]
