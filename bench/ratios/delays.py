"""How long things take end to end with the real runtimes: a tick to a socket, and an expiry to its settlement."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from bench.ratios.fanout import gateway, listening
from bench.ratios.measures import Ratio, Row, at_most, percentile
from bench.ratios.run import Run
from bench.ratios.servers import Rig, running
from bench.ratios.stock import Stock
from kernel import db
from kernel.clock import wall_ms
from quotes.feed_runner import WINDOW_S
from settlement.worker import INTERVAL_S

SOCKETS, EACH = 500, 2
ORDERS, IN_MS = 1_000, 1_000
FLOWING_LIMIT_S = 60.0

_LAGS = """
SELECT o.settled_at_ms - (SELECT min(r.raised_at_ms) FROM quotes_watermark_raise AS r
                          WHERE r.symbol_id = o.symbol_id AND r.watermark_ms >= o.expires_at_ms)
FROM trading_order AS o
WHERE o.symbol_id = ANY(%(ids)s) AND o.expires_at_ms >= %(from_ms)s AND o.state <> 'open'"""


def rows(run: Run) -> list[Row]:
    """Run parser, gateway and settlement worker on live symbols and look at both delays."""
    rig, stock, rounds, seconds = run.rig, run.stock, run.rounds, run.seconds
    ids = list(stock.fed.values())
    with ExitStack() as stack:
        stack.enter_context(running("-m", "bench.ratios.feeder", environ=rig.environ, log=rig.data_dir / "feed.log"))
        _, port = stack.enter_context(gateway(rig))
        _await(lambda: _heads(ids) == len(ids), "the feed does not flow")
        delays = [_delays(rig, port, list(stock.fed), seconds=2 * seconds + 1) for _ in range(rounds)]
        stack.enter_context(running("-m", "bench.ratios.settler", environ=rig.environ, log=rig.data_dir / "lag.log"))
        time.sleep(2)
        lags = [_lags(stock, ids) for _ in range(min(rounds, 3))]
    return [_delay_row(delays), _lag_row(lags)]


def _delays(rig: Rig, port: int, symbols: list[str], *, seconds: float) -> list[float]:
    asked = {"port": port, "sockets": SOCKETS, "path": "/ws/quotes/", "symbols": symbols, "each": EACH, "timed": True}
    with listening(rig, **asked) as listeners:
        # The first messages tell the last known ticks, which are old.
        time.sleep(1)
        listeners.heard()
        time.sleep(seconds)
        found: list[float] = listeners.heard()["delays_ms"]
        return found


def _lags(stock: Stock, ids: list[int]) -> list[float]:
    from_ms = _orders_ahead(stock)
    wanted = {"ids": ids, "from_ms": from_ms}
    _await(lambda: _waiting(ids, from_ms) == 0, "the orders are not settled")
    return [float(lag) for (lag,) in db.rows(_LAGS, wanted)]


def _orders_ahead(stock: Stock) -> int:
    """Place the orders and return from when they expire; where that came before they were placed, once more."""
    lead_ms = 2_000
    while True:
        from_ms = wall_ms() + lead_ms
        stock.orders_open(ORDERS, expires_ms=from_ms, spread_ms=IN_MS, symbols=stock.fed)
        if wall_ms() < from_ms:
            return from_ms
        lead_ms *= 2
        if lead_ms > FLOWING_LIMIT_S * 1000:
            raise RuntimeError("orders cannot be placed ahead of their expiry")


def _waiting(ids: list[int], from_ms: int) -> int:
    found = db.row(
        "SELECT count(*) FROM trading_order_open WHERE symbol_id = ANY(%s) AND expires_at_ms >= %s", [ids, from_ms]
    )
    assert found is not None
    return int(found[0])


def _heads(ids: list[int]) -> int:
    found = db.row("SELECT count(*) FROM quotes_symbol_head WHERE symbol_id = ANY(%s) AND seq > 3", [ids])
    assert found is not None
    return int(found[0])


def _await(holds: Callable[[], bool], problem: str) -> None:
    until_s = time.monotonic() + FLOWING_LIMIT_S
    while not holds():
        if time.monotonic() > until_s:
            raise RuntimeError(problem)
        time.sleep(0.1)


def _delay_row(rounds: list[list[float]]) -> Row:
    window_ms = WINDOW_S * 1000
    over = sorted(percentile(delays, 0.95) - window_ms for delays in rounds)
    middle = over[len(over) // 2]
    every = [delay for delays in rounds for delay in delays]
    return Row(
        f"tick received to socket, p95, {SOCKETS} sockets, 50 symbols at 5/s", f"{middle + window_ms:.1f} ms",
        "the parser's batch window", f"{window_ms:.0f} ms", Ratio(middle, over[0], over[-1]), "ms over it",
        at_most(10), at_most(2), f"p50 {percentile(every, 0.5):.1f} ms, p99 {percentile(every, 0.99):.1f} ms",
    )  # fmt: skip


def _lag_row(rounds: list[list[float]]) -> Row:
    interval_ms = INTERVAL_S * 1000
    over = sorted((percentile(lags, 0.99) - interval_ms) / 1000 for lags in rounds)
    middle = over[len(over) // 2]
    every = [lag for lags in rounds for lag in lags]
    return Row(
        f"settlement lag, p99, {ORDERS:,} orders expiring in one second", f"{middle * 1000 + interval_ms:.0f} ms",
        "the loop's interval", f"{interval_ms:.0f} ms", Ratio(middle, over[0], over[-1]), "s over it",
        at_most(1.0), at_most(0.3), f"p50 {percentile(every, 0.5):.0f} ms, worst {max(every):.0f} ms",
    )  # fmt: skip
