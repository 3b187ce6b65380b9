"""Faults of the bridge: a storm of terminals, and full disks below the log of signals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import Any
from uuid import UUID

import psycopg

from bench.faults import books
from bench.faults.disks import DiskError, table_on_small_disk, wal_on_small_disk
from bench.faults.processes import FaultsError
from bench.faults.signals import signals, signals_counted
from bench.faults.storm import storm
from bench.faults.world import RECOVERY_LIMIT_S, World
from ea.client import Credentials, Spool
from ea.services import key_create, link_ensure
from kernel.clock import wall_ms

Figures = dict[str, Any]
TERMINALS, SILENT = 500, 100
FULL_S = 3.0
LOG_ROOM_KB, WAL_ROOM_KB, WAL_ENLARGED_KB = 256, 8 * 1024, 1024 * 1024
_SERVER = "Storm-Demo"


def terminals_storm(world: World) -> Figures:
    """All terminals lose their links and the answers to what they sent, and knock again within a second."""
    traders, now_ms = world.traders, wall_ms()
    spools = [_spool(UUID(traders[number % len(traders)].user_id), number, now_ms) for number in range(TERMINALS)]
    for spool in spools:
        spool.add(
            symbol="EURUSD",
            direction="call",
            stake={"mode": "fixed", "value": "1.00"},
            expiry={"mode": "duration", "s": 5},
            valid_ms=60_000,
        )
    sent = [event_id for spool in spools for event_id in spool.waiting]

    def logged() -> bool:
        return signals_counted(sent)[0] == len(sent)

    others = len(world.told())
    found = asyncio.run(storm(port=world.platform.ea_port, spools=spools, logged=logged, silent=SILENT))
    world.wait(lambda: signals_counted(sent)[1] == 0, RECOVERY_LIMIT_S, "signals are not decided")
    _, _, placed, noted = signals_counted(sent)
    if found.statuses != {"duplicate": len(sent)} or placed != noted:
        raise FaultsError(f"{dict(found.statuses)} of {len(sent)} sent again, {placed} orders, {noted} noted")
    return {
        "terminals": TERMINALS,
        "knocked within, ms": round(1000 * found.knocked_s),
        "all welcomed after, ms": found.slowest_ms,
        "knocked more than once": found.again,
        "sent again": len(sent),
        "orders of them": placed,
        "orders of others meanwhile": len(world.told()) - others,
    }


def _spool(user_id: UUID, number: int, now_ms: int) -> Spool:
    link = link_ensure(user_id=user_id, account=str(number + 1), server=_SERVER, now_ms=now_ms)
    key, secret = key_create(link_id=link.pk, now_ms=now_ms)
    return Spool(Credentials(key.kid, secret, account=link.account, server=link.server))


def disks_full(world: World) -> Figures:
    """The disk of the signals' log is full, then that of the write-ahead log; each time somebody makes room."""
    try:
        with signals(world) as check:
            figures = _log_full(world) | _wal_full(world)
            problems = check()
    except DiskError as error:
        return {"left out, as nothing can be mounted here": str(error)}
    if problems:
        raise FaultsError("; ".join(problems))
    return figures


def _log_full(world: World) -> Figures:
    platform = world.platform
    folder = platform.folder / "log-disk"
    with table_on_small_disk(platform.superuser_url(), "ea_event", folder, room_kb=LOG_ROOM_KB) as disk:
        world.wait(lambda: books.signals_moved(wall_ms() - 500, logged=True), RECOVERY_LIMIT_S, "no signal is logged")
        disk.fill()
        filled_ms, others = wall_ms(), len(world.told())
        # The last pages of the table may have some room.
        world.wait(lambda: wall_ms() > filled_ms + FULL_S * 1000, FULL_S + 10, "the clock stands")
        if books.signals_moved(filled_ms + 1_500, logged=True):
            raise FaultsError("signals are logged on a disk that is full")
        accepted = len(world.told()) - others
        disk.empty()
        emptied_s, emptied_ms = time.monotonic(), wall_ms()
        world.wait(lambda: books.signals_moved(emptied_ms, logged=True), RECOVERY_LIMIT_S, "no signal is logged")
        recovery_ms = round((time.monotonic() - emptied_s) * 1000)
    return {"orders of others while the log was full": accepted, "signals are logged again after, ms": recovery_ms}


def _wal_full(world: World) -> Figures:
    platform = world.platform
    platform.server_end("postgres", signal.SIGINT)
    with wal_on_small_disk(platform.database_folder, platform.folder / "wal-disk", room_kb=WAL_ROOM_KB) as disk:
        try:
            platform.servers_revive()
            _wait_moving(world)
            disk.fill()
            _wal_used_up(world)
            disk.empty()
            disk.enlarge(WAL_ENLARGED_KB)
            roomy_s, roomy_ms = time.monotonic(), wall_ms()
            platform.servers_revive()
            _wait_moving(world)
            world.wait(lambda: books.signals_moved(roomy_ms, logged=True), RECOVERY_LIMIT_S, "no signal is logged")
            recovery_ms = round((time.monotonic() - roomy_s) * 1000)
        finally:
            if platform.server_running("postgres"):
                platform.server_end("postgres", signal.SIGINT)
    platform.servers_revive()
    _wait_moving(world)
    return {"after the WAL was full all goes on after, ms": recovery_ms}


def _wait_moving(world: World) -> None:
    now_s = time.monotonic()
    world.wait(lambda: world.moving(now_s), RECOVERY_LIMIT_S, "the platform has not recovered")


def _wal_used_up(world: World) -> None:
    """Let segments be used up until there is no room for another one, at which PostgreSQL ends."""
    platform = world.platform

    def ended() -> bool:
        if platform.server_running("postgres"):
            with contextlib.suppress(psycopg.Error), psycopg.connect(platform.superuser_url()) as session:
                session.execute("SELECT pg_switch_wal()")
        return not platform.server_running("postgres")

    world.wait(ended, RECOVERY_LIMIT_S, "PostgreSQL goes on although its disk is full")
