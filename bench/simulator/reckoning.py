"""The reckoning at the end of a run: everything once more, from the final log and by another way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from bench.simulator.build import Build
from bench.simulator.database import Database
from bench.simulator.judge import Judge, orders_of
from bench.simulator.parsing import RECENT
from bench.simulator.placing import Client
from bench.simulator.rows import AccountRow, OrderRow, WalletRow
from bench.simulator.second_opinion import AdmissionOpinion, ending
from bench.simulator.world import World
from ledger.domain import Family, NumberedTransfer
from quotes.domain import Admission, AdmittedTick, RecentTicks
from settlement.claims import ClaimedOrder
from settlement.domain import Evidence
from trading.domain import Direction, OrderState

MIRROR = {OrderState.WON: OrderState.LOST, OrderState.LOST: OrderState.WON}


def reckon(
    *,
    world: World,
    database: Database,
    judge: Judge,
    build: Build,
    clients: Sequence[Client],
    granted: Mapping[UUID, int],
    complete: bool,
) -> None:
    """Judge what a run has left behind.

    :param granted: what each wallet began with, in minor units
    :param complete: whether feeds and workers were given time, so that nothing may be left open
    """
    if complete:
        for order in orders_of(database).values():
            if order["state"] == "open":
                world.found("I-19", f"order {order['client_order_id']} is never settled")
    for order in orders_of(database).values():
        if order["state"] != "open":
            _outcome_judge(world, database, order)
    _money_judge(world, database, clients, granted)
    _answers_judge(world, database, clients)
    _raises_judge(world, database)
    _admission_judge(world, judge)
    _repeats_judge(world, judge, build)
    _mirror_judge(world, database, build)


def _outcome_judge(world: World, database: Database, order: OrderRow) -> None:
    """An outcome follows from the frozen terms and the final log alone (I-12, I-13)."""
    key = order["symbol_id"]
    must = ending(order, database.log(("tick", key)), database.log(("declaration", key)))
    columns = ("state", "payout", "reason", "open_seq", "close_seq", "close_price")
    is_so = tuple(order[name] for name in columns)
    ought = (must.state, must.payout, must.reason, must.open_seq, must.close_seq, must.close_price)
    if is_so != ought:
        world.found("I-12", f"order {order['client_order_id']} of {order['symbol']} ended as {is_so}, must be {ought}")


def transfers_of(database: Database) -> list[NumberedTransfer]:
    """Return all transfers; a build without a key on facts keeps them in a log."""
    return [*database.table("transfer").values(), *database.log("transfers more")]


def _money_judge(world: World, database: Database, clients: Sequence[Client], granted: Mapping[UUID, int]) -> None:
    """Each fact has its transfers, balances follow from them, and each book adds up (I-01 to I-03, I-05)."""
    by_fact: defaultdict[UUID, Counter[tuple[str, int]]] = defaultdict(Counter)
    legs: defaultdict[UUID, list[tuple[int, int, int]]] = defaultdict(list)
    for done in transfers_of(database):
        draft = done.draft
        by_fact[draft.reference][draft.family, draft.amount] += 1
        for account, number, after, amount in (
            (draft.debit, done.debit_no, done.debit_after, -draft.amount),
            (draft.credit, done.credit_no, done.credit_after, draft.amount),
        ):
            if number is not None and after is not None:
                legs[account].append((number, after, amount))
    for order in orders_of(database).values():
        if by_fact[order["id"]] != _due(order):
            world.found("I-01", f"order {order['client_order_id']}, {order['state']}: {dict(by_fact[order['id']])}")
    wallets = {wallet.id: wallet for client in clients for wallet in client.wallets}
    for wallet in wallets.values():
        for account in (wallet.id, wallet.stakes_id):
            _account_judge(world, database, account, granted.get(account, 0), legs[account])
    _books_judge(world, database, wallets.values(), granted)


def _due(order: OrderRow) -> Counter[tuple[str, int]]:
    """Return the transfers that an order must have by now."""
    due = Counter({(str(Family.ORDER_STAKE), order["stake"]): 1})
    if order["state"] != "open":
        due[Family.ORDER_CLOSE, order["stake"]] = 1
    profit = order["stake"] * order["payout_percent"] // 100
    if order["state"] == "won" and profit:
        due[Family.ORDER_PROFIT, profit] = 1
    return due


def _account_judge(
    world: World, database: Database, account: UUID, start: int, legs: list[tuple[int, int, int]]
) -> None:
    balance, place = start, 0
    for number, after, amount in sorted(legs):
        place, balance = place + 1, balance + amount
        if (number, after) != (place, balance):
            world.found("I-03", f"entry {number} of {account} leaves {after}; {place} and {balance} follow")
            return
    row: AccountRow = database.table("account")[account]
    if (row.balance, row.entry_no) != (balance, place):
        world.found("I-05", f"account {account} has {row}, its entries say {balance} after {place}")


def _books_judge(world: World, database: Database, wallets: Any, granted: Mapping[UUID, int]) -> None:
    """What clients of a book have is what was granted, less what the house won and plus what it lost (I-02)."""
    held: Counter[str] = Counter()
    owned: list[WalletRow] = list(wallets)
    for wallet in owned:
        for account in (wallet.id, wallet.stakes_id):
            held[wallet.book] += database.table("account")[account].balance - granted.get(account, 0)
    expected: Counter[str] = Counter()
    for order in orders_of(database).values():
        if order["state"] == "won":
            expected[order["book"]] += order["stake"] * order["payout_percent"] // 100
        elif order["state"] == "lost":
            expected[order["book"]] -= order["stake"]
    for book in {"real", "demo"} & (held.keys() | expected.keys()):
        if held[book] != expected[book]:
            world.found("I-02", f"book {book} is off by {held[book] - expected[book]}")


def _answers_judge(world: World, database: Database, clients: Sequence[Client]) -> None:
    """What was acknowledged is there, and one id is one order (I-23)."""
    by_id: Counter[tuple[UUID, str]] = Counter()
    for order in orders_of(database).values():
        by_id[order["wallet_id"], order["client_order_id"]] += 1
    for (_, name), times in by_id.items():
        if times > 1:
            world.found("I-23", f"{name} is {times} orders")
    for client in clients:
        for name, order_id in client.told.items():
            if order_id not in orders_of(database):
                world.found("F-09", f"{name} was acknowledged and is not there")


def _raises_judge(world: World, database: Database) -> None:
    """Every raise is on record, and each is higher than the one before (I-16)."""
    for key, head in database.table("head").items():
        raises = [row.watermark_ms for row in database.log(("raise", key))]
        if sorted(set(raises)) != raises or (raises[-1] if raises else 0) != head.head.watermark_ms:
            world.found("I-16", f"the raises of {key} do not lead to {head.head.watermark_ms}")


def _admission_judge(world: World, judge: Judge) -> None:
    """Every tick is judged as the rules say, looking backwards only (I-20)."""
    opinions: dict[int, AdmissionOpinion] = {}
    for note, watermark_ms in judge.batches:
        opinion = opinions.setdefault(note.symbol.id, AdmissionOpinion(note.symbol.price_scale))
        before = len(opinion.admitted)
        verdicts = [opinion.judged(tick, watermark_ms, note.term) for tick in note.ticks]
        ought = [verdict for verdict in verdicts if verdict != "admitted"]
        is_so = [str(refused.reason) for refused in note.result.refused]
        admitted = [(tick.at_ms, tick.bid, tick.ask, tick.price) for tick in note.result.admitted]
        if is_so != ought or admitted != opinion.admitted[before:]:
            counts = f"{len(admitted)} admitted, {is_so}"
            world.found("I-20", f"a batch of {note.symbol.code} is judged {counts}, must be {verdicts}")
            return


def _repeats_judge(world: World, judge: Judge, build: Build) -> None:
    """A feed that says everything twice is admitted the same (I-14, F-16)."""
    recent: dict[tuple[int, object], RecentTicks] = {}
    admitted: defaultdict[int, list[AdmittedTick]] = defaultdict(list)
    for note, _ in judge.batches:
        known = recent.get((note.symbol.id, note.term))
        if known is None:
            known = recent[note.symbol.id, note.term] = RecentTicks()
            for tick in admitted[note.symbol.id][-RECENT:]:
                known.remember_key(tick.at_ms, tick.bid, tick.ask, tick.price)
        admitted[note.symbol.id] += note.result.admitted
        twice = [received for received in note.ticks for _ in range(2)]
        again: Admission = build.admit(
            head=note.before.head,
            ticks=twice,
            recent=known,
            price_source=note.symbol.price_source,
            scale=note.symbol.price_scale,
        )
        if again.admitted != note.result.admitted:
            world.found("I-14", f"a batch of {note.symbol.code} is admitted otherwise when everything comes twice")
            return


def _mirror_judge(world: World, database: Database, build: Build) -> None:
    """Up wins where down loses; neither the order of the ticks nor what comes after counts (I-14, I-15)."""
    for order in orders_of(database).values():
        if order["state"] == "open" or order["open_seq"] is None or order["reason"] == "price_moved":
            continue
        log = [tick for tick in database.log(("tick", order["symbol_id"])) if tick.at_ms <= order["expires_at_ms"]]
        window = build.window_at(log, order)[::-1]
        prices, revisions = tuple(tick.price for tick in window), frozenset(tick.revision for tick in window)
        closed = order["reason"] == "feed_closed"
        evidence = Evidence(build.evidence_at(log, order), prices, revisions, closed)
        terms = ClaimedOrder(order, 0).terms
        ends = [build.outcome(terms=replace(terms, direction=way), evidence=evidence) for way in Direction]
        same = ends[0 if terms.direction is Direction.UP else 1]
        if (same.state, same.payout) != (order["state"], order["payout"]):
            world.found("I-14", f"order {order['client_order_id']} is {order['state']}, and then {same.state}")
        if MIRROR.get(ends[0].state, ends[0].state) is not ends[1].state:
            world.found("I-15", f"order {order['client_order_id']}: up {ends[0].state}, down {ends[1].state}")
