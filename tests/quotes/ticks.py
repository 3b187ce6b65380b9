"""Raw ticks for tests, received when they happen unless a test says otherwise."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

from quotes.domain import Admission, Head, RawTick, RecentTicks, Refusal, admit

T0 = 1_800_000_000_000
SCALE = 5

_packets = count(1)


def raw(
    price: str,
    at_ms: int = T0,
    *,
    recv_ms: int | None = None,
    packet: int | None = None,
    source: str = "eurusd",
    source_id: str | None = None,
    ask: str | None = None,
) -> RawTick:
    """Return a quote; one price is both bid and ask."""
    return RawTick(
        source=source,
        packet=next(_packets) if packet is None else packet,
        src_ms=at_ms,
        recv_ms=at_ms if recv_ms is None else recv_ms,
        bid=Decimal(price),
        ask=Decimal(price if ask is None else ask),
        source_id=source_id,
    )


def judged(*ticks: RawTick, head: Head | None = None, recent: RecentTicks | None = None) -> Admission:
    """Admit ticks to a log that is empty unless a head is given."""
    return admit(head=head or Head(), ticks=ticks, recent=recent or RecentTicks(), price_source="mid", scale=SCALE)


def reasons(admission: Admission) -> list[Refusal]:
    """Return why ticks were refused, in order."""
    return [refused.reason for refused in admission.refused]


def prices(admission: Admission) -> list[int]:
    """Return the admitted prices in order."""
    return [tick.price for tick in admission.admitted]
