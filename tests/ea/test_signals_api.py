"""What owners see of their signals: what became of each, where its time went, and names to be named (ea 6.6)."""

from __future__ import annotations

import json
import statistics
from typing import Any
from uuid import uuid4

import pytest

from ea import attribution, statements
from ea.attribution import attributed
from ea.log import EventLog
from ea.models import Event, Latency, Repeat, SymbolAlias, UnknownSymbol
from kernel import db
from quotes.services import NewSymbol, symbol_add
from tests.ea.bridge import Installation, execute_due, installation, order_of
from tests.ea.events import arrived
from tests.ea.owners import Owner
from tests.market import Market, db_now_ms, market_open

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def one() -> Installation:
    return installation()


@pytest.fixture
def owner(one: Installation) -> Owner:
    return Owner(one.trader)


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    attribution.cache = attribution.Cache()


def logged(one: Installation, *seqs: int, log: EventLog | None = None, **changes: Any) -> list[str]:
    """Log signals and return their ids."""
    events = [arrived(one, seq, **changes) for seq in seqs]
    (log or EventLog()).append(events)
    return [event.signal.event_id for event in events]


class TestSignals:
    """The newest first, with what became of each."""

    def test_a_signal_with_its_order_and_its_times(self, owner: Owner, one: Installation, market: Market) -> None:
        (event_id,) = logged(one, 1, symbol="EURUSD.vip", ref_price="1.08500")
        (waiting,) = owner.ask("GET", "signals")["data"]
        assert (waiting["state"], waiting["latency"], waiting["drift"]) == ("received", None, None)
        execute_due()
        (shown,) = owner.ask("GET", "signals")["data"]
        order = order_of(event_id)
        assert (shown["event_id"], shown["order_id"]) == (event_id, str(order.order_id))
        assert (shown["raw_symbol"], shown["symbol"], shown["state"], shown["code"]) == (
            "EURUSD.vip",
            "EURUSD",
            "open",
            None,
        )
        assert (shown["installation_id"], shown["kid"], shown["seq"], shown["repeats"]) == (
            one.link.pk,
            one.key.kid,
            1,
            0,
        )
        # A bet on up that opens 0.00012 dearer than its signal said; the payout is that of the reception.
        assert shown["drift"] == {"price": "0.00012", "payout_points": 0}
        spent = shown["latency"]
        parts = [spent[f"{name}_ms"] for name in ("signal", "transport", "log", "risk", "placement")]
        assert sum(parts) == pytest.approx(spent["total_ms"], abs=0.01)
        assert spent["transport_uncertainty_ms"] is None
        assert all(spent[f"{name}_ms"] >= 0 for name in ("log", "risk", "placement"))

    def test_a_bet_on_down_drifts_the_other_way(self, owner: Owner, one: Installation, market: Market) -> None:
        logged(one, 1, direction="put", ref_price="1.08500")
        execute_due()
        assert owner.ask("GET", "signals")["data"][0]["drift"]["price"] == "-0.00012"

    def test_the_detail_has_steps_and_the_payload_as_it_was_sent(
        self, owner: Owner, one: Installation, market: Market
    ) -> None:
        (event_id,) = logged(one, 1)
        execute_due()
        shown = owner.ask("GET", f"signals/{event_id}")
        assert [step["state"] for step in shown["transitions"]] == [
            *("received", "validated", "routed", "submitted", "accepted", "open")
        ]
        assert [step["at"] for step in shown["transitions"]] == sorted(step["at"] for step in shown["transitions"])
        assert shown["raw"].encode() == bytes(Event.objects.get().raw)
        order = owner.client.get(shown["order"])
        assert (order.status_code, order.json()["id"]) == (200, shown["order_id"])
        assert Owner().refused("GET", f"signals/{event_id}", status=404) == "not_found"
        assert owner.refused("GET", f"signals/{uuid4()}", status=404) == "not_found"

    def test_filters_and_pages(self, owner: Owner, one: Installation, market: Market) -> None:
        logged(one, 1, 2, 3)
        logged(one, 4, strategy="other", symbol="NOSUCH")
        execute_due()
        two = installation(one.trader, account="2", ledgers=["demo"])
        logged(two, 1, acct="2")

        def seqs(query: str) -> list[tuple[int, int]]:
            return [(row["installation_id"], row["seq"]) for row in owner.ask("GET", f"signals?{query}")["data"]]

        first, second = one.link.pk, two.link.pk
        assert seqs("") == [(second, 1), (first, 4), (first, 3), (first, 2), (first, 1)]
        assert seqs("state=denied") == [(first, 4)]
        assert seqs("strategy=breakout&symbol=EURUSD&limit=2") == [(first, 3), (first, 2)]
        assert seqs(f"installation={second}") == [(second, 1)]
        page = owner.ask("GET", "signals?limit=3")
        assert seqs(f"limit=3&cursor={page['next_cursor']}") == [(first, 2), (first, 1)]
        denied = owner.ask("GET", "signals?state=denied")["data"][0]
        assert (denied["code"], denied["latency"]["placement_ms"], denied["latency"]["total_ms"]) == (
            "symbol.unknown",
            None,
            None,
        )

    @pytest.mark.parametrize(
        "query", ["state=done", "limit=0", "colour=red", "installation=x", "cursor=x", "strategy=a&strategy=b"]
    )
    def test_questions_that_cannot_be(self, owner: Owner, query: str) -> None:
        assert owner.refused("GET", f"signals?{query}", status=400) == "request.invalid"

    def test_the_last_day_by_result(self, owner: Owner, one: Installation, market: Market) -> None:
        logged(one, 1, 2)
        logged(one, 3, symbol="NOSUCH")
        logged(one, 4, t_sig_ms=db_now_ms() - 50_000)
        execute_due()
        logged(one, 5)
        (shown,) = owner.ask("GET", "installations")["data"]
        assert shown["signals_24h"] == {"received": 5, "accepted": 2, "denied": 1, "rejected": 0, "expired": 1}


class TestRepeats:
    """ea 6.6: what came again is noted behind the acknowledgement, and counted apart."""

    def test_the_next_batch_takes_them_along(self, one: Installation) -> None:
        log, event = EventLog(), arrived(one, 1)
        log.append([event])
        for _ in range(3):
            log.append([event])
        assert (Repeat.objects.count(), log.has_repeats) == (0, True)
        log.append([arrived(one, 2)])
        (noted,) = Repeat.objects.all()
        assert (noted.event, noted.times, log.has_repeats) == (Event.objects.get(seq=1), 3, False)

    def test_twice_in_one_batch_is_a_repeat(self, one: Installation) -> None:
        log, event = EventLog(), arrived(one, 1)
        log.append([event, event])
        log.repeats_write()
        log.repeats_write()
        assert list(Repeat.objects.values_list("times", flat=True)) == [1]

    def test_a_conflict_is_none(self, one: Installation) -> None:
        log, event = EventLog(), arrived(one, 1)
        log.append([event])
        log.append([arrived(one, 1, event_id=event.signal.event_id, symbol="GBPUSD")])
        assert not log.has_repeats

    def test_an_owner_sees_how_often(self, owner: Owner, one: Installation) -> None:
        log, event = EventLog(), arrived(one, 1)
        for _ in range(4):
            log.append([event])
        log.repeats_write()
        assert owner.ask("GET", "signals")["data"][0]["repeats"] == 3


def spent(
    one: Installation, count: int, *, first: int = 1, ago_ms: int = 10_000, **changes: Any
) -> list[dict[str, Any]]:
    """Log signals with known times; the n-th took n milliseconds for each part, and drifted by n points."""
    logged(one, *range(first, first + count))
    rows = []
    for event in Event.objects.filter(link=one.link, seq__gte=first).order_by("seq"):
        n = event.seq - first + 1
        deal_ms = event.log_us // 1_000 - ago_ms
        recv_us = (deal_ms + n + 2 * n) * 1_000
        row = {
            "event_id": event.pk,
            "deal_ms": deal_ms,
            "signed_ms": deal_ms + n,
            "offset_ms": 0,
            "rtt_us": 0,
            "recv_us": recv_us,
            "log_us": recv_us + 3_000 * n,
            "decided_us": recv_us + 7_000 * n,
            "submitted_us": recv_us + 8_000 * n,
            "answered_us": recv_us + 12_000 * n,
            "ref_price": "1.08500",
            "open_price": f"{1.085 + n * 0.00001:.5f}",
            "payout_percent": 80,
            "link_id": one.link.pk,
            "strategy": "trend",
            "symbol": "EURUSD",
            "direction": "up",
        }
        rows.append(row | changes)
    db.run(statements.LATENCY, {"rows": json.dumps(rows)})
    return rows


class TestAttribution:
    """ea 6.6: p50, p95, p99 of each part for each strategy and symbol, and of the drifts."""

    def test_percentiles_are_those_of_the_parts(self, owner: Owner, one: Installation, market: Market) -> None:
        spent(one, 100)
        answer = owner.ask("GET", "attribution")
        (row,) = answer["rows"]
        assert (row["strategy"], row["symbol"], row["signals"], row["repeated"]) == ("trend", "EURUSD", 100, 0)
        cuts = statistics.quantiles(range(1, 101), n=100, method="inclusive")
        for name, share in (("signal", 1), ("transport", 2), ("log", 3), ("risk", 4), ("placement", 5), ("total", 15)):
            told = row["components"][name]
            for place in (50, 95, 99):
                assert told[f"p{place}_ms"] == pytest.approx(cuts[place - 1] * share, abs=0.002), (name, place)
        assert row["price_drift"] == {"p50": 50.5, "p95": 95.05, "p99": 99.01, "unit": "points"}
        # No payout was in force when these came.
        assert row["payout_drift"] == {"p50": None, "p95": None, "p99": None, "unit": "percent"}

    def test_a_payout_that_fell_since_the_reception(self, one: Installation, market: Market) -> None:
        quoted = db.row("SELECT percent FROM quotes_payout_change")
        assert quoted is not None
        spent(one, 2, ago_ms=0, payout_percent=quoted[0] - 3)
        (row,) = attributed(links=[one.link.pk], window="1h", now_ms=db_now_ms() + 5_000).rows
        assert (row.payout_drift.p50, row.payout_drift.p99) == (-3, -3)

    def test_all_installations_together(self, one: Installation, market: Market) -> None:
        """Operators see strategies and symbols over all clients."""
        spent(one, 2)
        spent(installation(), 3)
        (row,) = attributed(links=None, window="1h", now_ms=db_now_ms()).rows
        assert (row.strategy, row.symbol, row.signals) == ("trend", "EURUSD", 5)

    def test_those_that_came_again_are_apart(self, owner: Owner, one: Installation, market: Market) -> None:
        spent(one, 3)
        slow = Event.objects.get(seq=3)
        Repeat.objects.create(event=slow, times=2, at_us=1)
        (row,) = owner.ask("GET", "attribution")["rows"]
        assert (row["signals"], row["repeated"]) == (3, 1)
        assert row["components"]["log"]["p99_ms"] == pytest.approx(3 + 0.99 * 3)

    def test_groups(self, owner: Owner, one: Installation, market: Market) -> None:
        symbol_add(NewSymbol(code="USDJPY", feed="script", source="USDJPY", price_scale=3))
        spent(one, 2)
        spent(one, 2, first=3, symbol="USDJPY", ref_price="150.000", open_price="150.150", strategy="trend")
        spent(one, 1, first=5, symbol=None, strategy="", open_price=None, answered_us=None, payout_percent=None)

        def rows(query: str) -> list[tuple[str, str, int]]:
            found = owner.ask("GET", f"attribution?{query}")["rows"]
            return [(row["strategy"], row["symbol"], row["signals"]) for row in found]

        assert rows("") == [("trend", "EURUSD", 2), ("trend", "USDJPY", 2), ("", "", 1)]
        assert rows("by=strategy") == [("trend", "", 4), ("", "", 1)]
        assert rows("by=symbol") == [("", "EURUSD", 2), ("", "USDJPY", 2), ("", "", 1)]
        by_strategy = owner.ask("GET", "attribution?by=strategy")["rows"]
        # Several symbols compare by share: 0.150 of 150 are ten hundredths of a percent.
        assert by_strategy[0]["price_drift"]["unit"] == "bp"
        assert by_strategy[0]["price_drift"]["p99"] == pytest.approx(10, abs=0.01)
        assert by_strategy[1]["components"]["placement"] == {"p50_ms": None, "p95_ms": None, "p99_ms": None}
        usdjpy = next(row for row in owner.ask("GET", "attribution")["rows"] if row["symbol"] == "USDJPY")
        assert usdjpy["price_drift"]["p50"] == 150

    def test_a_window_bounds_it(self, owner: Owner, one: Installation, market: Market) -> None:
        now_us = db_now_ms() * 1_000
        spent(one, 1, log_us=now_us - 3_700_000_000, decided_us=now_us)
        assert owner.ask("GET", "attribution?window=1h")["rows"] == []
        assert owner.ask("GET", "attribution?window=24h")["rows"][0]["signals"] == 1

    def test_no_more_than_the_newest_are_looked_at(self, one: Installation, market: Market) -> None:
        spent(one, 5)
        figures = attributed(links=[one.link.pk], by=("strategy",), window="1h", now_ms=db_now_ms(), most=2)
        assert figures.rows[0].signals == 2

    def test_it_is_counted_once_a_second(self, owner: Owner, one: Installation, market: Market) -> None:
        spent(one, 1)
        first = owner.ask("GET", "attribution")
        spent(one, 1, first=2)
        assert owner.ask("GET", "attribution") == first
        assert owner.ask("GET", "attribution?window=24h")["rows"][0]["signals"] == 2
        attribution.cache = attribution.Cache()
        assert owner.ask("GET", "attribution")["rows"][0]["signals"] == 2

    def test_nobody_sees_others(self, owner: Owner, one: Installation, market: Market) -> None:
        spent(one, 1)
        assert owner.ask("GET", "attribution")["rows"] != []
        other = installation()
        assert Owner(other.trader).ask("GET", "attribution")["rows"] == []
        assert owner.refused("GET", f"attribution?installation={other.link.pk}", status=404) == "not_found"

    @pytest.mark.parametrize("query", ["window=2h", "by=", "by=symbol,symbol", "by=session"])
    def test_questions_that_cannot_be(self, owner: Owner, query: str) -> None:
        assert owner.refused("GET", f"attribution?{query}", status=400) == "request.invalid"

    def test_the_payout_at_reception_is_kept(self, owner: Owner, one: Installation, market: Market) -> None:
        """ea 6.6: what was quoted when the signal came against what its order got."""
        logged(one, 1)
        execute_due()
        latency = Latency.objects.get()
        assert (latency.link_id, latency.symbol, latency.strategy, latency.direction) == (
            one.link.pk,
            "EURUSD",
            "breakout",
            "up",
        )
        assert latency.quoted_percent == latency.payout_percent


class TestNames:
    """ea 2, 6: names that no rule knows wait for their owner; naming one takes it off the list."""

    @pytest.fixture(autouse=True)
    def _gold(self) -> None:
        symbol_add(NewSymbol(code="XAUUSD", feed="script", source="XAUUSD"))

    def test_an_unknown_name_is_named(self, owner: Owner, one: Installation, market: Market) -> None:
        logged(one, 1, symbol="GOLD.m")
        logged(one, 2, symbol="CFDEURUSDCASH")
        execute_due()
        listed = {row["raw"]: row for row in owner.ask("GET", "symbols/unknown")["data"]}
        assert listed["GOLD.m"]["candidates"] == ["XAUUSD"]
        assert listed["CFDEURUSDCASH"]["candidates"] == ["EURUSD"]
        assert (listed["GOLD.m"]["times"], listed["GOLD.m"]["installation_id"]) == (1, one.link.pk)
        body = {"installation_id": one.link.pk, "raw": "GOLD.m", "symbol": "XAUUSD"}
        alias = owner.ask("POST", "aliases", body, status=201)
        assert alias == body | {"id": alias["id"]}
        assert [row["raw"] for row in owner.ask("GET", "symbols/unknown")["data"]] == ["CFDEURUSDCASH"]
        logged(one, 3, symbol="GOLD.m")
        execute_due()
        assert owner.ask("GET", "signals")["data"][0]["symbol"] == "XAUUSD"
        assert owner.ask("GET", "aliases")["data"] == [alias]
        # A name has one meaning: the newest.
        owner.ask("POST", "aliases", body | {"symbol": "EURUSD"}, status=201)
        assert SymbolAlias.objects.get().symbol == "EURUSD"
        owner.ask("DELETE", f"aliases/{alias['id']}", status=204)
        assert owner.refused("DELETE", f"aliases/{alias['id']}", status=404) == "not_found"

    def test_pages(self, owner: Owner, one: Installation) -> None:
        for number in range(3):
            UnknownSymbol.objects.create(link=one.link, raw=f"N{number}", first_at_ms=1, last_at_ms=5, times=1)
        page = owner.ask("GET", "symbols/unknown?limit=2")
        rest = owner.ask("GET", f"symbols/unknown?limit=2&cursor={page['next_cursor']}")
        assert [row["raw"] for row in page["data"] + rest["data"]] == ["N2", "N1", "N0"]

    def test_what_cannot_be_named(self, owner: Owner, one: Installation) -> None:
        body = {"installation_id": one.link.pk, "raw": "GOLD", "symbol": "XAUUSD"}
        assert owner.refused("POST", "aliases", body | {"symbol": "NOSUCH"}, status=422) == "symbol.unknown"
        assert owner.refused("POST", "aliases", body | {"raw": ""}, status=400) == "request.invalid"
        other = installation()
        theirs = body | {"installation_id": other.link.pk}
        assert owner.refused("POST", "aliases", theirs, status=404) == "not_found"
        shared = SymbolAlias.objects.create(link=None, raw="SILVER", symbol="XAUUSD")
        foreign = SymbolAlias.objects.create(link=other.link, raw="SILVER", symbol="XAUUSD")
        for alias in (shared, foreign):
            assert owner.refused("DELETE", f"aliases/{alias.pk}", status=404) == "not_found"
        assert [alias["installation_id"] for alias in owner.ask("GET", "aliases")["data"]] == [None]
