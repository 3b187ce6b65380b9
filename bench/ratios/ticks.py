"""The quote path's write beside a bare COPY into the same table."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from itertools import count

import psycopg

from bench.ratios.measures import Row, Slice, at_least, interleaved, per_second, rates, ratio_of
from bench.ratios.processors import timed
from bench.ratios.run import Run
from bench.ratios.stock import SYMBOLS, Stock
from kernel.clock import wall_ms
from quotes.admission import SymbolLog, SymbolTerms, ticks_admit
from quotes.domain import CANDLE_INTERVALS_S, RawTick
from quotes.statements import TICKS_COPY

BATCH, WINDOW_MS = 250, 50
BATCHES_A_SECOND = 200
# The bare rows belong to symbols that nobody offers.
_BARE_SYMBOL = 1_000_000
_bare = count(1)


class Writer:
    """A parser's side of the moving symbols, whose market time goes on by one window a batch."""

    def __init__(self, stock: Stock) -> None:
        self.logs = {
            symbol_id: SymbolLog(SymbolTerms(symbol_id, code, "simulator", code, 5, "mid", 1))
            for code, symbol_id in stock.moving.items()
        }
        self.now_ms = wall_ms() - 3_600_000
        self._packets = count(1)
        self._ahead: deque[tuple[int, dict[int, list[RawTick]]]] = deque()

    def decode(self, batches: int) -> None:
        """Make ticks ahead, as adapters do before they hand them over: what is measured is the write."""
        while len(self._ahead) < batches:
            self._ahead.append(self._made())

    def batch(self) -> int:
        """Admit 250 ticks of 50 symbols, five of each; return how many were admitted."""
        at_ms, ticks = self._ahead.popleft() if self._ahead else self._made()
        admitted = ticks_admit(batch=ticks, logs=self.logs, heartbeat_ms=at_ms).admitted
        assert admitted == BATCH, admitted
        return admitted

    def _made(self) -> tuple[int, dict[int, list[RawTick]]]:
        self.now_ms += WINDOW_MS
        each = BATCH // SYMBOLS
        ticks: dict[int, list[RawTick]] = {symbol_id: [] for symbol_id in self.logs}
        for turn in range(each):
            at_ms = self.now_ms + turn * (WINDOW_MS // each)
            for symbol_id, log in self.logs.items():
                number = next(self._packets)
                bid = Decimal(108_500 + number * 7 % 40).scaleb(-5)
                ticks[symbol_id].append(RawTick(log.terms.source, number, at_ms, at_ms, bid, bid + Decimal("0.00002")))
        return self.now_ms, ticks


def _bare_batch(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    first = next(_bare) * BATCH
    at_ms = wall_ms()
    with connection.cursor() as cursor, cursor.copy(TICKS_COPY) as copy:
        for n in range(BATCH):
            copy.write_row((_BARE_SYMBOL + n % SYMBOLS, first + n, at_ms, at_ms, "1.08500", "1.08502", 108_501, 1))
    connection.commit()
    return BATCH


def rows(run: Run) -> list[Row]:
    """Measure both."""
    rig, stock, rounds, seconds = run.rig, run.stock, run.rounds, run.seconds
    writer = Writer(stock)
    with psycopg.connect(rig.servers.urls.database) as connection:

        def ours() -> Slice:
            writer.decode(round(seconds * BATCHES_A_SECOND))
            return timed(writer.batch, seconds=seconds, others=rig.postgres_cpu_s)

        def limit() -> Slice:
            return timed(lambda: _bare_batch(connection), seconds=seconds, others=rig.postgres_cpu_s)

        writer.batch()
        found = interleaved(rounds, {"ours": ours, "limit": limit})
    return [
        Row(
            f"ticks with candles of {len(CANDLE_INTERVALS_S)} intervals, batches of {BATCH}",
            per_second(found["ours"], "ticks"), "raw COPY into the same table, the same batches",
            per_second(found["limit"], "ticks"), ratio_of(rates(found["ours"]), rates(found["limit"])), "share",
            at_least(0.20), at_least(0.35),
            "of 11 intervals six are joined when they are read; admission, heads, raised watermarks and publishing are"
            " in ours",
        )
    ]  # fmt: skip
