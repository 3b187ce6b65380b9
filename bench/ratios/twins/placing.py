"""An order by the ORM: the same checks, the same rows, the same events, one object at a time."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from rest_framework.exceptions import ValidationError

from accounts.models import CountryPolicy, User
from kernel.clock import wall_ms
from ledger.models import Account, Transfer
from quotes.models import Symbol, SymbolHead, TradingWindow
from realtime.balances import BalanceChanged
from realtime.events import EventDraft, payload_encoded
from realtime.models import Event, EventCounter
from realtime.publishing import events_publish
from trading.events import order_document
from trading.models import Order, OrderOpen, TradingPolicy

SILENT_MS = 3_000


@transaction.atomic
def order_placed(user: User, asked: Mapping[str, Any]) -> Order:
    """Place an order.

    :raises ValidationError: a check refuses it
    """
    wallet = Account.objects.select_for_update().get(owner=user, book=asked["ledger"], kind="wallet")
    stakes = Account.objects.get(wallet=wallet)
    repeated = Order.objects.filter(wallet_id=wallet.id, client_order_id=asked["client_order_id"]).first()
    if repeated is not None:
        return repeated
    symbol = Symbol.objects.filter(code=asked["symbol"]).first()
    if symbol is None:
        raise ValidationError("symbol")
    head = SymbolHead.objects.get(symbol=symbol)
    now_ms, stake = wall_ms(), int(asked["stake"] * Decimal(100))
    _check(user, wallet, symbol, head, stake=stake, duration_s=asked["duration_s"], now_ms=now_ms)
    wallet.balance = (wallet.balance or 0) - stake
    wallet.entry_no = (wallet.entry_no or 0) + 1
    wallet.save(update_fields=["balance", "entry_no"])
    stakes.balance = (stakes.balance or 0) + stake
    stakes.entry_no = (stakes.entry_no or 0) + 1
    stakes.save(update_fields=["balance", "entry_no"])
    order = Order.objects.create(
        client_order_id=asked["client_order_id"],
        user_id=user.id,
        wallet_id=wallet.id,
        book=wallet.book,
        currency=wallet.currency,
        source="web",
        asked="",
        symbol_id=symbol.id,
        symbol=symbol.code,
        direction=asked["direction"],
        stake=stake,
        payout_percent=symbol.payout_percent,
        entry_rule=symbol.entry_rule,
        settlement_rule=symbol.settlement_rule,
        max_tick_age_ms=symbol.max_tick_age_ms,
        revision=symbol.revision,
        price_scale=symbol.price_scale,
        custom=symbol.custom,
        accepted_at_ms=now_ms,
        expires_at_ms=now_ms + asked["duration_s"] * 1000,
        entered_at_ms=now_ms,
        open_seq=head.seq,
        open_at_ms=head.tick_at_ms,
        open_price=head.tick_price,
        state="open",
        balance_after=wallet.balance,
    )
    _stake_moved(order, wallet, stakes)
    changed = balance_changed(wallet, stakes, "order.opened")
    events_told(user.id, wallet.book, [("order.opened", order_document(order)), ("balance.changed", changed)], now_ms)
    return order


def _stake_moved(order: Order, wallet: Account, stakes: Account) -> None:
    """Write what is due, and the movement of the stake."""
    OrderOpen.objects.create(
        order=order,
        symbol_id=order.symbol_id,
        wallet_id=wallet.id,
        expires_at_ms=order.expires_at_ms,
        stake=order.stake,
        up=order.direction == "up",
        exposed=wallet.book == "real",
    )
    Transfer.objects.create(
        entry_id=order.id,
        family="order.stake",
        kind="stake",
        reference=order.id,
        debit_account=wallet,
        credit_account=stakes,
        amount=order.stake,
        book=wallet.book,
        currency=wallet.currency,
        debit_no=wallet.entry_no,
        debit_after=wallet.balance,
        credit_no=stakes.entry_no,
        credit_after=stakes.balance,
        at_ms=order.accepted_at_ms,
    )


def balance_changed(wallet: Account, stakes: Account, cause: str) -> BalanceChanged:
    """Return what a client is told of a wallet."""
    return BalanceChanged(
        wallet_id=str(wallet.id),
        ledger=wallet.book,
        balance=f"{Decimal(wallet.balance or 0) / 100:.2f}",
        open_stakes=f"{Decimal(stakes.balance or 0) / 100:.2f}",
        cause=cause,
    )


def events_told(user_id: Any, book: str, payloads: list[tuple[str, Any]], now_ms: int) -> None:
    """Store events with their numbers and publish them after the commit."""
    counter = EventCounter.objects.select_for_update().get(user_id=user_id)
    told = []
    for kind, payload in payloads:
        counter.seq += 1
        draft = EventDraft(user_id, book, kind, payload_encoded(payload), now_ms)
        data = msgspec.json.decode(draft.payload)
        Event.objects.create(
            user_id=user_id, seq=counter.seq, book=book, type=kind, version=1, payload=data, at_ms=now_ms
        )
        told.append((counter.seq, draft))
    counter.save(update_fields=["seq"])
    transaction.on_commit(lambda: events_publish(lambda: told))


def _check(
    user: User, wallet: Account, symbol: Symbol, head: SymbolHead, *, stake: int, duration_s: int, now_ms: int
) -> None:
    if user.banned_at_ms is not None or (user.excluded_until_ms or 0) > now_ms or (user.break_until_ms or 0) > now_ms:
        raise ValidationError("account")
    if CountryPolicy.objects.filter(country=user.country, orders_refused=True).exists():
        raise ValidationError("jurisdiction")
    if TradingPolicy.objects.filter(wallet_id=wallet.id).exists() and wallet.kind != "wallet":
        raise ValidationError("policy")
    offered = symbol.offered_demo if wallet.book == "demo" else symbol.offered_real and not symbol.custom
    if (
        not offered
        or symbol.operator_state != "open"
        or (symbol.custom and not settings.DEBUG and wallet.book == "real")
    ):
        raise ValidationError("symbol")
    if not symbol.min_stake_minor <= stake <= symbol.max_stake_minor:
        raise ValidationError("stake")
    if not symbol.min_duration_s <= duration_s <= symbol.max_duration_s:
        raise ValidationError("duration")
    if symbol.calendar_id is not None:
        held = TradingWindow.objects.filter(
            Q(calendar_id=symbol.calendar_id, opens_ms__lte=now_ms, closes_ms__gt=now_ms, superseded_at_ms=None)
        )
        if not held.exists():
            raise ValidationError("hours")
    if head.tick_at_ms is None or now_ms - head.tick_at_ms > symbol.max_tick_age_ms:
        raise ValidationError("stale")
    if now_ms - (head.heartbeat_ms or 0) > SILENT_MS or (wallet.balance or 0) < stake:
        raise ValidationError("silent or poor")
