"""Placement over HTTP: the production web runtime beside pgbench and beside the conventional twin."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from secrets import token_hex

from django.conf import settings

from bench.ratios.limits import Pgbench
from bench.ratios.measures import (
    Ratio,
    Row,
    Slice,
    at_least,
    at_most,
    interleaved,
    milliseconds,
    per_second,
    percentiles,
    rates,
    ratio_of,
)
from bench.ratios.run import Run
from bench.ratios.servers import Rig, free_port, running, tree_cpu_s
from bench.ratios.stock import SYMBOLS, Stock, token_of

WARM_S = 1.0
WORKERS, THREADS = 2, 8
CONNECTIONS = (16, 64)
_runs = count(1)


@dataclass(frozen=True)
class Web:
    """A web server: its process, its port, and how its clients say who they are."""

    pid: int
    port: int

    def driven(self, rig: Rig, headers: Sequence[str], *, connections: int, seconds: int) -> Slice:
        """Let so many connections place orders for some seconds."""
        asked = {
            "port": self.port,
            "connections": connections,
            "headers": headers,
            "seconds": seconds,
            "warm_s": WARM_S,
            "symbols": SYMBOLS,
            "name": f"http-{next(_runs)}",
        }
        with running("-m", "bench.ratios.load", environ=rig.environ) as load:
            assert load.stdin is not None
            assert load.stdout is not None
            load.stdin.write(json.dumps(asked) + "\n")
            load.stdin.flush()
            load.stdout.readline()
            before = (tree_cpu_s(self.pid), rig.postgres_cpu_s())
            seen = json.loads(load.stdout.readline())
            used = (tree_cpu_s(self.pid) - before[0], rig.postgres_cpu_s() - before[1])
        if set(seen["statuses"]) != {"201"}:
            raise RuntimeError(f"orders were refused: {seen['statuses']} {seen['example']}")
        cpu_s = {"web": used[0], "postgres": used[1]}
        return Slice(seen["statuses"]["201"], seen["wall_s"], cpu_s, seen["waits_ms"])


def granian(stack: ExitStack, rig: Rig, target: str, **environ: str) -> Web:
    """Start the production web runtime with an application."""
    port = free_port()
    process = stack.enter_context(
        running(
            *("-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", str(WORKERS), "--blocking-threads", str(THREADS), "--no-access-log"),
            *("--log-level", "warning", target),
            environ=rig.environ | environ,
            port=port,
            log=rig.data_dir / "web.log",
        )
    )
    return Web(process.pid, port)


def token_headers(stock: Stock) -> list[str]:
    """Return how each user's program says who it is."""
    return [f"Authorization: Bearer {token_of(number)}" for number in range(1, stock.users + 1)]


def session_headers(stock: Stock, cookie: str, csrf_cookie: str) -> list[str]:
    """Return how each user's browser says who it is."""
    secret = token_hex(16)
    return [f"Cookie: {cookie}={key}; {csrf_cookie}={secret}\r\nX-CSRFToken: {secret}" for key in stock.sessions]


def rows(run: Run) -> list[Row]:
    """Measure both kinds of callers beside limit and twin, with few and many connections."""
    rig, stock, rounds, seconds = run.rig, run.stock, run.rounds, run.seconds
    pgbench = Pgbench(rig, stock)
    tokens = token_headers(stock)
    browsers = session_headers(stock, settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)
    conventional = session_headers(stock, "sessionid", "csrftoken")
    with ExitStack() as stack:
        web = granian(stack, rig, "config.wsgi:application")
        twin = granian(
            stack,
            rig,
            "bench.ratios.twins.web:application",
            DJANGO_SETTINGS_MODULE="bench.ratios.twins.settings",
        )
        found: dict[str, list[Slice]] = {}
        for connections in CONNECTIONS:
            drive = partial(_driving, rig, connections=connections, seconds=seconds)
            contestants: dict[str, Callable[[], Slice]] = {
                "limit": partial(pgbench.placements, connections, seconds=seconds),
                "token": drive(web, tokens),
                "twin": drive(twin, conventional),
                "session": drive(web, browsers),
            }
            found |= {f"{name} {connections}": slices for name, slices in interleaved(rounds, contestants).items()}
    return [row for connections in CONNECTIONS for row in _rows(found, connections)]


def _driving(rig: Rig, web: Web, headers: Sequence[str], *, connections: int, seconds: int) -> Callable[[], Slice]:
    return lambda: web.driven(rig, headers, connections=connections, seconds=seconds)


def _rows(found: dict[str, list[Slice]], connections: int) -> list[Row]:
    limit, token, twin, session = (found[f"{name} {connections}"] for name in ("limit", "token", "twin", "session"))
    where = f"placement over HTTP, {connections} connections"
    told = per_second(token, "orders")
    conventional = per_second(twin, "orders")

    def times(figure: str, ours: list[Slice], least: float, aim: float) -> Row:
        ratio = ratio_of(rates(ours), rates(twin))
        return Row(
            figure, per_second(ours, "orders"), "DRF + ORM + database session", conventional, ratio, "times",
            at_least(least), at_least(aim),
        )  # fmt: skip

    share = ratio_of(rates(token), rates(limit))
    rows = [
        Row(
            f"{where}, token", told, "pgbench, the same SQL", per_second(limit, "orders"), share, "share",
            at_least(0.20), at_least(0.35), _cost(token),
        ),
        times(f"{where}, token", token, 5, 9),
        times(f"{where}, browser", session, 3, 5),
    ]  # fmt: skip
    if connections == max(CONNECTIONS):
        slow, usual = percentiles(token, 0.99), percentiles(token, 0.50)
        ratio: Ratio = ratio_of(slow, usual)
        rows.append(
            Row(
                f"{where}, p99 over p50", milliseconds(slow), "its own p50", milliseconds(usual), ratio, "times",
                at_most(4), at_most(2.5),
            )
        )  # fmt: skip
    return rows


def _cost(slices: list[Slice]) -> str:
    web = sorted(one.cpu_s["web"] * 1e6 / one.operations for one in slices)
    postgres = sorted(one.cpu_s["postgres"] * 1e6 / one.operations for one in slices)
    return f"{web[len(web) // 2]:,.0f} us of web and {postgres[len(postgres) // 2]:,.0f} us of PostgreSQL an order"
