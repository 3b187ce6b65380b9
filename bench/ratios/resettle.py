"""The audit beside settlement itself: recomputing an order must not take longer than settling it did."""

from __future__ import annotations

import time

from bench.ratios.measures import Row, Slice, at_least, interleaved, per_second, rates, ratio_of
from bench.ratios.processors import own_cpu_s
from bench.ratios.run import Run
from bench.ratios.settlement import ORDERS, Settler
from kernel.clock import wall_ms
from settlement.audit import orders_audit


def rows(run: Run) -> list[Row]:
    """Settle, then audit what was settled, in turns."""
    rig, stock, rounds = run.rig, run.stock, run.rounds
    settler = Settler()
    spans: list[tuple[int, int]] = []

    def settle() -> Slice:
        began_ms = wall_ms()
        found = settler.settled(rig, stock, ORDERS)
        spans.append((began_ms, wall_ms() + 1))
        return found

    def audit() -> Slice:
        from_ms, to_ms = spans[-1]
        before, began_s = (own_cpu_s(), rig.postgres_cpu_s()), time.perf_counter()
        result = orders_audit(from_ms=from_ms, to_ms=to_ms)
        wall_s = time.perf_counter() - began_s
        assert not result.differences, result.differences[:3]
        assert not result.unavailable, result.unavailable[:3]
        assert result.checked >= ORDERS
        cpu_s = {"python": own_cpu_s() - before[0], "postgres": rig.postgres_cpu_s() - before[1]}
        return Slice(result.checked, wall_s, cpu_s)

    settle()
    found = interleaved(rounds, {"settlement": settle, "audit": audit})
    return [
        Row(
            "resettle --check, orders a second", per_second(found["audit"], "orders"), "settlement itself",
            per_second(found["settlement"], "orders"), ratio_of(rates(found["audit"]), rates(found["settlement"])),
            "times", at_least(1), at_least(3),
        )
    ]  # fmt: skip
