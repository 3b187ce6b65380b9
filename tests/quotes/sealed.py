"""Markets whose log is in past minutes, and the sealing of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from quotes.admission import heartbeats_record
from quotes.models import Seal
from quotes.sealing import MINUTE_MS, SealRow, minute_of
from quotes.seals import seals_make
from tests.quotes.market import Market, database_now_ms


def minute_ago(minutes: int) -> int:
    """Return the start of the UTC minute that lies so many minutes back."""
    return minute_of(database_now_ms()) - minutes * MINUTE_MS


def yesterday_noon() -> int:
    """Return how many minutes ago yesterday's noon was."""
    return database_now_ms() % (1_440 * MINUTE_MS) // MINUTE_MS + 720


def filled(*, minutes: int = 3, ticks: int = 5, back: int = 10, apart: int = 1) -> Market:
    """Open a market and admit some ticks in each of several past minutes; the newest minute stays open."""
    market, start_ms = Market(), minute_ago(back)
    for minute in range(minutes):
        prices = [f"1.{1000 + minute * 100 + index}" for index in range(ticks)]
        market.admit(*prices, at_ms=start_ms + minute * apart * MINUTE_MS + 30_000, apart_ms=1_000)
    return market


def finished(market: Market) -> None:
    """Let the feed be heard from ahead of the clock, which closes all minutes up to now, whatever the time is."""
    heartbeats_record(heartbeats={market.symbol.id: database_now_ms() + 10 * MINUTE_MS})


def sealed_all() -> int:
    """Seal until nothing is due; return how many seals were made."""
    total = 0
    while made := seals_make(now_ms=database_now_ms()):
        total += made
    return total


def sealed_market(*, minutes: int = 3, ticks: int = 5, back: int = 10, apart: int = 1) -> Market:
    """Open a market whose past minutes are all sealed."""
    market = filled(minutes=minutes, ticks=ticks, back=back, apart=apart)
    finished(market)
    sealed_all()
    return market


def chain(market: Market) -> list[SealRow]:
    """Return a market's seals from the table."""
    rows = Seal.objects.filter(symbol=market.symbol).order_by("first_seq")
    columns = rows.values_list("minute_ms", "count", "first_seq", "root", "previous_head", "head")
    return [
        SealRow(market.code, minute_ms, count, first_seq, bytes(root), bytes(previous), bytes(head))
        for minute_ms, count, first_seq, root, previous, head in columns
    ]


@contextmanager
def unguarded(table: str) -> Iterator[None]:
    """Switch a table's triggers off, which only its owner can."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
