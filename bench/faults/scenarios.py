"""Faults that are no step of ours: servers, networks and clocks that fail while the load goes on."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis

from bench.faults import books
from bench.faults.bridge import disks_full, terminals_storm
from bench.faults.processes import FaultsError
from bench.faults.signals import signals
from bench.faults.world import RECOVERY_LIMIT_S, WORKERS, World
from kernel import db
from kernel.clock import wall_ms
from quotes.domain import ADMISSION

Figures = dict[str, Any]
AWAY_S = 15
# Two attempts of a pool, and a busy machine.
BACK_MS_MAX = 6_000


@dataclass
class Fault:
    """What came of one fault: the figures that are reported, and what was wrong."""

    fault: str
    name: str
    figures: Figures = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def _again(world: World, since_s: float) -> int:
    """Wait until ticks, placement and settlement go on; return the milliseconds since an instant."""
    world.wait(lambda: world.moving(since_s), RECOVERY_LIMIT_S, "the platform has not recovered")
    return round((time.monotonic() - since_s) * 1000)


def _parts_again(world: World, since_s: float) -> Figures:
    """Wait as :func:`_again` does, for signals of terminals too, and tell what came back when."""
    since_ms, parts = wall_ms(), dict[str, int]()
    checks: dict[str, Callable[[], bool]] = {
        "ticks, ms": lambda: books.ticked_after(since_ms),
        "settlement, ms": lambda: world.settled(since_ms),
        "orders, ms": lambda: world.traffic.accepted_after(since_s),
        "signals, ms": lambda: books.signals_moved(since_ms, logged=True),
    }

    def all_back() -> bool:
        for name, back in checks.items():
            if name not in parts and back():
                parts[name] = round((time.monotonic() - since_s) * 1000)
        return len(parts) == len(checks)

    world.wait(all_back, RECOVERY_LIMIT_S, "the platform has not recovered")
    return dict(parts)


def _accepted_meanwhile(world: World, seconds: float) -> int:
    """Let time pass and return how many orders were acknowledged in it."""
    before, until_s = len(world.told()), time.monotonic() + seconds
    world.wait(lambda: time.monotonic() > until_s, seconds + 1, "the clock stands")
    return len(world.told()) - before


# --- workers and servers ---------------------------------------------------------------------------------


def workers_killed(world: World) -> Figures:
    """Four workers, kills all the time, and PostgreSQL restarted once meanwhile."""
    platform, rng = world.platform, world.rng("workers")
    names = [*WORKERS, "settlement-3", "settlement-4"]
    for name in names[len(WORKERS) :]:
        platform.start(name)
    kills, restart_at = 0, rng.randint(3, 5)
    for number in range(8):
        victim = rng.choice(names)
        platform.kill(victim)
        platform.start(victim)
        kills += 1
        if number == restart_at:
            platform.server_end("postgres", signal.SIGQUIT)
            platform.servers_revive()
        _accepted_meanwhile(world, rng.uniform(0.2, 0.6))
    died_s, died_ms = time.monotonic(), wall_ms()
    platform.kill(*names)
    for name in WORKERS:
        platform.start(name)
    # What falls due in the second after the kill has nobody to settle it.
    last_ms = died_ms + 1_000
    world.wait(
        lambda: wall_ms() > last_ms + 500 and world.settled(last_ms), RECOVERY_LIMIT_S, "due orders are not settled"
    )
    all_dead_ms = round((time.monotonic() - died_s) * 1000)
    return {"kills": kills + len(names), "restarts of PostgreSQL": 1, "all workers dead, ms until settled": all_dead_ms}


def pairs_killed(world: World) -> Figures:
    """Two runtimes at once, drawn at random: parser, beat, web with its sockets, a worker."""
    platform, rng, worst = world.platform, world.rng("pairs"), 0
    platform.start("beat")
    for _ in range(4):
        pair = rng.sample(("parser", "beat", "web", "settlement"), 2)
        died_s = time.monotonic()
        platform.kill(*pair)
        for name in pair:
            platform.start(name)
        worst = max(worst, _again(world, died_s))
    platform.kill("beat")
    return {"pairs": 4, "worst recovery, ms": worst}


def two_schedulers(world: World) -> Figures:
    """Two schedulers ask for everything twice, and each request is delivered many times over."""
    platform = world.platform
    platform.start("beat")
    platform.start("beat-2")
    name = "settlement.payouts_recalculate"
    sent = f"from config.celery import app; [app.send_task({name!r}) for _ in range(32)]"
    platform.manage("shell", "-v", "0", "-c", sent)
    _accepted_meanwhile(world, 4)
    platform.kill("beat", "beat-2")
    sql = "SELECT count(*), count(DISTINCT period) FROM kernel_job_run WHERE name = %(name)s"
    runs, periods = db.rows(sql, {"name": name})[0]
    if runs != periods or not runs:
        raise FaultsError(f"{runs} runs in {periods} periods")
    return {"deliveries at least": 32, "runs": runs, "periods": periods}


def redis_fails(world: World) -> Figures:
    """Redis killed and back, flushed, and full: nothing that money depends on is there."""
    platform, figures = world.platform, {}
    platform.server_end("redis", signal.SIGKILL)
    figures["accepted while it was dead"] = _accepted_meanwhile(world, 4)
    platform.servers_revive()
    store = redis.Redis.from_url(platform.redis_url)
    store.flushall()
    figures["accepted after FLUSHALL"] = _accepted_meanwhile(world, 2)
    store.config_set("maxmemory", "1mb")
    store.config_set("maxmemory-policy", "noeviction")
    with contextlib.suppress(redis.RedisError):
        for number in range(200):
            store.set(f"filler-{number}", b"x" * 10_000)
    figures["accepted while it was full"] = _accepted_meanwhile(world, 3)
    store.config_set("maxmemory", "0")
    store.flushall()
    store.close()
    figures["ms until all goes on"] = _again(world, time.monotonic())
    if not all(figures[name] for name in figures if name.startswith("accepted")):
        raise FaultsError(f"orders stood still: {figures}")
    return figures


def database_restarts(world: World) -> Figures:
    """PostgreSQL stopped at once under load, signals of terminals among it, and started again."""
    with signals(world) as check:
        world.wait(lambda: books.signals_moved(wall_ms() - 500, logged=True), RECOVERY_LIMIT_S, "no signal is logged")
        died_s = time.monotonic()
        world.platform.server_end("postgres", signal.SIGQUIT)
        world.platform.servers_revive()
        parts = _parts_again(world, died_s)
        if problems := check():
            raise FaultsError("; ".join(problems))
    return {"recovery, ms": max(parts.values())} | parts


def database_sessions_end(world: World) -> Figures:
    """Every session of the platform is terminated, five times."""
    ended, worst = 0, 0
    for _ in range(5):
        died_s = time.monotonic()
        sql = """SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""
        ended += int(db.rows(sql)[0][0])
        worst = max(worst, _again(world, died_s))
    return {"sessions ended": ended, "worst recovery, ms": worst}


def database_exhausted(world: World) -> Figures:
    """Somebody takes all connections that there are while the workers start anew."""
    platform = world.platform
    taken: list[psycopg.Connection[Any]] = []
    platform.kill("web", *WORKERS)
    url = platform.environ["DATABASE_URL"]
    try:
        while len(taken) < 300:
            taken.append(psycopg.connect(url))
    except psycopg.OperationalError as error:
        if "connection" not in str(error):
            raise
    for name in ("web", *WORKERS):
        platform.start(name)
    _accepted_meanwhile(world, 6)
    freed_s = time.monotonic()
    for session in taken:
        session.close()
    return {"connections taken": len(taken), "recovery after they are free, ms": _again(world, freed_s)}


def wallets_locked(world: World) -> Figures:
    """Somebody holds the locks of all wallets for longer than a placement waits."""
    with psycopg.connect(world.platform.environ["DATABASE_URL"]) as session:
        session.execute("SELECT id FROM ledger_account WHERE kind = 'wallet' FOR NO KEY UPDATE")
        held = len(world.told())
        _accepted_meanwhile(world, 3)
        accepted = len(world.told()) - held
        session.rollback()
    freed_s = time.monotonic()
    # What was already in flight when the locks were taken may still be answered.
    if accepted > 8:
        raise FaultsError(f"{accepted} orders were accepted beside the locks")
    return {"accepted meanwhile": accepted, "recovery, ms": _again(world, freed_s)}


# --- networks --------------------------------------------------------------------------------------------


def commits_unknown(world: World) -> Figures:
    """The reply to a COMMIT never comes: the client asks again and gets the one order."""
    spoiling, before, retries = world.database.spoiling, world.database.commits_cut, world.traffic.seen.retries
    for _ in range(6):
        spoiling.commits_to_cut = 1
        world.wait(lambda: not spoiling.commits_to_cut, 20, "no commit comes by")
        _accepted_meanwhile(world, 0.1)
    _again(world, time.monotonic())
    cut = world.database.commits_cut - before
    if not cut:
        raise FaultsError("no reply to a commit was lost")
    return {"commits whose reply was lost": cut, "requests sent again": world.traffic.seen.retries - retries}


def database_network(world: World) -> Figures:
    """The way to the database is slow, breaks in the middle of a reply, and goes silent."""
    worst, spoiling = 0, world.database.spoiling
    for name, value, off in (("delay_s", 0.02, 0.0), ("cut_after_bytes", 4_000, None), ("half_open", True, False)):
        setattr(spoiling, name, value)
        _accepted_meanwhile(world, 2)
        setattr(spoiling, name, off)
        freed_s = time.monotonic()
        world.database.cut()
        worst = max(worst, _again(world, freed_s))
    return {"faults of the network": 3, "worst recovery, ms": worst}


def database_away(world: World) -> Figures:
    """The database cannot be reached for a quarter of a minute: whoever waits for it comes back with it."""
    spoiling = world.database.spoiling
    spoiling.refusing = True
    world.database.cut()
    _accepted_meanwhile(world, AWAY_S)
    spoiling.refusing = False
    recovery_ms = _again(world, time.monotonic())
    if recovery_ms > BACK_MS_MAX:
        raise FaultsError(f"orders are accepted only {recovery_ms} ms after the database is back")
    return {"away for, s": AWAY_S, "recovery, ms": recovery_ms}


def feed_half_open(world: World) -> Figures:
    """A source's connection is open and nothing comes: its market takes no orders, and opens again by itself."""
    stale = """SELECT count(*) FROM quotes_symbol_head h JOIN quotes_symbol s ON s.id = h.symbol_id
               WHERE s.code = 'BTC.K' AND h.tick_recv_ms < %(ms)s"""
    begun_s = time.monotonic()
    world.feed.spoiling.half_open = True
    refused = world.traffic.seen.refused
    before = refused["market.stale"]
    world.wait(lambda: refused["market.stale"] > before, 30, "a silent market takes orders")
    refused_ms = round((time.monotonic() - begun_s) * 1000)
    world.feed.spoiling.half_open = False
    freed_s, freed_ms = time.monotonic(), wall_ms()
    world.wait(lambda: db.rows(stale, {"ms": freed_ms})[0][0] == 0, 60, "the market does not open again")
    opened_ms = round((time.monotonic() - freed_s) * 1000)
    return {"ms until placement is refused": refused_ms, "ms until ticks come again": opened_ms}


# --- clocks ----------------------------------------------------------------------------------------------


def parser_stopped(world: World) -> Figures:
    """The parser is stopped between the receipt and the write of its ticks, for longer than the grace."""
    platform = world.platform
    platform.kill("parser")
    platform.start("parser", failpoint=f"ticks.received:{world.rng('stop').randint(5, 15)}:stop")
    world.wait(lambda: platform.stopped("parser"), 60, "the parser does not stop")
    stopped_s, fenced_before = time.monotonic(), _raises(3)
    _accepted_meanwhile(world, ADMISSION.grace_ms / 1000 + 5)
    platform.send("parser", signal.SIGCONT)
    continued_s = time.monotonic()
    recovery_ms = _again(world, continued_s)
    fenced = _raises(3) - fenced_before
    platform.kill("parser")
    platform.start("parser")
    _again(world, time.monotonic())
    if not fenced:
        raise FaultsError("no watermark was raised by the settlement worker")
    return {
        "stopped for, ms": round((continued_s - stopped_s) * 1000),
        "raises by the settlement worker": fenced,
        "recovery, ms": recovery_ms,
    }


def _raises(cause: int) -> int:
    return int(db.rows("SELECT count(*) FROM quotes_watermark_raise WHERE cause = %(cause)s", {"cause": cause})[0][0])


def clocks_jump(world: World) -> Figures:
    """The wall clocks of parser and workers jump an hour ahead, an hour back, and run fast."""
    platform, jumped, names = world.platform, world.platform.folder / "clock", ("parser", *WORKERS)
    # Ships with the package; the programs themselves know nothing of it.
    package = importlib.util.find_spec("libfaketime")
    assert package is not None
    (library,) = Path(str(package.origin)).parent.glob("vendor/**/libfaketime.so.1")
    faked = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(jumped),
        # Each call of a clock would open the file, and nothing else would be done any more.
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    jumped.write_text("+0\n")
    kept, accepted = dict(platform.overrides), []
    for name in names:
        platform.overrides[name] = kept.get(name, {}) | faked
    try:
        _restarted(world, names)
        for offset in ("+3600", "-3600", "+0", "+0 x1.2"):
            jumped.write_text(f"{offset}\n")
            accepted.append(_accepted_meanwhile(world, 5))
    finally:
        platform.overrides.clear()
        platform.overrides.update(kept)
        _restarted(world, names)
    if not all(accepted):
        raise FaultsError(f"no order was accepted after one of the jumps: {accepted}")
    return {"jumps": len(accepted), "accepted after each": " ".join(map(str, accepted))}


def _restarted(world: World, names: Sequence[str]) -> None:
    world.platform.kill(*names)
    for name in names:
        world.platform.start(name)
    _again(world, time.monotonic())


def future_tick(world: World) -> Figures:
    """A source says a tick an hour ahead: it is refused, and the ones after it are admitted."""
    script = world.platform.folder / "future.csv"
    lines = [f"{offset},SCRIPTED,1.10000,1.10000" for offset in range(0, 1_000, 100)]
    lines += ["1000,SCRIPTED,1.10010,1.10010,3601000"]
    lines += [f"{offset},SCRIPTED,1.10005,1.10005" for offset in range(1_100, 2_500, 100)]
    script.write_text("\n".join(lines) + "\n")
    world.platform.manage("parse_quotes", "--feed", "script", "--file", str(script), timeout_s=60)
    sql = """SELECT count(*), coalesce(max(tick.at_ms), 0), max(head.watermark_ms) FROM quotes_tick AS tick
             JOIN quotes_symbol AS symbol ON symbol.id = tick.symbol_id
             JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id WHERE symbol.code = 'SCRIPTED'"""
    admitted, newest_ms, watermark_ms = db.rows(sql)[0]
    if admitted < 24 or max(newest_ms, watermark_ms or 0) > wall_ms() + 1_000:
        raise FaultsError(f"{admitted} ticks were admitted, the newest {newest_ms - wall_ms()} ms ahead")
    return {"ticks ahead by an hour": 1, "admitted of the others": admitted}


Scenario = tuple[str, str, Callable[[World], Figures]]
SCENARIOS: tuple[Scenario, ...] = (
    ("F-09", "the reply to COMMIT is lost on the way", commits_unknown),
    ("F-08", "PostgreSQL is stopped at once and started", database_restarts),
    ("F-27", "the parser is stopped between receipt and write", parser_stopped),
    ("F-27", "a tick comes from an hour ahead", future_tick),
    ("F-02", "four workers, killed again and again", workers_killed),
    ("F-03", "pairs of runtimes are killed", pairs_killed),
    ("F-04, F-05", "two schedulers, and 32 deliveries of one task", two_schedulers),
    ("F-06, F-07", "Redis is killed, flushed and full", redis_fails),
    ("F-08", "all sessions are terminated", database_sessions_end),
    ("F-08", "all connections are taken", database_exhausted),
    ("F-08", "all wallets are locked for 3 s", wallets_locked),
    ("F-09", "the way to the database is slow, cut and silent", database_network),
    ("F-08", "the database cannot be reached for a while", database_away),
    ("F-12", "wall clocks jump by an hour, and run fast", clocks_jump),
    ("F-14", "a source is connected and silent", feed_half_open),
    ("F-20", "500 terminals lose their links and knock at once", terminals_storm),
    ("F-22", "the disk of the signals' log is full, then that of the WAL", disks_full),
)
