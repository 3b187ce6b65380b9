"""F-22: the log of signals lies on a disk that is full: nothing is acknowledged, and nothing has to be repaired."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client as HttpClient

from bench.faults.disks import DiskError, SmallDisk, table_on_small_disk
from ea.client import Client
from ea.models import EaOrder, Event
from tests.books import violations
from tests.ea.bridge import OPEN, Running, gateway_running, installation
from tests.support import with_user

# A tablespace belongs to the whole server, which all workers share.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("ea-disk")]

DISK_KB, FIRST, WHILE_FULL = 512, 5, 40


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """Lay the log of signals on a disk of its own."""
    folder = Path(tempfile.mkdtemp(prefix="fairstrike-t-", dir="/tmp"))
    folder.chmod(0o711)
    address = os.environ["DATABASE_URL"].replace("/fairstrike?", f"/{connection.settings_dict['NAME']}?")
    try:
        with table_on_small_disk(with_user(address, "postgres"), "ea_event", folder / "disk", room_kb=DISK_KB) as disk:
            yield disk
    except DiskError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    finally:
        shutil.rmtree(folder)


def logged() -> list[str]:
    """Return the events in the log, in its order."""
    return [str(event_id) for event_id in Event.objects.order_by("id").values_list("event_id", flat=True)]


def acknowledged(client: Client) -> set[str]:
    """Return the events that a client was told to be in the log."""
    return {frame["event_id"] for frame in client.frames if frame["type"] == "ack"}


def test_a_full_disk_is_refused_before_the_acknowledgement(disk: SmallDisk, tmp_path: Path) -> None:
    """F-22, I-34: what is acknowledged is there; the rest is refused for a while, and comes when there is room."""
    with gateway_running(tmp_path) as gateway:
        client = gateway.client(installation().spool())
        client.hello()
        ids = [client.signal(**OPEN) for _ in range(FIRST)]
        while client.spool.waiting:
            client.take(10)
        disk.fill()

        ids += [client.signal(**OPEN) for _ in range(WHILE_FULL)]
        refused = client.next("reject")

        assert (refused["code"], refused["final"]) == ("overloaded", False)
        assert refused["retry_after_ms"] > 0
        client.next("reject", where=lambda frame: frame["event_id"] == ids[-1])
        assert acknowledged(client) == set(logged())
        assert len(logged()) < len(ids)

        disk.empty()
        while client.spool.waiting:
            client.take(10)

        assert logged() == ids
        assert acknowledged(client) == set(ids)
        assert EaOrder.objects.count() == len(ids)
        client.link.close()
        told(gateway, "ea_log_lost", "ea_log_restored")
    assert violations() == {}


def told(gateway: Running, *events: str) -> None:
    """See that a gateway has told of some events, each once: not with every signal."""
    log = gateway.log.read_text()
    assert [log.count(event) for event in events] == [1] * len(events), log[-2_000:]


def test_over_http_it_is_the_same(disk: SmallDisk) -> None:
    """F-22 for terminals without sockets: none of a request is acknowledged, and all of it is taken later."""
    spool = installation().spool()
    disk.fill()
    ids = [spool.add(**OPEN)[0] for _ in range(WHILE_FULL)]
    body = b"[" + b",".join(spool.waiting.values()) + b"]"

    refused = _posted(body)

    assert {(reply["type"], reply.get("code")) for reply in refused} == {("reject", "overloaded")}
    assert Event.objects.count() == 0
    disk.empty()
    assert [(reply["type"], reply["event_id"]) for reply in _posted(body)] == [("ack", event_id) for event_id in ids]
    assert logged() == ids


def _posted(body: bytes) -> Any:
    return json.loads(HttpClient().post("/ea/v1/events", body, content_type="application/json").content)
