"""Whether an order's entry, end, payment and transfers follow from its terms and its ticks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fairstrike_verify.archive import Question
from fairstrike_verify.evidence import neighbours_check, nothing_between
from fairstrike_verify.members import instant_text
from fairstrike_verify.receipt import Evidence, Named, Receipt, ShownTick, Transfer
from fairstrike_verify.report import Checks
from fairstrike_verify.rules import (
    LAST_TICK,
    NEXT_TICK,
    TRIMMED_MEAN,
    WINDOW_MS,
    Outcome,
    drifted,
    entry_refund,
    outcome_of,
)
from fairstrike_verify.rules import trimmed_mean as mean
from fairstrike_verify.sealing import Tick

_LATER = "Fetch the receipt again after the next tick, or give the archive of the day when it has ended"
_STATES = ("open", "won", "lost", "tied", "refunded")
_SETTLEMENT_RULES = (LAST_TICK, TRIMMED_MEAN)


def decision_check(receipt: Receipt, archived: Sequence[Question], checks: Checks) -> None:
    """Check everything that an order's terms and ticks decide."""
    order = receipt.order
    if not _terms_hold(receipt, checks):
        return
    refund = _entry(receipt, archived, checks)
    if order.state == "open":
        checks.pending("the order is open: there is no result to check yet")
        return
    if refund is not None:
        decided: Outcome | None = Outcome("refunded", refund, order.stake[0])
        if receipt.evidence is not None:
            checks.failed("it shows evidence of an expiry, and the order did not enter")
    else:
        decided = _settlement(receipt, archived, checks)
    if decided is None:
        return
    _watermark(receipt, decided, checks)
    _end(receipt, decided, checks)
    _arithmetic(receipt, decided, checks)
    _transfers(receipt, decided, checks)


def _terms_hold(receipt: Receipt, checks: Checks) -> bool:
    order, terms = receipt.order, receipt.terms
    faults = []
    if (receipt.entry_rule, receipt.settlement_rule) != (order.entry_rule, order.settlement_rule):
        faults.append("its rules are others than the order's")
    if order.entry_rule not in (LAST_TICK, NEXT_TICK) or order.settlement_rule not in _SETTLEMENT_RULES:
        faults.append(f"this program does not know the rules {order.entry_rule[:40]}, {order.settlement_rule[:40]}")
    if order.state not in _STATES or not order.accepted_ms < order.expires_ms:
        faults.append("the order has no state or time that an order can have")
    waits = (terms.entry_after_seq is not None, terms.entry_until_ms is not None)
    if waits != (order.entry_rule == NEXT_TICK,) * 2:
        faults.append(f"its terms are not those of {order.entry_rule[:40]}")
    if receipt.feed == "custom":
        checks.note("its prices come from a CUSTOM feed: made by the platform, or from an address of its own choice")
    return not faults or checks.all_of("", faults)


def _entry(receipt: Receipt, archived: Sequence[Question], checks: Checks) -> str | None:
    """Check the opening tick; return why the order was to be refunded at entry, None when it entered."""
    order = receipt.order
    if not neighbours_check("opening", receipt.opening, checks):
        return None
    if order.entry_rule == LAST_TICK:
        _entry_at_last(receipt, checks)
        return None
    return _entry_at_next(receipt, archived, checks)


def _entry_at_last(receipt: Receipt, checks: Checks) -> None:
    order, terms, shown = receipt.order, receipt.terms, receipt.opening.tick
    if shown is None:
        checks.failed("opening: the receipt does not show the tick at which the order opened")
        return
    faults = _opened(receipt, shown)
    if order.accepted_ms - shown.tick.at_ms > terms.max_tick_age_ms:
        faults.append("opening: the tick was older at acceptance than the terms allow")
    if drifted(terms, shown.tick.price):
        faults.append("opening: the price was further away than the client allowed, and the order was accepted")
    if order.entered_ms != order.accepted_ms:
        faults.append("opening: under last_tick/1 an order enters when it is accepted")
    checks.all_of(f"it opened at tick {shown.tick.seq} under last_tick/1", faults)
    after = receipt.opening.after
    if after is not None and after.tick.received_ms < order.accepted_ms:
        early_ms = order.accepted_ms - after.tick.received_ms
        checks.note(f"opening: the next tick had reached the platform {early_ms} ms before acceptance")


def _opened(receipt: Receipt, shown: ShownTick) -> list[str]:
    """Return how the opening tick differs from what the order names."""
    order, places = receipt.order, receipt.terms.price_scale
    faults = []
    if shown.tick.revision != receipt.terms.revision:
        faults.append("opening: the tick is of another revision than the terms")
    if order.open_price != (shown.tick.price, places) or order.open_tick != _named(shown.tick, places):
        faults.append("opening: the order names another tick or price than is shown")
    return faults


def _named(tick: Tick, places: int) -> Named:
    return Named(tick.seq, tick.at_ms, (tick.price, places))


def _entry_at_next(receipt: Receipt, archived: Sequence[Question], checks: Checks) -> str | None:
    order, terms, opening = receipt.order, receipt.terms, receipt.opening
    assert terms.entry_after_seq is not None
    assert terms.entry_until_ms is not None
    faults = []
    if terms.entry_until_ms != min(order.accepted_ms + terms.max_tick_age_ms, order.expires_ms):
        faults.append("opening: the order waited for another time than its terms say")
    if opening.tick is None and order.state == "open":
        checks.all_of(f"it waits for tick {terms.entry_after_seq + 1} under next_tick/1", faults)
        return None
    entered = opening.tick or opening.after
    if entered is not None and entered.tick.seq != terms.entry_after_seq + 1:
        faults.append("opening: the tick is not the one after that at which the log stood")
    if opening.tick is None and (opening.before is None or opening.before.tick.seq != terms.entry_after_seq):
        faults.append("opening: the receipt does not show where the log stood")
    if not checks.all_of(
        f"the log stood at tick {terms.entry_after_seq} at acceptance, and the next one counts", faults
    ):
        return None
    refund = entry_refund(terms, None if entered is None else entered.tick)
    if refund in (None, "price_moved"):
        assert entered is not None
        checks.all_of(f"it opened at tick {entered.tick.seq} under next_tick/1", _opened(receipt, entered))
    elif opening.tick is not None or order.open_price is not None:
        checks.failed("opening: no tick could open the order, and it names one")
    else:
        _no_entry(receipt, refund, archived, checks)
    return refund


def _no_entry(receipt: Receipt, refund: str | None, archived: Sequence[Question], checks: Checks) -> None:
    until_ms = receipt.terms.entry_until_ms
    assert until_ms is not None
    if refund == "revision":
        checks.ok("the next tick was of another revision: the order did not enter")
        return
    silent = nothing_between(receipt, receipt.opening.before, receipt.opening.after, by_ms=until_ms, archived=archived)
    if silent is None:
        checks.pending(
            f"that no tick came by {instant_text(until_ms)} is NOT PROVEN YET: no later tick is known. {_LATER}"
        )
    elif silent:
        checks.ok(f"no tick came by {instant_text(until_ms)}: the order did not enter")
    else:
        checks.failed("opening: there was a tick in time, and the order did not enter")


def _settlement(receipt: Receipt, archived: Sequence[Question], checks: Checks) -> Outcome | None:
    order, evidence = receipt.order, receipt.evidence
    if evidence is None or receipt.opening.tick is None:
        checks.failed("the receipt does not show what decided the order")
        return None
    around = evidence.around
    if not neighbours_check("evidence", around, checks):
        return None
    last = around.tick or around.before
    if not _last_by_expiry(receipt, last, archived, checks):
        return None
    window = [shown.tick for shown in evidence.window]
    if order.settlement_rule == TRIMMED_MEAN:
        if not _window_whole(receipt, evidence, last, checks):
            return None
    elif window or (around.tick is None and around.before is not None):
        checks.failed("evidence: it shows other ticks than last_tick/1 reads")
        return None
    if evidence.feed_closed or evidence.emergency_revision is not None:
        checks.note("that the feed was closed, or an emergency revision came, is the platform's word: no seal says it")
    opened = receipt.opening.tick.tick.price
    return outcome_of(receipt, open_price=opened, tick=None if around.tick is None else around.tick.tick, window=window)


def _last_by_expiry(receipt: Receipt, last: ShownTick | None, archived: Sequence[Question], checks: Checks) -> bool:
    """Check that a tick is the last one with a time at or before the expiry."""
    expires_ms = receipt.order.expires_ms
    assert receipt.evidence is not None
    after = receipt.evidence.around.after
    if last is None and (after is None or after.tick.seq != 1):
        checks.failed("evidence: the receipt does not show the last tick by the expiry")
        return False
    if last is not None and last.tick.at_ms > expires_ms:
        checks.failed(f"evidence: tick {last.tick.seq} is later than the expiry")
        return False
    name = "no tick" if last is None else f"tick {last.tick.seq}"
    none_between = nothing_between(receipt, last, after, by_ms=expires_ms, archived=archived)
    if none_between is None:
        checks.pending(f"that {name} is the last one by the expiry is NOT PROVEN YET: no later tick is known. {_LATER}")
    elif none_between:
        checks.ok(f"{name} is the last one with a time at or before the expiry {instant_text(expires_ms)}")
    else:
        checks.failed(f"evidence: there is a tick by the expiry after {name}")
        return False
    return True


def _window_whole(receipt: Receipt, evidence: Evidence, last: ShownTick | None, checks: Checks) -> bool:
    """Check that the window has every tick of the ten seconds up to the expiry, and no other."""
    from_ms, to_ms = receipt.order.expires_ms - WINDOW_MS, receipt.order.expires_ms
    window, faults = [shown.tick for shown in evidence.window], []
    if any(not from_ms < tick.at_ms <= to_ms for tick in window):
        faults.append("window: a tick is not of the last ten seconds")
    if any(other.seq != one.seq + 1 for one, other in pairwise(window)):
        faults.append("window: a tick is left out")
    if window:
        before = evidence.window_before
        if last is None or window[-1] != last.tick or evidence.around.tick is None:
            faults.append("window: its last tick is not the last one by the expiry")
        if before is None and window[0].seq != 1:
            faults.append("window: the receipt does not show the tick before it")
        elif before is not None and (before.tick.seq != window[0].seq - 1 or before.tick.at_ms > from_ms):
            faults.append("window: it does not begin with the first tick of the ten seconds")
    elif evidence.around.tick is not None or (last is not None and last.tick.at_ms > from_ms):
        faults.append("window: it is empty, and there is a tick of the ten seconds")
    return checks.all_of(f"the {len(window)} ticks of the ten seconds up to the expiry are all there", faults)


def _watermark(receipt: Receipt, decided: Outcome, checks: Checks) -> None:
    """Note what made the order due; it is not sealed."""
    reached_ms = receipt.watermark_ms
    limit_ms = receipt.terms.entry_until_ms if decided.reason == "no_entry_tick" else receipt.order.expires_ms
    if reached_ms is not None and limit_ms is not None and reached_ms < limit_ms:
        checks.failed("the watermark had not reached the order when it was decided")


def _end(receipt: Receipt, decided: Outcome, checks: Checks) -> None:
    order, places = receipt.order, receipt.terms.price_scale
    money = order.stake[1]
    faults = []
    if (order.state, order.reason) != (decided.state, decided.reason):
        said, is_ = _ending(order.state, order.reason), _ending(decided.state, decided.reason)
        faults.append(f"the order was settled as {said}; by its rule it is {is_}")
    if order.payout != (decided.payout, money):
        faults.append(f"the order was paid {order.payout}, by its rule it is {decided.payout} minor units")
    if order.profit != (decided.payout - order.stake[0], money):
        faults.append("its profit is not its payout less its stake")
    if order.close_price != (None if decided.close_price is None else (decided.close_price, places)):
        faults.append("its closing price is not that of its rule")
    # A tick of another revision has no price in the order's scale, and the order names none.
    counted = decided.tick if decided.tick is not None and decided.close_price is not None else None
    if order.close_tick != (None if counted is None else _named(counted, places)):
        faults.append("the order names another evidence tick than is shown")
    checks.all_of(
        f"by {order.settlement_rule} the order is {_ending(decided.state, decided.reason)}, as it was paid", faults
    )


def _ending(state: str, reason: str | None) -> str:
    return state[:20] if reason is None else f"{state[:20]} ({reason[:20]})"


def _arithmetic(receipt: Receipt, decided: Outcome, checks: Checks) -> None:
    """Compare the receipt's own calculation with ours, line by line."""
    order, evidence = receipt.order, receipt.evidence
    stake = order.stake[0]
    steps = [("stake", str(stake))]
    if order.entry_rule == NEXT_TICK:
        entered = receipt.opening.tick
        steps.append(("entry tick", "none" if entered is None else str(entered.tick.seq)))
    if evidence is not None and evidence.window:
        steps.append(("closing price", str(mean([shown.tick.price for shown in evidence.window]))))
    opened = receipt.opening.tick
    if decided.reason is None and decided.close_price is not None and opened is not None:
        steps.append(("price moved", str(decided.close_price - opened.tick.price)))
    if decided.state == "won":
        steps.append(("profit", str(stake * order.payout_percent // 100)))
    steps.append(("credited", str(decided.payout)))
    faults = [] if steps == receipt.arithmetic else ["its arithmetic has other lines or results than its rules give"]
    checks.all_of(f"the arithmetic: {', '.join(f'{what} {result}' for what, result in steps)}", faults)


def _transfers(receipt: Receipt, decided: Outcome, checks: Checks) -> None:
    """Check that the money moved as the result says: stake taken, stake closed once, profit brought by a win only."""
    stake, places = receipt.order.stake
    profit = decided.payout - stake
    owner = receipt.transfers[0].debit if receipt.transfers else ""
    lost = decided.state == "lost"
    expected = [
        Transfer("order.stake", "stake", (stake, places), owner, "stakes"),
        Transfer("order.close", decided.state, (stake, places), "stakes", "house" if lost else owner),
    ]
    if decided.state == "won" and profit:
        expected.append(Transfer("order.profit", "profit", (profit, places), "house", owner))
    faults = (
        []
        if receipt.transfers == expected and owner not in ("stakes", "house")
        else ["its transfers are not those of its result"]
    )
    checks.all_of(f"the {len(expected)} transfers are those of the result", faults)
