"""Minutes of a log that are over: the occasion for seals and their heads, which else comes once a minute."""

from __future__ import annotations

from decimal import Decimal

from bench.faults.world import RECOVERY_LIMIT_S, World
from kernel import db
from kernel.clock import wall_ms
from quotes.admission import SymbolLog, SymbolTerms, heartbeats_record, ticks_admit
from quotes.domain import ADMISSION, RawTick
from quotes.models import Symbol, SymbolHead
from quotes.sealing import MINUTE_MS, minute_of
from quotes.seals import seals_violations

CODE = "SEALED"
# Far enough back that one minute after the other can be brought while a row runs.
BACK_MINUTES = 180
_WAITING = """
SELECT (SELECT count(*) FROM quotes_symbol_head AS head JOIN quotes_symbol AS symbol ON symbol.id = head.symbol_id
        WHERE symbol.code = %(code)s AND head.seq <> coalesce(
            (SELECT max(first_seq + count - 1) FROM quotes_seal WHERE symbol_id = symbol.id), 0))
     + (SELECT count(*) FROM quotes_seal
        WHERE id > coalesce((SELECT seal_id FROM quotes_head_publication WHERE target = 'file'), 0))"""


class PastMinutes:
    """Brings one tick a call, each in a minute of its own, and the sign of life that makes the minute final."""

    def __init__(self) -> None:
        symbol = Symbol.objects.get(code=CODE)
        terms = SymbolTerms(
            symbol_id=symbol.id,
            code=symbol.code,
            feed=symbol.feed,
            source=symbol.source,
            price_scale=symbol.price_scale,
            price_source=symbol.price_source,
            revision=symbol.revision,
        )
        self._logs = {symbol.id: SymbolLog(terms)}
        newest_ms = SymbolHead.objects.get(symbol=symbol).tick_at_ms or 0
        self._minute_ms = max(minute_of(newest_ms), minute_of(wall_ms()) - BACK_MINUTES * MINUTE_MS)

    def __call__(self) -> None:
        """Bring the next minute, as long as there is one behind the clock."""
        if self._minute_ms + 3 * MINUTE_MS > wall_ms():
            return
        self._minute_ms += MINUTE_MS
        at_ms = self._minute_ms + MINUTE_MS // 2
        price = Decimal("1.10000")
        for symbol_id in self._logs:
            tick = RawTick(CODE, packet=at_ms, src_ms=at_ms, recv_ms=at_ms, bid=price, ask=price)
            ticks_admit(batch={symbol_id: [tick]}, logs=self._logs, heartbeat_ms=at_ms)
            heartbeats_record(heartbeats={symbol_id: self._minute_ms + MINUTE_MS + ADMISSION.grace_ms})


def sealed_and_told(world: World) -> list[str]:
    """Wait until every minute is sealed and its head told; return what is wrong with the seals."""
    world.wait(lambda: _waiting() == 0, RECOVERY_LIMIT_S, "a minute is not sealed or its head not told")
    wrong = seals_violations(full=True)
    return [f"{wrong} violations of the seals"] if wrong else []


def _waiting() -> int:
    found = db.row(_WAITING, {"code": CODE})
    assert found is not None
    return int(found[0])
