"""Runtimes and a Redis that a test may stop."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import embedded
from tests.faults.processes import Runtimes


@pytest.fixture
def runtimes(transactional_db: None, tmp_path: Path) -> Iterator[Runtimes]:
    """Processes on the test's database and Redis."""
    started = Runtimes(tmp_path)
    yield started
    started.end()


@pytest.fixture
def redis_folder() -> Iterator[Path]:
    """A folder with a short path for a Redis of the test's own."""
    path = Path(tempfile.mkdtemp(prefix="fairstrike-t-", dir="/tmp"))
    # The embedded servers would keep their sockets elsewhere if PostgreSQL's user could not pass here.
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def own_runtimes(transactional_db: None, tmp_path: Path, redis_folder: Path) -> Iterator[Runtimes]:
    """Processes on the test's database and a Redis that the test starts and stops."""
    started = Runtimes(tmp_path, REDIS_URL=embedded.urls(redis_folder).redis)
    yield started
    started.end()
