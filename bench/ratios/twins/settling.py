"""Settlement the conventional way: a loop over due orders, each in a transaction of the ORM."""

from __future__ import annotations

from django.db import transaction

from bench.ratios.twins.placing import balance_changed, events_told
from kernel.clock import wall_ms
from kernel.facts import facts_enqueue
from ledger.domain import AccountKind, house_account_id, house_stripe
from ledger.models import Account, Transfer
from quotes.models import SymbolHead, SymbolRevision, Tick
from quotes.models.log import FeedDeclaration
from settlement.domain import Evidence, Outcome, Terms, outcome
from settlement.domain import Tick as EvidenceTick
from trading.domain import Direction, OrderState
from trading.events import order_document
from trading.models import Order, OrderOpen


def orders_settled(limit: int) -> int:
    """Settle up to ``limit`` due orders, one by one; return how many."""
    watermarks = dict(SymbolHead.objects.values_list("symbol_id", "watermark_ms"))
    highest = max(watermarks.values())
    due = OrderOpen.objects.filter(expires_at_ms__lte=highest).order_by("expires_at_ms", "order_id")[: limit * 2]
    done = 0
    for opened in due:
        if done < limit and opened.expires_at_ms <= watermarks[opened.symbol_id]:
            done += _settled(opened)
    return done


@transaction.atomic
def _settled(opened: OrderOpen) -> int:
    waiting = OrderOpen.objects.select_for_update(skip_locked=True).filter(pk=opened.pk).first()
    if waiting is None:
        return 0
    order = Order.objects.get(pk=opened.pk)
    decided = outcome(terms=_terms(order), evidence=_evidence(order))
    now_ms = wall_ms()
    wallet = Account.objects.select_for_update().get(pk=order.wallet_id)
    stakes = Account.objects.get(wallet=wallet)
    _money_moved(order, decided, wallet, stakes, now_ms)
    order.state = decided.state.value
    if decided.tick is not None:
        order.close_seq, order.close_at_ms = decided.tick.seq, decided.tick.at_ms
    order.close_price, order.reason = decided.close_price, decided.reason and decided.reason.value
    order.payout, order.settled_at_ms, order.balance_after = decided.payout, now_ms, wallet.balance or 0
    order.save()
    waiting.delete()
    facts_enqueue("order.settled", [order.id])
    told = [
        ("order.settled", order_document(order)),
        ("balance.changed", balance_changed(wallet, stakes, "order.settled")),
    ]
    events_told(order.user_id, order.book, told, now_ms)
    return 1


def _terms(order: Order) -> Terms:
    assert order.open_price is not None
    return Terms(
        direction=Direction(order.direction),
        stake=order.stake,
        payout_percent=order.payout_percent,
        expires_at_ms=order.expires_at_ms,
        max_tick_age_ms=order.max_tick_age_ms,
        revision=order.revision,
        open_price=order.open_price,
        settlement_rule=order.settlement_rule,
    )


def _evidence(order: Order) -> Evidence:
    at_ms = order.expires_at_ms
    tick = Tick.objects.filter(symbol_id=order.symbol_id, at_ms__lte=at_ms).order_by("-at_ms", "-seq").first()
    said = FeedDeclaration.objects.filter(symbol_id=order.symbol_id, at_ms__lte=at_ms).order_by("-at_ms", "-id").first()
    emergency = SymbolRevision.objects.filter(
        symbol_id=order.symbol_id, emergency=True, number__gt=order.revision, since_ms__lte=at_ms
    ).exists()
    return Evidence(
        tick=None if tick is None else EvidenceTick(tick.seq, tick.at_ms, tick.price, tick.revision),
        feed_closed=said is not None and said.closed,
        emergency=emergency,
    )


def _money_moved(order: Order, decided: Outcome, wallet: Account, stakes: Account, now_ms: int) -> None:
    house = Account.objects.get(
        pk=house_account_id(order.book, order.currency, AccountKind.HOUSE, house_stripe(order.id))
    )
    lost = decided.state is OrderState.LOST
    profit = decided.payout - order.stake
    stakes.balance = (stakes.balance or 0) - order.stake
    stakes.entry_no = (stakes.entry_no or 0) + 1
    stakes.save(update_fields=["balance", "entry_no"])
    moves = [("order.close", decided.state.value, stakes, house if lost else wallet, order.stake)]
    if decided.state is OrderState.WON and profit:
        moves.append(("order.profit", "profit", house, wallet, profit))
    for family, kind, debit, credit, amount in moves:
        if credit is wallet:
            wallet.balance = (wallet.balance or 0) + amount
            wallet.entry_no = (wallet.entry_no or 0) + 1
        Transfer.objects.create(
            entry_id=order.id,
            family=family,
            kind=kind,
            reference=order.id,
            debit_account=debit,
            credit_account=credit,
            amount=amount,
            book=order.book,
            currency=order.currency,
            debit_no=stakes.entry_no if debit is stakes else None,
            debit_after=stakes.balance if debit is stakes else None,
            credit_no=wallet.entry_no if credit is wallet else None,
            credit_after=wallet.balance if credit is wallet else None,
            at_ms=now_ms,
        )
    if not lost:
        wallet.save(update_fields=["balance", "entry_no"])
