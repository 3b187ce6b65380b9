"""The platform and a second opinion, side by side on logs that nobody chose (rules 2 to 4; I-12)."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.clock import rfc3339
from kernel.errors import Problem
from kernel.money import format_minor, format_scaled
from settlement.audit import orders_audit
from settlement.domain import entry, outcome
from settlement.services import orders_settle
from tests.books import violations
from tests.market import Market, db_now_ms, due, market_open, order_row, settle_due, trader_open
from tests.settlement import second_opinion
from tests.settlement.vectors import Vector, entry_terms_of, evidence_in, terms_of, ticks_of, unsound, vectors_stored
from trading.events import OrderDocument, order_document
from trading.models import Order

RULES = ("last_tick/1", "trimmed_mean_10s/1")
ACCEPTED_MS = 1_772_445_600_000
EXPIRES_MS = ACCEPTED_MS + 60_000


def _tick(seq: int, at_ms: int, price: int, revision: int = 4) -> dict[str, Any]:
    return {"seq": seq, "at": rfc3339(at_ms), "price": format_scaled(price, 5), "revision": revision}


def _log(chance: Random, *, ticks: int, newest_ms: int, span_ms: int, revisions: float = 0.03) -> list[dict[str, Any]]:
    """Make a log of which the last tick is near an instant; times often repeat, prices are close to each other."""
    times = sorted(newest_ms - chance.randint(0, chance.choice([3, 400, span_ms])) for _ in range(ticks))
    found, revision = [], 4
    for seq, at_ms in enumerate(times, start=1):
        revision += chance.random() < revisions
        found.append(_tick(seq, at_ms, 108_512 + chance.randint(-4, 4), revision))
    return found


def _settlement_vector(chance: Random) -> dict[str, Any]:
    """Make a vector as they are published, without its result."""
    opening = _tick(1, ACCEPTED_MS - chance.randint(0, 300), 108_512)
    later = _log(chance, ticks=chance.randint(0, 20), newest_ms=EXPIRES_MS + chance.randint(-4_000, 3), span_ms=11_000)
    log = [opening] + [{**tick, "seq": tick["seq"] + 1} for tick in later]
    vector: dict[str, Any] = {
        "order": {
            "direction": chance.choice(["up", "down"]),
            "stake": format_minor(chance.randint(1, 500_000), "USD"),
            "payout_percent": chance.randint(50, 98),
            "price_scale": 5,
            "revision": 4,
            "max_tick_age_ms": chance.choice([300, 3_000, 3_000, 15_000]),
            "accepted_at": rfc3339(ACCEPTED_MS),
            "open_tick": second_opinion.shown(opening),
            "expires_at": rfc3339(EXPIRES_MS),
        },
        "ticks": log,
        "watermark": rfc3339(EXPIRES_MS + chance.choice([0, 0, 0, 3_000])),
    }
    if chance.random() < 0.15:
        times = [EXPIRES_MS + chance.choice([-20_000, -5, 0, 0, 1]) for _ in range(chance.randint(1, 3))]
        vector["declarations"] = [{"at": rfc3339(at), "closed": chance.random() < 0.6} for at in sorted(times)]
    if chance.random() < 0.1:
        since = EXPIRES_MS + chance.choice([-9_000, -1, 0, 1])
        vector["emergency_revisions"] = [{"number": chance.choice([4, 5]), "since": rfc3339(since)}]
    return vector


def _opinion(rule: str, vector: Vector) -> dict[str, Any]:
    facts = {name: vector[name] for name in ("declarations", "emergency_revisions") if name in vector}
    return second_opinion.settled(rule, vector["order"], vector["ticks"], vector["watermark"], **facts)


@settings(max_examples=600)
@given(rule=st.sampled_from(RULES), chance=st.randoms(use_true_random=False))
def test_both_settle_alike(rule: str, chance: Random) -> None:
    """Rules 3 and 4: the production rule and the second opinion give one result on every log."""
    vector = _settlement_vector(chance)
    decided, expected = outcome(terms=terms_of(vector, rule), evidence=evidence_in(vector)), _opinion(rule, vector)
    assert (decided.state, decided.reason) == (expected["state"], expected["reason"])
    assert format_minor(decided.payout, "USD") == expected["payout"]
    shown = decided.tick if decided.tick_price is not None else None
    assert (shown and shown.seq) == (expected["close_tick"] and expected["close_tick"]["seq"])
    assert (decided.close_price and format_scaled(decided.close_price, 5)) == expected["close_price"]


def _entry_vector(chance: Random) -> dict[str, Any]:
    log = _log(chance, ticks=chance.randint(1, 6), newest_ms=ACCEPTED_MS + chance.randint(-500, 4_000), span_ms=3_000)
    after = chance.randint(1, len(log))
    guard: tuple[str | None, str | None] = (None, None)
    if chance.random() < 0.5:
        guard = (chance.choice(["1.08512", "1.085121", "1.0851"]), chance.choice(["0", "0.00002", "0.000021", "0.001"]))
    return {
        "order": {
            "accepted_at": rfc3339(ACCEPTED_MS),
            "after_seq": after,
            "expires_at": rfc3339(ACCEPTED_MS + chance.choice([1_000, 60_000])),
            "max_tick_age_ms": chance.choice([300, 3_000]),
            "revision": log[after - 1]["revision"],
            "price_scale": 5,
            "expected_price": guard[0],
            "max_price_drift": guard[1],
        },
        "ticks": log,
        "watermark": rfc3339(ACCEPTED_MS + 5_000),
    }


@settings(max_examples=500)
@given(chance=st.randoms(use_true_random=False))
def test_both_let_orders_enter_alike(chance: Random) -> None:
    """Rules 2, next_tick/1: the production rule and the second opinion give one entry on every log."""
    vector = _entry_vector(chance)
    terms = entry_terms_of(vector)
    following = next((tick for tick in ticks_of(vector) if tick.seq == terms.after_seq + 1), None)
    made = entry(terms=terms, tick=following)
    expected = second_opinion.entered_by_next_tick(vector["order"], vector["ticks"], vector["watermark"])
    assert ("refunded" if made.refund else "opened", made.refund) == (expected["state"], expected["reason"])
    assert (made.tick and made.tick.seq) == (expected["open_tick"] and expected["open_tick"]["seq"])


@pytest.mark.django_db
@pytest.mark.parametrize("rule", RULES)
def test_settlement_agrees_on_logs_in_tables(rule: str) -> None:
    """I-12, I-13: the statements that find evidence, windows and declarations find what the words ask for."""
    chance = Random(f"tables {rule}")
    vectors = [_settlement_vector(chance) for _ in range(60)]
    ids = vectors_stored(vectors, entry_rule="last_tick/1", settlement_rule=rule)
    while orders_settle(due(23)):
        pass
    for vector, order_id in zip(vectors, ids, strict=True):
        row, expected = order_row(str(order_id)), _opinion(rule, vector)
        assert (row.state, row.reason) == (expected["state"], expected["reason"]), vector
        document = order_document(row)
        assert (document.close_tick and document.close_tick.seq, document.close_price, document.payout) == (
            expected["close_tick"] and expected["close_tick"]["seq"],
            expected["close_price"],
            expected["payout"],
        )
    assert {row.state for row in Order.objects.all()} == {"won", "lost", "tied", "refunded"}
    assert unsound(violations()) == set()
    assert orders_audit(from_ms=None, to_ms=None).differences == []


# --- whole scripts through the services, judged by what the API shows ------------------------------


class Script:
    """Ticks and orders in a random order, on one market; what is placed is remembered with the log's place."""

    def __init__(self, seed: str, *, entry_rule: str, settlement_rule: str) -> None:
        self.chance = Random(seed)
        self.market: Market = market_open(
            price=None,
            entry_rule=entry_rule,
            settlement_rule=settlement_rule,
            max_tick_age_ms=self.chance.choice([2_000, 3_000, 12_000]),
        )
        self.trader = trader_open(real="5000.00")
        self.begun_ms = db_now_ms()
        self.seq = self.market.admitted("1.08512", at_ms=self.begun_ms)
        self.placed: list[tuple[OrderDocument, int]] = []

    def quote(self) -> None:
        """Bring one quote, a moment after the last one; it may repeat its time but not its price."""
        chance = self.chance
        after_ms = chance.choice([0, 1, chance.randint(1, 400), chance.randint(1, 2_500)])
        price = 108_512 + chance.randint(-3, 3)
        batch = self.market.tick(format_scaled(price, 5), at_ms=self.market.newest_ms + after_ms)
        self.seq += batch.admitted

    def order(self) -> None:
        """Place an order that expires after the newest tick; a guard may refuse it."""
        chance = self.chance
        terms: dict[str, Any] = {"duration_s": None, "expires_at_ms": self.market.newest_ms + chance.randint(1, 9_000)}
        terms["expires_at_ms"] = max(terms["expires_at_ms"], db_now_ms() + 1_500)
        if chance.random() < 0.3:
            terms |= {"expected_price": "1.08512", "max_price_drift": chance.choice(["0.00001", "0.00002"])}
        after = self.seq
        try:
            order = self.trader.place(
                self.market,
                chance.choice(["up", "down"]),
                format_minor(chance.randint(100, 2_000), "USD"),
                ledger=chance.choice(["demo", "real"]),
                **terms,
            )
        except Problem as problem:
            if problem.code != "order.price_moved":
                raise
            return
        self.placed.append((order, after))

    def played(self) -> None:
        """Play it all, settling now and then, until every order is settled."""
        steps: list[Callable[[], object]] = [self.quote, self.order, settle_due]
        for _ in range(60):
            self.chance.choices(steps, weights=[6, 3, 1])[0]()
        last_ms = max(order_row(order).expires_at_ms for order, _ in self.placed)
        for at_ms in (last_ms - 300, last_ms + 1):
            if at_ms > self.market.newest_ms:
                self.market.admitted("1.08513", at_ms=at_ms)
        settle_due(limit=7)

    def public_log(self) -> list[dict[str, Any]]:
        """Return the log as anybody reads it."""
        asked = {"from": rfc3339(self.begun_ms - 1_000), "to": rfc3339(self.market.newest_ms + 1)}
        answer = Client().get(f"/api/v1/symbols/{self.market.code}/ticks", asked)
        assert answer.status_code == 200, answer.content
        data: list[dict[str, Any]] = json.loads(answer.content)["data"]
        return data


def _expected(script: Script, document: dict[str, Any], after: int, log: list[dict[str, Any]]) -> dict[str, Any]:
    """Let the second opinion judge an order by its public terms and the public log."""
    row = order_row(document["id"])
    guard = {"expected_price": row.expected_price, "max_price_drift": row.max_price_drift}
    order = document | guard | {"after_seq": after, "price_scale": 5, "revision": 1}
    order["max_tick_age_ms"] = row.max_tick_age_ms
    watermark = rfc3339(script.market.newest_ms - 1)
    if document["entry_rule"] == "last_tick/1":
        made = second_opinion.entered_by_last_tick(order, log)
    else:
        made = second_opinion.entered_by_next_tick(order, log, watermark)
    if made["state"] == "refunded":
        returned = {"close_tick": None, "close_price": None, "payout": document["stake"]}
        return {"open_tick": made["open_tick"], "state": "refunded", "reason": made["reason"], **returned}
    order["open_tick"] = made["open_tick"]
    return {"open_tick": made["open_tick"]} | second_opinion.settled(document["settlement_rule"], order, log, watermark)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("entry_rule", ["last_tick/1", "next_tick/1"])
@pytest.mark.parametrize("settlement_rule", RULES)
def test_the_public_log_alone_explains_every_order(seed: int, entry_rule: str, settlement_rule: str) -> None:
    """Issue: orders through the real services, recomputed by the second opinion from GET /symbols/{code}/ticks."""
    script = Script(f"{seed} {entry_rule} {settlement_rule}", entry_rule=entry_rule, settlement_rule=settlement_rule)
    script.played()
    log, client = script.public_log(), script.trader.http()
    assert len(script.placed) > 5
    for placed, after in script.placed:
        document = json.loads(client.get(f"/api/v1/orders/{placed.id}").content)
        expected = _expected(script, document, after, log)
        assert {name: document[name] for name in expected} == expected
    assert violations() == {}
    assert orders_audit(from_ms=None, to_ms=None).differences == []
