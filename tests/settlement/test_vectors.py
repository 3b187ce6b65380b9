"""The published vectors, decided three times: by a second opinion, by the pure rules, and by settlement itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from kernel import db
from kernel.clock import parse_rfc3339, rfc3339
from kernel.errors import Problem
from kernel.money import format_minor, format_scaled
from settlement.audit import orders_audit
from settlement.domain import Tick, entry, outcome
from settlement.services import orders_enter, orders_settle
from tests.books import violations
from tests.market import due, entering, order_row
from tests.settlement import second_opinion
from tests.settlement.vectors import (
    Vector,
    entry_terms_of,
    evidence_in,
    published,
    scaled,
    terms_of,
    ticks_of,
    unsound,
    vectors_stored,
)
from tests.trading.test_admission import GOOD
from trading.events import OrderDocument, TickDocument, order_document

LAST_TICK, TRIMMED_MEAN = published("settlement_last_tick_1"), published("settlement_trimmed_mean_10s_1")
ENTRY_LAST, ENTRY_NEXT = published("entry_last_tick_1"), published("entry_next_tick_1")
SETTLEMENT = [("last_tick/1", vector) for vector in LAST_TICK] + [
    ("trimmed_mean_10s/1", vector) for vector in TRIMMED_MEAN
]
UNDECIDED = {"state": "open", "reason": None, "close_tick": None, "close_price": None, "payout": None}


def _name(value: object) -> str:
    return value["name"] if isinstance(value, dict) else ""


def _shown(tick: Tick | TickDocument | None, scale: int) -> dict[str, Any] | None:
    if tick is None:
        return None
    if isinstance(tick, TickDocument):
        return {"seq": tick.seq, "at": tick.at, "price": tick.price}
    return {"seq": tick.seq, "at": rfc3339(tick.at_ms), "price": format_scaled(tick.price, scale)}


# --- the second opinion ----------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "vector"), SETTLEMENT, ids=_name)
def test_the_second_opinion_settles_as_published(rule: str, vector: Vector) -> None:
    """Rules 3 and 4: the words of the rules alone lead to each published result."""
    facts = {name: vector[name] for name in ("declarations", "emergency_revisions") if name in vector}
    found = second_opinion.settled(rule, vector["order"], vector["ticks"], vector["watermark"], **facts)
    assert found == vector["expected"]


@pytest.mark.parametrize("vector", ENTRY_LAST, ids=_name)
def test_the_second_opinion_enters_by_the_last_tick_as_published(vector: Vector) -> None:
    """Rules 2, last_tick/1: the words of the rule alone lead to each published result."""
    assert second_opinion.entered_by_last_tick(vector["order"], vector["ticks"]) == vector["expected"]


@pytest.mark.parametrize("vector", ENTRY_NEXT, ids=_name)
def test_the_second_opinion_enters_by_the_next_tick_as_published(vector: Vector) -> None:
    """Rules 2, next_tick/1: the words of the rule alone lead to each published result."""
    found = second_opinion.entered_by_next_tick(vector["order"], vector["ticks"], vector["watermark"])
    assert found == vector["expected"]


# --- the pure rules --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "vector"), SETTLEMENT, ids=_name)
def test_the_rule_settles_as_published(rule: str, vector: Vector) -> None:
    """Rules 3 and 4: to the millisecond and the price step; before the watermark is there nothing is asked."""
    if vector["expected"] == UNDECIDED:
        assert parse_rfc3339(vector["watermark"]) < parse_rfc3339(vector["order"]["expires_at"])
        return
    decided = outcome(terms=terms_of(vector, rule), evidence=evidence_in(vector))
    scale = vector["order"]["price_scale"]
    assert {
        "state": decided.state,
        "reason": decided.reason,
        "close_tick": None if decided.tick_price is None else _shown(decided.tick, scale),
        "close_price": None if decided.close_price is None else format_scaled(decided.close_price, scale),
        "payout": format_minor(decided.payout, "USD"),
    } == vector["expected"]


@pytest.mark.parametrize("vector", ENTRY_NEXT, ids=_name)
def test_the_rule_enters_by_the_next_tick_as_published(vector: Vector) -> None:
    """Rules 2, next_tick/1: the tick that follows in the log, the time limit, the revision, the guard."""
    terms, expected = entry_terms_of(vector), vector["expected"]
    following = next((tick for tick in ticks_of(vector) if tick.seq == terms.after_seq + 1), None)
    if expected["state"] == "waiting":
        assert following is None
        assert parse_rfc3339(vector["watermark"]) < terms.until_ms
        return
    made = entry(terms=terms, tick=following)
    assert {
        "state": "opened" if made.refund is None else "refunded",
        "reason": made.refund,
        "open_tick": _shown(made.tick, terms.price_scale),
    } == expected


@pytest.mark.parametrize("vector", ENTRY_LAST, ids=_name)
def test_the_rule_enters_by_the_last_tick_as_published(vector: Vector) -> None:
    """Rules 2, last_tick/1: the newest tick opens at once, or the order is refused with the published code."""
    order, assert_market = vector["order"], GOOD.market
    assert assert_market is not None
    newest = next((tick for tick in vector["ticks"] if tick["seq"] == order["after_seq"]), None)
    accepted_ms, scale = parse_rfc3339(order["accepted_at"]), order["price_scale"]
    case = replace(
        GOOD,
        now_ms=accepted_ms,
        ticket=replace(GOOD.ticket, expected_price=order["expected_price"], max_price_drift=order["max_price_drift"]),
        market=replace(
            assert_market,
            price_scale=scale,
            max_tick_age_ms=order["max_tick_age_ms"],
            tick_seq=order["after_seq"],
            tick_at_ms=newest and parse_rfc3339(newest["at"]),
            tick_price=newest and scaled(newest["price"], scale),
        ),
    )
    found: dict[str, Any] = {"state": "refused", "code": None, "open_tick": None, "entered_at": None}
    try:
        opening = case.admitted().opening
    except Problem as problem:
        found["code"] = problem.code
    else:
        assert opening is not None
        found["state"], found["entered_at"] = "opened", rfc3339(accepted_ms)
        found["open_tick"] = _shown(Tick(opening.seq, opening.at_ms, opening.price, 4), scale)
    assert found == vector["expected"]


# --- settlement itself -----------------------------------------------------------------------------


def _document(order_id: UUID) -> OrderDocument:
    return order_document(order_row(str(order_id)))


def _settled_as(document: OrderDocument) -> dict[str, Any]:
    return {
        "state": document.state,
        "reason": document.reason,
        "close_tick": _shown(document.close_tick, 0),
        "close_price": document.close_price,
        "payout": document.payout,
    }


def _audited(*, lost: int) -> None:
    """The books are sound, the audit agrees, and only orders whose log is lost cannot be checked."""
    assert unsound(violations()) == set()
    result = orders_audit(from_ms=None, to_ms=None)
    assert (result.differences, len(result.unavailable)) == ([], lost)


@pytest.mark.django_db
@pytest.mark.parametrize(("rule", "vectors"), [("last_tick/1", LAST_TICK), ("trimmed_mean_10s/1", TRIMMED_MEAN)])
def test_settlement_decides_the_vectors_as_published(rule: str, vectors: list[Vector]) -> None:
    """Rules 3 and 4, I-12: logs in tables, read by the statements of settlement, in batches of any size."""
    ids = vectors_stored(vectors, entry_rule="last_tick/1", settlement_rule=rule)
    while orders_settle(due(17)):
        pass
    unequal = [
        (vector["name"], found, vector["expected"])
        for vector, order_id in zip(vectors, ids, strict=True)
        if (found := _settled_as(_document(order_id))) != vector["expected"]
    ]
    assert unequal == []
    _audited(lost=sum(vector["order"]["open_tick"]["seq"] not in _seqs(vector) for vector in vectors))


def _seqs(vector: Vector) -> set[int]:
    return {tick["seq"] for tick in vector["ticks"]}


@pytest.mark.django_db
def test_settlement_lets_the_vectors_enter_as_published() -> None:
    """Rules 2, next_tick/1: waiting orders are decided from the tables, and what they leave behind is audited."""
    ids = vectors_stored(ENTRY_NEXT, entry_rule="next_tick/1", settlement_rule="last_tick/1")
    while orders_enter(entering(9)):
        pass
    unequal = []
    for vector, order_id in zip(ENTRY_NEXT, ids, strict=True):
        document = _document(order_id)
        state = {"open": "opened" if document.open_tick else "waiting"}.get(document.state, document.state)
        found = {"state": state, "reason": document.reason, "open_tick": _shown(document.open_tick, 0)}
        if found != vector["expected"]:
            unequal.append((vector["name"], found, vector["expected"]))
        # An entry is told by the order's own members, all of them or none.
        assert (document.entered_at is None) == (document.open_price is None) == (document.open_tick is None)
    assert unequal == []
    assert db.row("SELECT count(*) FROM trading_order_open WHERE entry_after_seq IS NOT NULL") == (
        sum(vector["expected"]["state"] == "waiting" for vector in ENTRY_NEXT),
    )
    _audited(lost=0)


# --- the vectors themselves ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vectors", "least"), [(LAST_TICK, 25), (TRIMMED_MEAN, 25), (ENTRY_LAST, 15), (ENTRY_NEXT, 15)]
)
def test_there_are_enough_vectors_and_each_says_something_of_its_own(vectors: list[Vector], least: int) -> None:
    """Rules 4: a rule is a named pure function with published test vectors."""
    assert len(vectors) >= least
    assert len({vector["name"] for vector in vectors}) == len(vectors)
    assert len({str({**vector, "name": ""}) for vector in vectors}) == len(vectors)


def test_the_logs_of_the_vectors_are_logs() -> None:
    """Rules 1: monotonic in time and numbered without a gap, or the vectors would prove nothing."""
    for vector in [*LAST_TICK, *TRIMMED_MEAN, *ENTRY_LAST, *ENTRY_NEXT]:
        seqs = [tick["seq"] for tick in vector["ticks"]]
        times = [tick["at"] for tick in vector["ticks"]]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True, vector["name"]
        assert times == sorted(times), vector["name"]
        # The watermark stands at least one millisecond before the newest tick.
        if times and "watermark" in vector:
            assert parse_rfc3339(vector["watermark"]) >= parse_rfc3339(times[-1]) - 1, vector["name"]


def test_every_reason_of_a_refund_has_a_vector() -> None:
    """Rules 2 and 3: refund only for these reasons, each of them shown."""
    told = {vector["expected"]["reason"] for vector in [*LAST_TICK, *TRIMMED_MEAN, *ENTRY_NEXT]} - {None}
    assert told == {"no_entry_tick", "price_moved", "feed_closed", "no_tick", "stale_tick", "revision"}
