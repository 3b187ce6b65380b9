"""The write of a symbol's edited terms; they bind new orders only."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from quotes.models import PayoutChange, Symbol
from quotes.services import symbol_terms_changed
from realtime.services import symbol_event_publish


@transaction.atomic
def symbol_terms_set(symbol: Symbol, *, fields: Sequence[str]) -> None:
    """Save a symbol's edited terms; a payout that moves with them goes on record and is told.

    :param symbol: with its new terms, validated
    :param fields: the names of what was edited; nothing else of the row is written
    """
    before = Symbol.objects.select_for_update(no_key=True).get(pk=symbol.pk)
    symbol.save(update_fields=[*fields, "payout_percent"])
    if before.payout_percent != symbol.payout_percent:
        _payout_record(symbol)
    symbol_terms_changed(symbol)


def _payout_record(symbol: Symbol) -> None:
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    percent = symbol.payout_percent
    inputs = {"cause": "terms", "fixed": symbol.payout_fixed, "min": symbol.payout_min, "max": symbol.payout_max}
    PayoutChange.objects.create(symbol=symbol, at_ms=found[0], percent=percent, inputs=inputs)
    payload = {"symbol": symbol.code, "payout_percent": percent}
    symbol_event_publish(type="payout.changed", payload=payload, at_ms=found[0])
