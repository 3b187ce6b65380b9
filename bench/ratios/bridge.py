"""The bridge: what a message costs beside a bare echo, how soon a signal is an order, and a thousand heartbeats."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from django.db import transaction

from bench.ratios.measures import (
    Row,
    Slice,
    at_most,
    costs,
    interleaved,
    microseconds,
    milliseconds,
    percentile,
    percentiles,
    ratio_of,
)
from bench.ratios.placement import placing
from bench.ratios.run import Run
from bench.ratios.servers import ROOT, Rig, free_port, running, tree_cpu_s
from bench.ratios.stock import Stock, id_of
from ea.services import key_create, link_ensure
from kernel import db
from kernel.clock import wall_ms

SERVER = "Bench-Demo"
CONNECTIONS, PER_S, WARM_PER_S = 300, 3_000, 500
# Signals that become orders: so many terminals, each with one a second.
TRADERS = 40
BEATING, HEARTBEATS_PER_S = 1_000, 200
DECIDED_LIMIT_S = 20.0

# From the frame's arrival to the return of the placement's commit.
_WAYS = """
SELECT (answered_us - recv_us) / 1000.0 FROM ea_latency
WHERE recv_us >= %(since_us)s AND submitted_us IS NOT NULL"""
UNDECIDED = "SELECT count(*) FROM ea_order WHERE state IN ('received', 'submitted')"
_NOTED = "SELECT count(DISTINCT kid) FROM ea_alert WHERE kind = 'address'"

Keys = Sequence[dict[str, str]]


class Experts:
    """Connections in a process of their own."""

    def __init__(self, process: Popen[str]) -> None:
        self._process = process

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Write one line and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process of the experts has ended")
        told: dict[str, Any] = json.loads(line)
        return told

    def prepare(self, **asked: Any) -> None:
        """Sign what the next turn sends: ``per_s`` and ``seconds``; of ``every`` signals one is ``traded``."""
        usual = {"heartbeats": False, "symbol": "P01", "traded": "P00", "every": 0}
        self.ask(usual | asked)

    def go(self) -> dict[str, Any]:
        """Send it, and return what came of it.

        :raises RuntimeError: an answer is missing, or none that there should be
        """
        told = self.ask({})
        if told["faults"] or told["answered"] != told["sent"]:
            raise RuntimeError(f"{told['answered']} of {told['sent']} frames were answered; {told['faults']}")
        return told


@contextmanager
def experts(rig: Rig, keys: Keys, **asked: Any) -> Iterator[Experts]:
    """Open a connection for each key: the first ``sockets`` on ``ws_port``, the others on ``port``."""
    usual = {"ws_port": 0, "sockets": 0, "echo": False}
    with running("-m", "bench.ratios.experts", environ=rig.environ, log=rig.data_dir / "experts.log") as process:
        opened = Experts(process)
        opened.ask(usual | {"keys": list(keys)} | asked)
        yield opened


@dataclass(frozen=True)
class Gateway:
    """The gateway that is measured, or the bare server beside it, which has the first port only."""

    pid: int
    port: int

    @property
    def ports(self) -> dict[str, int]:
        """Return its ports by transport."""
        return {"port": self.port, "ws_port": self.port + 1}


@contextmanager
def gateway(rig: Rig) -> Iterator[Gateway]:
    """Run the gateway of the bridge."""
    port = free_port()
    arguments = (str(ROOT / "manage.py"), "ea_gateway", "--port", str(port))
    with running(*arguments, environ=rig.environ, port=port + 1, log=rig.data_dir / "ea-gateway.log") as process:
        yield Gateway(process.pid, port)


@contextmanager
def echo_server(rig: Rig) -> Iterator[Gateway]:
    """Run a server that does nothing but send frames back."""
    port, log = free_port(), rig.data_dir / "echo.log"
    with running("-m", "bench.ratios.echo", str(port), environ=rig.environ, port=port, log=log) as process:
        yield Gateway(process.pid, port)


@contextmanager
def executor(rig: Rig) -> Iterator[int]:
    """Run the executor; yield its process."""
    log = rig.data_dir / "ea-executor.log"
    with running(str(ROOT / "manage.py"), "ea_executor", environ=rig.environ, log=log) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


def used_s(pid: int) -> float:
    """Return the processor seconds of a process's living threads, to the nanosecond where the machine tells them."""
    threads = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if not threads:
        return tree_cpu_s(pid)
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def keys_made(count: int) -> Keys:
    """Make an installation with a key for each of the first users."""
    now_ms, keys = wall_ms(), []
    with transaction.atomic():
        for number in range(1, count + 1):
            link = link_ensure(user_id=id_of("user", number), account=str(number), server=SERVER, now_ms=now_ms)
            key, secret = key_create(link_id=link.pk, now_ms=now_ms)
            keys.append({"kid": key.kid, "secret": secret, "account": str(number)})
    return keys


def named(keys: Keys, sid: str) -> Keys:
    """Return keys for connections whose numbers begin anew."""
    return [key | {"sid": sid} for key in keys]


def decided_await(limit_s: float = DECIDED_LIMIT_S) -> None:
    """Wait until every signal has come to an answer.

    :raises RuntimeError: some have not
    """
    _await(lambda: count_of(UNDECIDED) == 0, "signals are not decided", limit_s)


def _await(holds: Callable[[], bool], problem: str, limit_s: float = DECIDED_LIMIT_S) -> None:
    until_s = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > until_s:
            raise RuntimeError(problem)
        time.sleep(0.02)


def count_of(sql: str) -> int:
    """Return what a counting statement says."""
    found = db.row(sql)
    assert found is not None
    return int(found[0])


def warmed(rig: Rig, stock: Stock, served: Gateway, keys: Keys) -> None:
    """Let some signals through, so that the planner knows that the bridge's tables are not empty."""
    with executor(rig), experts(rig, named(keys, "warm"), **served.ports) as warming:
        warming.prepare(per_s=WARM_PER_S, seconds=2)
        warming.go()
        decided_await()
    stock.analyze()


def rows(run: Run) -> list[Row]:
    """Measure the way to the order first: without an executor, what is logged afterwards stays undecided."""
    keys = keys_made(BEATING)
    with gateway(run.rig) as served:
        warmed(run.rig, run.stock, served, keys[:CONNECTIONS])
        return [_way_row(run, served, keys), _heartbeats_row(run, served, keys), *_message_rows(run, served, keys)]


def _way_row(run: Run, served: Gateway, keys: Keys) -> Row:
    def signals() -> Slice:
        traders.prepare(per_s=TRADERS, seconds=2 * run.seconds, symbol="P00")
        since_us = time.time_ns() // 1_000
        told = traders.go()
        decided_await()
        ways = [float(way) for (way,) in db.rows(_WAYS, {"since_us": since_us})]
        if len(ways) != told["sent"]:
            raise RuntimeError(f"{told['sent']} signals became {len(ways)} orders")
        return Slice(len(ways), told["wall_s"], {}, ways)

    with executor(run.rig), experts(run.rig, named(keys[:TRADERS], "way"), **served.ports) as traders:
        signals()
        found = interleaved(
            run.rounds,
            {"ours": signals, "placement": lambda: placing(run.rig, run.stock, seconds=run.seconds, name="beside")},
        )
    ours, others = percentiles(found["ours"], 0.95), percentiles(found["placement"], 0.95)
    every = [way for one in found["ours"] for way in one.waits_ms]
    return Row(
        "signal received to its order committed, p95", milliseconds(ours), "placement service alone, p95",
        milliseconds(others), ratio_of(ours, others), "times", at_most(3), at_most(2),
        f"{TRADERS} signals/s of as many installations; p50 {percentile(every, 0.5):.1f} ms,"
        f" p99 {percentile(every, 0.99):.1f} ms",
    )  # fmt: skip


def _heartbeats_row(run: Run, served: Gateway, keys: Keys) -> Row:
    shares, bare = list[float](), list[float]()

    def beat(of: Experts, pid: int) -> float:
        of.prepare(per_s=HEARTBEATS_PER_S, seconds=3 * run.seconds, heartbeats=True)
        before, began_s = used_s(pid), time.perf_counter()
        of.go()
        return (used_s(pid) - before) / (time.perf_counter() - began_s)

    with experts(run.rig, named(keys, "beats"), **served.ports) as beating, echo_server(run.rig) as echo:
        # That a key is used from an address for the first time goes on record, one key after the other.
        _await(lambda: count_of(_NOTED) >= len(keys), "the addresses of keys are not on record")
        with experts(run.rig, named(keys, "bare"), port=echo.port, echo=True) as echoed:
            for _ in range(run.rounds):
                shares.append(beat(beating, served.pid))
                bare.append(beat(echoed, echo.pid))
    share, floor = (ratio_of(found, [1.0] * len(found)) for found in (shares, bare))
    return Row(
        f"heartbeats of {BEATING:,} connections, each 5 s", f"{share.median * 100:.1f} %", "one core", "100 %",
        share, "share", at_most(0.02), at_most(0.01),
        f"a bare server that sends the same frames back takes {floor.median * 100:.1f} %: each wakes it by itself",
    )  # fmt: skip


def _message_rows(run: Run, served: Gateway, keys: Keys) -> list[Row]:
    postgres_us: list[float] = []

    def turn(of: Experts, pid: int) -> Slice:
        of.prepare(per_s=PER_S, seconds=run.seconds)
        before, postgres_s = used_s(pid), run.rig.postgres_cpu_s()
        told = of.go()
        if pid == served.pid:
            postgres_us.append((run.rig.postgres_cpu_s() - postgres_s) * 1e6 / told["sent"])
        return Slice(told["sent"], told["wall_s"], {"server": used_s(pid) - before})

    rig = run.rig
    with ExitStack() as stack:
        echo = stack.enter_context(echo_server(rig))
        first, second = named(keys[:CONNECTIONS], "tcp"), named(keys[CONNECTIONS : 2 * CONNECTIONS], "ws")
        tcp = stack.enter_context(experts(rig, first, **served.ports))
        sockets = stack.enter_context(experts(rig, second, sockets=CONNECTIONS, **served.ports))
        bare = stack.enter_context(experts(rig, first, port=echo.port, echo=True))
        found = interleaved(
            run.rounds,
            {
                "TCP": lambda: turn(tcp, served.pid),
                "WebSocket": lambda: turn(sockets, served.pid),
                "echo": lambda: turn(bare, echo.pid),
            },
        )
    note = f"{PER_S:,} messages/s; PostgreSQL besides {sorted(postgres_us)[len(postgres_us) // 2]:.0f} us a message"
    return [
        Row(
            f"gateway's processor a message, {name}, signature and durable log", microseconds(found[name]),
            "asyncio.Protocol that echoes the same frames", microseconds(found["echo"]),
            ratio_of(costs(found[name]), costs(found["echo"])), "times", at_most(6), at_most(4), note,
        )
        for name in ("TCP", "WebSocket")
    ]  # fmt: skip
