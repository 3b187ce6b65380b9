"""The loops that seal and publish beside settlement: they turn by themselves and come back after an outage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from quotes.heads import heads_folder
from quotes.models import Seal
from settlement import seals_worker
from settlement.seals_worker import TurningLoop, seal_loops
from tests.quotes.sealed import filled, finished
from tests.quotes.witness import Witness
from tests.support import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness(500, 500).serving() as witness:
        yield witness


@pytest.fixture
def loops(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, witness: Witness
) -> Iterator[tuple[TurningLoop, ...]]:
    settings.DATA_DIR, settings.HEADS_URL = tmp_path, witness.url
    for name in ("SEAL_EVERY_S", "PUBLISH_EVERY_S"):
        monkeypatch.setattr(seals_worker, name, 0.1)
    monkeypatch.setattr(seals_worker, "_BACKOFF_S", (0.05, 0.1))
    made = seal_loops()
    for loop in made:
        loop.start()
    yield made
    for loop in made:
        loop.stop()


def _told(witness: Witness, count: int) -> bool:
    lines = [line for path in heads_folder().glob("*") for line in path.read_text().splitlines()]
    return Seal.objects.count() == len(lines) == len(witness.heads) == count


@pytest.mark.usefixtures("loops")
def test_final_minutes_are_sealed_and_told_without_being_asked(witness: Witness) -> None:
    """Issue: seals are made and leave the database by the worker alone, though the receiver fails at first."""
    finished(filled())
    eventually(lambda: _told(witness, 3), within_s=10)
    assert witness.refused == 2


@pytest.mark.usefixtures("loops")
def test_the_loops_outlive_a_lost_connection(witness: Witness) -> None:
    """F-08: the database drops the loops' connections; they open new ones and go on."""
    finished(filled(back=20))
    eventually(lambda: _told(witness, 3), within_s=10)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
        )
        assert len(cursor.fetchall()) >= 3
    finished(filled(back=10))
    eventually(lambda: _told(witness, 6), within_s=10)
