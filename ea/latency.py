"""Where the time of one event went, put down when it has come to an answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ea import statements
from ea.protocol import Signal
from kernel import db
from kernel.clock import parse_rfc3339
from trading.events import OrderDocument

_DIRECTIONS = {"call": "up", "put": "down"}


@dataclass
class Course:
    """The stations of an event; Unix microseconds by the server's clock, 0 where it did not come by."""

    link_id: int
    recv_us: int
    log_us: int
    offset_ms: int
    rtt_us: int
    signal: Signal | None = None
    symbol: str | None = None
    decided_us: int = 0
    submitted_us: int = 0
    answered_us: int = 0
    order: OrderDocument | None = field(default=None)

    def opened(self, order: OrderDocument) -> None:
        """Keep the order that it became."""
        self.order = order


def latency_write(event: int, course: Course) -> None:
    """Write the stations of an event in the caller's transaction; the first to write them is right."""
    signal, order = course.signal, course.order
    opening = order.open_tick if order else None
    row = {
        "event_id": event,
        "deal_ms": signal.t_evt_ms if signal else 0,
        "signed_ms": signal.t_sig_ms if signal else 0,
        "offset_ms": course.offset_ms,
        "rtt_us": course.rtt_us,
        "recv_us": course.recv_us,
        "log_us": course.log_us,
        # An order that is found submitted after a crash was decided by somebody who is gone.
        "decided_us": course.decided_us or course.submitted_us,
        "submitted_us": course.submitted_us or None,
        "answered_us": course.answered_us or None,
        "opened_ms": parse_rfc3339(opening.at) if opening else None,
        "ref_price": signal.ref_price if signal else None,
        "open_price": order.open_price if order else None,
        "min_payout": signal.min_payout if signal else None,
        "payout_percent": order.payout_percent if order else None,
        "link_id": course.link_id,
        "strategy": signal.strategy if signal else "",
        "symbol": order.symbol if order else course.symbol,
        "direction": _DIRECTIONS.get(signal.direction) if signal and signal.direction else None,
    }
    db.run(statements.LATENCY, {"rows": json.dumps([row])})
