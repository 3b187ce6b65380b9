"""The payout of each symbol follows the real orders of the last half hour, every minute, for everybody alike."""

from __future__ import annotations

from collections import defaultdict

from django.db import transaction

from kernel import db
from kernel.clock import rfc3339
from kernel.failpoints import reach
from kernel.jobs import MINUTE_MS, database_now_ms, job_once
from quotes.models import Symbol
from quotes.payouts import PAYOUT_1, WeighedOrder, recalculated
from quotes.services import symbol_payout_set

JOB = "settlement.payouts_recalculate"

_WINDOW = """
SELECT symbol_id, user_id, stake, won FROM settlement_window_order
WHERE settled_at_ms >= %(from_ms)s AND settled_at_ms < %(to_ms)s"""

_EXPIRED = "DELETE FROM settlement_window_order WHERE settled_at_ms < %(from_ms)s"


def payouts_recalculate_once() -> bool:
    """Recalculate all payouts unless somebody did in this minute.

    :return: whether it was done here
    """
    now_ms = database_now_ms()
    return job_once(JOB, MINUTE_MS, now_ms, lambda: f"{payouts_recalculate(now_ms=now_ms)} changed")


@transaction.atomic
def payouts_recalculate(*, now_ms: int) -> int:
    """Move each symbol's payout by its orders of the window that ends now, exclusive.

    :return: how many payouts changed
    """
    # Whoever edits terms waits: a payout that was reckoned with old bounds could break the new ones.
    symbols = list(Symbol.objects.select_for_update(no_key=True).order_by("pk"))
    reach("payouts.locked")
    window = {"from_ms": now_ms - PAYOUT_1.window_ms, "to_ms": now_ms}
    orders: dict[int, list[WeighedOrder]] = defaultdict(list)
    for symbol_id, user_id, stake, won in db.rows(_WINDOW, window):
        orders[symbol_id].append((user_id, stake, won))
    changed = sum(_moved(symbol, orders[symbol.pk], window) for symbol in symbols)
    reach("payouts.moved")
    db.run(_EXPIRED, {"from_ms": window["from_ms"]})
    return changed


def _moved(symbol: Symbol, orders: list[WeighedOrder], window: dict[str, int]) -> bool:
    percent, inputs = recalculated(
        orders,
        fixed=symbol.payout_fixed,
        least=symbol.payout_min,
        most=symbol.payout_max,
        current=symbol.payout_percent,
    )
    if percent == symbol.payout_percent:
        return False
    span = {"from": rfc3339(window["from_ms"]), "to": rfc3339(window["to_ms"])}
    symbol_payout_set(code=symbol.code, percent=percent, inputs={"cause": "recalculated"} | span | inputs)
    return True
