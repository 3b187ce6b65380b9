"""What other limits would have done: on paper, by the rules that decided, with nothing written."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ea import executor as executor_module
from ea.replay.history import Scope
from ea.replay.paper import Group, PaperLedger, PaperOrder
from ea.replay.whatif import TICKS_GONE, UNANSWERED, WhatIf, what_if
from ea.risk_limits import NO_LIMITS, limits_parsed
from ea.risk_services import stop_reset
from kernel import db
from quotes.models import PayoutChange, Symbol, TickArchive
from tests.books import fingerprint
from tests.ea.bridge import Installation, installation, order_of
from tests.ea.histories import all_settled, history_make, sent, sent_share
from tests.ea.limited import limited
from tests.market import Market, db_now_ms, market_open, order_row
from trading.domain import OrderState
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True)]

STRATEGY = "breakout"


@pytest.fixture
def market() -> Market:
    return market_open(max_tick_age_ms=60_000)


@pytest.fixture
def one() -> Installation:
    return installation()


def asked(soft: dict[str, Any] | None = None, *, link_id: int | None = None, **hard: Any) -> WhatIf:
    """Run the log through limits."""
    return what_if(limits_parsed({"soft": soft or {}, "hard": hard}), Scope(link_id=link_id))


def group(symbol: str = "EURUSD") -> Group:
    return Group("demo", "USD", STRATEGY, symbol)


def tables() -> dict[str, Any]:
    """Return what is in every table of the bridge."""
    names = db.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(ea|quotes)_' ORDER BY 1")
    return {
        name: db.row(f"SELECT count(*), md5(coalesce(string_agg(t::text, '|'), '')) FROM {name} t") for (name,) in names
    }


class TestAsItWas:
    """ea 6.1: the same limits as were in force decide as they did."""

    def test_open_stakes_stops_streaks_and_resets(self, market: Market, one: Installation) -> None:
        """Facts that are folded from the log are those that the executor read."""
        hard: dict[str, Any] = {
            "open_options": 2,
            "stake_max": "60",
            "balance_percent": "5",
            "martingale": "2",
            "loss_day": "45",
            "drawdown": "70",
            "cool_down": {"losses": 3, "pause_s": 3600},
            "orders_per_minute": 600,
            "min_payout": 80,
            "price_drift": "5",
        }
        limited(one, **hard)
        drawn = {"ref_price": "1.08512"}
        ids = [sent(one, 1, "10.00", **drawn), sent(one, 2, "20.00", **drawn), sent(one, 3, "5.00", **drawn)]
        all_settled(market, "1.08000")
        ids += [sent(one, 4, "41.00", **drawn), sent(one, 5, "61.00", **drawn), sent(one, 6, "20.00", **drawn)]
        market.admitted("1.08512")
        ids += [sent(one, 7, "20.00", **drawn)]
        all_settled(market, "1.08000")
        ids += [sent(one, 8, "1.00", **drawn)]
        stop_reset(user_id=one.trader.user.id, link_id=one.link.pk, stop="loss_day", reason="test", now_ms=db_now_ms())
        ids += [sent(one, 9, "1.00", **drawn)]
        codes = [order_of(event_id).code for event_id in ids]
        denied = ("open_options", "martingale", "stake_max", "loss_day", "cool_down")
        assert [code for code in codes if code and "." in code] == [f"risk.{name}" for name in denied]
        result = asked(**hard)
        assert (result.examples, result.unknown, result.on_paper) == ([], {}, 0)
        assert result.signals == len(ids)
        assert result.paper.figures == result.real.figures

    def test_without_limits_every_outcome_stays(self) -> None:
        past = history_make()
        result = what_if(NO_LIMITS, Scope())
        assert (result.differing, result.undecided, result.unknown) == (0, 1, {})
        assert result.signals == len(past.ids) - 1
        assert result.paper.figures == result.real.figures
        figures = result.real.figures[group()]
        assert (figures.taken, figures.results, figures.open) == (5, {"won": 1, "lost": 1}, 3)
        assert figures.denied == {"order.stake.below_minimum": 1}
        refused = {code for one in result.real.figures.values() for code in one.denied}
        assert refused == {"symbol.unknown", "signal.stale", "order.stake.below_minimum", "risk.halted"}

    def test_real_figures_are_those_of_the_orders(self) -> None:
        history_make()
        figures = what_if(NO_LIMITS, Scope()).real.figures[group()]
        taken = Order.objects.filter(source="ea")
        assert figures.stakes == sum(order.stake for order in taken)
        ended = [order for order in taken if order.payout is not None]
        assert figures.profit == sum((order.payout or 0) - order.stake for order in ended)
        assert figures.drawdown == max(order.stake for order in ended if order.state == "lost")

    def test_a_signal_that_was_submitted_and_never_placed_is_no_answer(self, market: Market, one: Installation) -> None:
        gone = mock.Mock(side_effect=SystemExit)
        with mock.patch.object(executor_module, "order_place", gone), pytest.raises(SystemExit):
            sent(one, 1)
        result = what_if(NO_LIMITS, Scope())
        assert (result.signals, dict(result.unknown), dict(result.real.figures)) == (1, {UNANSWERED: 1}, {})


class TestStricter:
    def test_it_denies_what_it_should(self) -> None:
        """What passes keeps its real end; what does not counts by its code."""
        history_make()
        result = asked(stake_max="8")
        figures = result.paper.figures[group()]
        assert (figures.taken, figures.stakes, figures.profit) == (1, 700, 0)
        # The signal that placement refused is small enough; the four larger ones are not.
        assert figures.denied == {"risk.stake_max": 4, "order.stake.below_minimum": 1}
        assert result.differing == 4
        assert all("taken became risk.stake_max" in example for example in result.examples)

    def test_soft_values_only_warn(self) -> None:
        history_make()
        result = asked(soft={"stake_max": "8"})
        assert (result.differing, dict(result.warnings)) == (0, {"risk.stake_max": 4})

    def test_a_share_of_the_balance_is_of_the_balance_on_paper(self, market: Market, one: Installation) -> None:
        sent(one, 1, "1200.00")
        all_settled(market, "1.08000")
        sent_share(one, 2, "10")
        all_settled(market, "1.09000")
        result = asked(stake_max="1100")
        real, paper = result.real.figures[group()], result.paper.figures[group()]
        assert (real.stakes, real.profit, real.drawdown) == (120_000 + 88_000, -120_000 + 74_800, 120_000)
        assert (paper.stakes, paper.profit, paper.drawdown) == (100_000, 85_000, 0)

    def test_a_stop_on_paper_holds_what_really_went_on(self, market: Market, one: Installation) -> None:
        for seq in (1, 2, 3):
            sent(one, seq)
            all_settled(market, "1.08000")
            market.admitted("1.08512")
        result = asked(loss_day="20")
        assert result.paper.figures[group()].denied == {"risk.loss_day": 1}
        assert result.paper.figures[group()].profit == -2_000

    def test_the_price_drift_of_then(self, market: Market, one: Installation) -> None:
        sent(one, 1, ref_price="1.08512")
        sent(one, 2, ref_price="1.20000")
        sent(one, 3, ref_price=None)
        assert asked(price_drift="1").paper.figures[group()].denied == {"risk.price_drift": 2}
        assert asked(min_payout=86).paper.figures[group()].denied == {"risk.min_payout": 3}


class TestMilder:
    """A signal that limits held back is placed on paper at the price of then, and pays what the platform would have."""

    @pytest.fixture(params=["last_tick/1", "next_tick/1"])
    def market(self, request: pytest.FixtureRequest) -> Market:
        return market_open(max_tick_age_ms=60_000, entry_rule=request.param)

    @pytest.mark.parametrize(("price", "result"), [("1.09000", "won"), ("1.08000", "lost"), ("1.08512", "tied")])
    def test_it_ends_as_a_twin_that_was_placed(
        self, market: Market, one: Installation, price: str, result: str
    ) -> None:
        held, free = one, installation(account="777")
        limited(held, stake_max="9")
        twin, event_id = sent(free, 1), sent(held, 1)
        assert order_of(event_id).code == "risk.stake_max"
        market.admitted("1.08512")
        all_settled(market, price)
        # The one that was held back may end a little later than its twin.
        market.admitted(price, at_ms=market.newest_ms + 5_000)
        found = what_if(NO_LIMITS, Scope(link_id=held.link.pk))
        figures = found.paper.figures[group()]
        placed = order_row(str(order_of(twin).order_id))
        assert (found.on_paper, found.differing) == (1, 1)
        assert (figures.taken, figures.results) == (1, {result: 1})
        assert (placed.state, (placed.payout or 0) - placed.stake) == (result, figures.profit)

    def test_one_whose_end_has_not_come_is_open(self, market: Market, one: Installation) -> None:
        limited(one, stake_max="9")
        sent(one, 1)
        figures = what_if(NO_LIMITS, Scope()).paper.figures[group()]
        assert (figures.taken, figures.open, figures.stakes) == (1, 1, 1_000)

    def test_placement_refuses_on_paper_as_well(self, market: Market, one: Installation) -> None:
        """Money, bounds and guards are those of placement's own rules."""
        limited(one, stake_max="9")
        sent(one, 1, "6000.00")
        sent(one, 2, "10.001")
        sent_share(one, 3, "100.01")
        sent(one, 4, min_payout="90")
        denied = what_if(NO_LIMITS, Scope()).paper.figures[group()].denied
        assert denied == {"order.stake.above_maximum": 2, "order.stake.precision": 1, "order.payout_moved": 1}

    def test_the_payout_of_then(self, market: Market, one: Installation) -> None:
        limited(one, stake_max="9")
        sent(one, 1)
        symbol = Symbol.objects.get(code="EURUSD")
        PayoutChange.objects.create(symbol=symbol, at_ms=db_now_ms() + 1, percent=90, inputs={"previous": 85})
        Symbol.objects.filter(pk=symbol.pk).update(payout_percent=90)
        market.admitted("1.08512")
        market.admitted("1.09000", at_ms=market.newest_ms + 30_000)
        market.admitted("1.09000", at_ms=market.newest_ms + 60_000)
        assert what_if(NO_LIMITS, Scope()).paper.figures[group()].profit == 850

    def test_ticks_in_the_archive_are_no_answer(self, market: Market, one: Installation) -> None:
        limited(one, stake_max="9")
        sent(one, 1)
        day = datetime.now(UTC).date() + timedelta(days=1)
        TickArchive.objects.create(day=day, path="x", rows=0, sha256="", archived_at_ms=1, dropped_at_ms=1)
        result = what_if(NO_LIMITS, Scope())
        assert (dict(result.unknown), result.paper.figures[group()].taken) == ({TICKS_GONE: 1}, 0)


def test_nothing_is_written(tmp_path: Path) -> None:
    """ea 6.1: executors are impossible by construction; the books, the bridge and the market stay as they are."""
    history_make()
    before = fingerprint(), tables()
    for hard in ({}, {"stake_max": "8"}, {"loss_day": "1"}, {"min_payout": 100, "orders_per_minute": 1}):
        asked(**hard)
        printed(tmp_path, {"hard": hard})
    assert (fingerprint(), tables()) == before


def printed(tmp_path: Path, document: Any, *arguments: str) -> str:
    """Run the command with a file and return what it printed."""
    path, out = tmp_path / "risk.json", StringIO()
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    call_command("ea_replay", "--what-if", str(path), *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


class TestCommand:
    def test_lines(self, tmp_path: Path) -> None:
        history_make()
        lines = printed(tmp_path, {"hard": {"stake_max": "8"}}).splitlines()
        assert lines[:4] == ["signals: 9", "undecided: 1", "differing: 4", "on_paper: 0"]
        at = lines.index("demo USD breakout EURUSD")
        assert lines[at + 1].startswith("  paper: taken 1, denied 5, open 1, stakes 7.00, profit 0.00, drawdown 0.00")
        assert lines[at + 2].startswith("  real: taken 5, denied 1, lost 1, won 1, open 3, stakes ")
        assert lines[lines.index("- - breakout -") + 1].endswith("taken 0, denied 1, symbol.unknown 1")

    def test_json_and_one_installation(self, tmp_path: Path) -> None:
        past = history_make()
        found = json.loads(printed(tmp_path, {}, "--json", "--link", str(past.one.link.pk)))
        assert (found["signals"], found["undecided"], found["differing"]) == (6, 1, 0)
        (figures,) = [one for one in found["groups"] if one["symbol"] == "EURUSD" and one["ledger"] == "demo"]
        assert figures["paper"] == figures["real"]

    @pytest.mark.parametrize(
        "document",
        [
            b"",
            b"{",
            b"[]",
            b"\xff",
            b"[" * 9_000,
            {"hard": {"stake_max": "-1"}},
            {"hard": {"stake_max": 1}},
            {"hard": {"nosuch": "1"}},
            {"hard": {"stake_min": "2", "stake_max": "1"}},
            {"hard": {"news": [{"from": "x", "to": "y"}]}},
            b"{}" + b" " * 70_000,
        ],
        ids=lambda document: str(document)[:40],
    )
    def test_a_file_that_is_none_is_refused_in_words(self, tmp_path: Path, document: Any) -> None:
        with pytest.raises(CommandError, match="--what-if"):
            printed(tmp_path, document)

    def test_a_missing_file(self) -> None:
        with pytest.raises(CommandError, match="--what-if"):
            call_command("ea_replay", "--what-if", "/nonexistent/risk.json", stdout=StringIO())


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1", "0.01", "9.5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["losses", "from", "stake"]), inner),
    max_leaves=6,
)
_NAMES = st.sampled_from(["stake_max", "desk", "news", "cool_down", "same_expiry", "open_options", "min_payout", "x"])


@given(st.dictionaries(st.sampled_from(["soft", "hard", "x"]), st.dictionaries(_NAMES, _VALUES) | _VALUES))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_taken_or_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    """Fuzz: no file makes anything but an answer or a refusal in words."""
    with suppress(CommandError):
        assert printed(tmp_path, document).startswith("signals: 0\n")


def test_profit_falls_from_its_highest() -> None:
    """Drawdown is measured along the results as they came, not from the start."""
    ledger = PaperLedger()
    for place, (payout, known_at_ms) in enumerate([(185, 1), (0, 4), (0, 3), (185, 2), (100, 5)]):
        ledger.take(PaperOrder(place, 1, group(), uuid4(), 100, OrderState.WON, payout, known_at_ms))
    order = [one.payout for one in ledger.settled_until(9)]
    assert order == [185, 185, 0, 0, 100]
    figures = ledger.figures[group()]
    assert (figures.profit, figures.peak, figures.drawdown, figures.open) == (-30, 170, 200, 0)
