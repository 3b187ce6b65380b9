"""Risk limits as pure rules: what each allows at its border, in which order they decide, and how the past is folded."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ea.risk_limits import NAMES, NO_LIMITS, STOPS, Bounds, Limits, LimitsInvalid, limits_parsed, limits_stored, minor
from ea.risk_past import Past
from ea.risk_rules import (
    DAY_MS,
    RULES,
    Ask,
    Facts,
    OpenStake,
    Streak,
    Tally,
    Verdict,
    bucket_after,
    currencies_of,
    facts_asked,
    judge,
)
from kernel.clock import rfc3339

NOW = 1_800_000_000_000
ASK = Ask("breakout", "EURUSD", True, 1_000, NOW + 60_000, balance=100_000, ref_price="1.08500")
FACTS = Facts(NOW)


def limits_of(**hard: Any) -> Limits:
    return limits_parsed({"hard": hard})


def code_of(facts: Facts, ask: Ask, **hard: Any) -> str | None:
    return judge(facts, limits_of(**hard), ask).code


def open_of(**changes: Any) -> OpenStake:
    return replace(OpenStake(True, "breakout", "EURUSD", True, NOW + 60_000, 500), **changes)


def with_open(*standing: OpenStake) -> Facts:
    return replace(FACTS, open=standing)


NEWS = {"from": rfc3339(NOW), "to": rfc3339(NOW + 1_000)}


@pytest.mark.parametrize(
    ("name", "value", "passes", "denied"),
    [
        ("stake_min", "10", (FACTS, {}), (FACTS, {"stake": 999})),
        ("stake_max", "10.00", (FACTS, {}), (FACTS, {"stake": 1_001})),
        ("stake_step", "2.5", (FACTS, {}), (FACTS, {"stake": 1_001})),
        ("balance_percent", "1", (FACTS, {}), (FACTS, {"stake": 1_001})),
        ("balance_percent", "0.5", (FACTS, {"stake": 500}), (FACTS, {"stake": 501})),
        ("open_strategy", "15", (with_open(open_of()), {}), (with_open(open_of(stake=501)), {})),
        (
            "open_strategy",
            "15",
            (with_open(open_of(strategy="other", stake=900)), {}),
            (with_open(open_of(), open_of(symbol="GBPUSD", stake=1)), {}),
        ),
        ("open_symbol", "15", (with_open(open_of()), {}), (with_open(open_of(strategy="other", stake=501)), {})),
        (
            "open_symbol",
            "15",
            (with_open(open_of(own=False, stake=900)), {}),
            (with_open(open_of(up=False, stake=501)), {}),
        ),
        (
            "open_currency",
            "15",
            (with_open(open_of(symbol="GBPUSD"), open_of(symbol="AUDNZD", stake=900)), {}),
            (with_open(open_of(symbol="GBPUSD", up=False, stake=501)), {}),
        ),
        (
            "open_direction",
            "15",
            (with_open(open_of(), open_of(up=False, stake=900)), {}),
            (with_open(open_of(symbol="GBPUSD", stake=501)), {}),
        ),
        ("desk", "15", (with_open(open_of(own=False)), {}), (with_open(open_of(own=False), open_of(stake=1)), {})),
        # A put on GBPUSD bets on the dollar, a call on EURUSD against it.
        (
            "correlated",
            "15",
            (with_open(open_of(symbol="GBPUSD", up=False, stake=2_500)), {}),
            (with_open(open_of(symbol="GBPUSD", stake=501)), {}),
        ),
        (
            "correlated",
            "15",
            (with_open(open_of(symbol="USDJPY", stake=2_500)), {}),
            (with_open(open_of(symbol="USDJPY", up=False, stake=501)), {}),
        ),
        (
            "same_expiry",
            {"stake": "15", "within_s": 1},
            (with_open(open_of(expires_at_ms=NOW + 61_001, stake=900)), {}),
            (with_open(open_of(expires_at_ms=NOW + 61_000, stake=501)), {}),
        ),
        (
            "open_options",
            3,
            (with_open(open_of(count=2), open_of(own=False, count=9)), {}),
            (with_open(open_of(count=2), open_of(symbol="GBPUSD")), {}),
        ),
        (
            "orders_per_minute",
            2,
            (replace(FACTS, full_at_ms=NOW + 30_000), {}),
            (replace(FACTS, full_at_ms=NOW + 30_001), {}),
        ),
        *(
            (stop, "10", (replace(FACTS, lost={stop: 999}), {}), (replace(FACTS, lost={stop: 1_000}), {}))
            for stop in STOPS
        ),
        (
            "cool_down",
            {"losses": 3, "pause_s": 60},
            (replace(FACTS, streak=Streak(3, 500, NOW - 60_000)), {}),
            (replace(FACTS, streak=Streak(3, 500, NOW - 59_999)), {}),
        ),
        (
            "cool_down",
            {"losses": 3, "pause_s": 60},
            (replace(FACTS, streak=Streak(2, 500, NOW)), {}),
            (replace(FACTS, streak=Streak(9, 500, NOW)), {}),
        ),
        (
            "martingale",
            "1.5",
            (replace(FACTS, streak=Streak(1, 667, NOW)), {}),
            (replace(FACTS, streak=Streak(1, 666, NOW)), {}),
        ),
        ("martingale", "1.5", (FACTS, {"stake": 99_999}), (replace(FACTS, streak=Streak(1, 1, 0)), {})),
        ("min_payout", 80, (replace(FACTS, payout_percent=80), {}), (replace(FACTS, payout_percent=79), {})),
        (
            "price_drift",
            "0.1",
            (replace(FACTS, price=Decimal("1.086085")), {}),
            (replace(FACTS, price=Decimal("1.086086")), {}),
        ),
        ("price_drift", "0.1", (FACTS, {}), (FACTS, {"ref_price": None})),
        ("news", [NEWS], (replace(FACTS, now_ms=NOW + 1_000), {}), (FACTS, {})),
        ("news", [NEWS | {"currencies": ["USD"]}], (FACTS, {"symbol": "EURJPY"}), (FACTS, {})),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, str) else None,
)
def test_each_limit_at_its_border(
    name: str, value: Any, passes: tuple[Facts, dict[str, Any]], denied: tuple[Facts, dict[str, Any]]
) -> None:
    """ea 6.3: what just passes and what just does not; as a soft value it warns and refuses nothing."""
    facts, changes = passes
    assert judge(facts, limits_of(**{name: value}), replace(ASK, **changes)) == Verdict()
    facts, changes = denied
    ask = replace(ASK, **changes)
    assert code_of(facts, ask, **{name: value}) == f"risk.{name}"
    warned = judge(facts, limits_parsed({"soft": {name: value}}), ask)
    assert (warned.code, warned.warnings, warned.trips) == (None, (f"risk.{name}",), ())


# Facts under which a small value of every limit is passed.
WORST = Facts(
    NOW,
    open=(open_of(),),
    lost=dict.fromkeys(STOPS, 10_000),
    streak=Streak(5, 1, NOW),
    full_at_ms=NOW + 60_000,
    payout_percent=50,
    price=Decimal(2),
)
STRICT: dict[str, Any] = {
    **dict.fromkeys(NAMES, "0.01"),
    "stake_min": "10000",
    "stake_step": "7",
    "same_expiry": {"stake": "0.01"},
    "open_options": 1,
    "orders_per_minute": 1,
    "cool_down": {"losses": 1, "pause_s": 1},
    "min_payout": 98,
    "news": [NEWS],
}


def test_every_limit_has_a_rule_and_they_decide_in_the_order_of_the_guide() -> None:
    """ea 6.3: order of checks. With the first ones taken away, the next one decides."""
    assert tuple(RULES) == NAMES
    left, decided = dict(STRICT), []
    while left:
        # Converted as it is: a least stake above the most would be refused as a document.
        code = judge(WORST, msgspec.convert({"hard": left}, Limits), ASK).code
        assert code is not None
        decided.append(code.removeprefix("risk."))
        del left[decided[-1]]
    assert tuple(decided) == NAMES
    assert decided == [
        *("stake_min", "stake_max", "stake_step", "balance_percent"),
        *("open_strategy", "open_symbol", "open_currency", "open_direction", "desk", "correlated", "same_expiry"),
        *("open_options", "orders_per_minute", "loss_day", "loss_week", "loss_month", "drawdown", "cool_down"),
        *("martingale", "min_payout", "price_drift", "news"),
    ]


def test_all_soft_values_warn_at_once() -> None:
    limits = Limits(soft=limits_of(**{name: STRICT[name] for name in NAMES if name != "stake_min"}).hard)
    assert judge(WORST, limits, ASK) == Verdict(None, tuple(f"risk.{name}" for name in NAMES if name != "stake_min"))


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.sampled_from(["call", "put"]))
def test_without_limits_everything_passes_and_no_fact_is_asked_for(stake: int, lost: int, side: str) -> None:
    """ea 6.3: the defaults allow whatever placement allows."""
    facts = replace(WORST, lost=dict.fromkeys(STOPS, lost))
    assert judge(facts, NO_LIMITS, replace(ASK, stake=stake, up=side == "call")) == Verdict()
    assert facts_asked(NO_LIMITS) == frozenset()


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (("stake_min", "balance_percent", "news"), set()),
        (("open_strategy",), {"open"}),
        (("desk",), {"open"}),
        (("same_expiry",), {"expiries"}),
        (("orders_per_minute",), {"bucket"}),
        (("drawdown",), {"history"}),
        (("martingale", "min_payout"), {"history", "market"}),
        (("price_drift",), {"market"}),
    ],
)
@pytest.mark.parametrize("side", ["soft", "hard"])
def test_limits_ask_for_what_they_need(side: str, names: tuple[str, ...], kinds: set[str]) -> None:
    """Nothing is read that the limits do not ask for."""
    assert facts_asked(limits_parsed({side: {name: STRICT[name] for name in names}})) == kinds


class TestStops:
    """ea 6.3: edge-triggered, held until they are reset."""

    def test_all_that_are_reached_are_tripped_together(self) -> None:
        facts = replace(FACTS, lost={"loss_day": 1_000, "loss_week": 999, "loss_month": 5_000})
        verdict = judge(facts, limits_of(loss_day="10", loss_week="10", loss_month="10", drawdown="10"), ASK)
        assert verdict.code == "risk.loss_day"
        assert [(trip.stop, trip.lost, trip.limit) for trip in verdict.trips] == [
            ("loss_day", 1_000, 1_000),
            ("loss_month", 5_000, 1_000),
        ]

    def test_what_holds_is_not_tripped_again_and_holds_without_its_loss_and_its_limit(self) -> None:
        facts = replace(FACTS, held=frozenset({"loss_week"}), lost={"loss_week": 5_000})
        assert judge(facts, limits_of(loss_week="10"), ASK) == Verdict("risk.loss_week")
        assert judge(replace(facts, lost={}), NO_LIMITS, ASK) == Verdict("risk.loss_week")

    def test_an_earlier_check_trips_nothing(self) -> None:
        facts = replace(FACTS, lost={"loss_day": 1_000})
        assert judge(facts, limits_of(loss_day="10", stake_max="1"), ASK) == Verdict("risk.stake_max")


@given(st.integers(1, 6_000), st.lists(st.integers(0, 20_000), max_size=60))
def test_a_bucket_gives_no_more_than_its_burst_and_its_refill(per_minute: int, waits: list[int]) -> None:
    """ea 6.3: a token bucket; in any time T at most the burst and T's share of a minute pass."""
    limits, now_ms, full_at_ms, passed = limits_of(orders_per_minute=per_minute), NOW, 0, []
    for wait_ms in waits:
        now_ms += wait_ms
        if judge(replace(FACTS, now_ms=now_ms, full_at_ms=full_at_ms), limits, ASK).code is None:
            full_at_ms = bucket_after(full_at_ms, now_ms=now_ms, per_minute=per_minute)
            passed.append(now_ms)
    interval_ms = 60_000 // per_minute
    for first, start_ms in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= per_minute + (passed[last] - start_ms) // interval_ms


@given(st.lists(st.tuples(st.integers(-1_000, 1_000), st.integers(0, 100)), max_size=40))
def test_a_tally_knows_its_peak_and_its_deepest_fall(results: list[tuple[int, int]]) -> None:
    tally, totals, at_ms = Tally(), [0], 0
    for net, step in results:
        at_ms += step
        tally = tally.after(net, at_ms=at_ms)
        totals.append(totals[-1] + net)
    peaks = [max(totals[: number + 1]) for number in range(len(totals))]
    falls = [peak - total for peak, total in zip(peaks, totals, strict=True)]
    assert (tally.no, tally.total, tally.peak, tally.fall) == (len(results), totals[-1], peaks[-1], max(falls))
    assert tally.marked(at_ms=at_ms, anew=True) == Tally(tally.no + 1, at_ms, tally.total, tally.total, 0)


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("EURUSD", ("EUR", "USD")),
        ("EUR/USD", ("EUR", "USD")),
        ("BTCUSDT", ("BTC", "USDT")),
        ("XAUUSD-OTC", ("XAU", "USD")),
        ("GOOGLE", ("GOOGLE",)),
        ("R_100", ("R_100",)),
    ],
)
def test_currencies_of_a_symbol(symbol: str, parts: tuple[str, ...]) -> None:
    assert currencies_of(symbol) == parts


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], ""),
        ({"other": 1}, ""),
        ({"hard": {"leverage": 1}}, "hard"),
        ({"hard": {"stake_max": 10}}, "hard.stake_max"),
        ({"hard": {"stake_max": "0.00"}}, "hard.stake_max"),
        ({"hard": {"stake_max": "1.001"}}, "hard.stake_max"),
        ({"hard": {"stake_max": "-1"}}, "hard.stake_max"),
        ({"hard": {"stake_max": "1\n"}}, "hard.stake_max"),
        ({"soft": {"orders_per_minute": 0}}, "soft.orders_per_minute"),
        ({"soft": {"orders_per_minute": True}}, "soft.orders_per_minute"),
        ({"hard": {"cool_down": {"losses": 3}}}, "hard.cool_down"),
        ({"hard": {"stake_min": "11", "stake_max": "10"}}, "hard.stake_min"),
        ({"hard": {"news": [{"from": rfc3339(NOW), "to": rfc3339(NOW)}]}}, "hard.news[0].to"),
        ({"hard": {"news": [{"from": "soon", "to": "later"}]}}, "hard.news[0]"),
        ({"hard": {"news": [NEWS] * 101}}, "hard.news"),
        ({"hard": {"news": [NEWS | {"currencies": ["A" * 12] * 40, "name": "x" * 80}] * 100}}, ""),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_no_document(document: Any, path: str) -> None:
    """Bad input is refused with its place."""
    with pytest.raises(LimitsInvalid) as refused:
        limits_parsed(document)
    assert refused.value.path == path


def test_a_stored_document_reads_as_it_was_written() -> None:
    limits = limits_parsed(
        {"soft": {"stake_max": "5"}, "hard": {key: STRICT[key] for key in STRICT if key != "stake_min"}}
    )
    assert limits_stored(msgspec.json.encode(limits).decode()) == limits
    assert limits_parsed({}) == NO_LIMITS == Limits(Bounds(), Bounds())


@given(st.integers(1, 10**14))
def test_amounts_are_exact(amount: int) -> None:
    text = f"{amount // 100}.{amount % 100:02d}"
    assert minor(text) == amount


class TestPast:
    """What a replay folds is what limits ask for."""

    def test_open_orders_results_windows_and_resets(self) -> None:
        past = Past()
        for number, (link, stake) in enumerate([(1, 1_000), (1, 500), (2, 700)]):
            past.placed(str(number), replace(ASK, stake=stake), link=link, kid="k", now_ms=NOW, per_minute=60)
        facts = past.facts(ASK, link=1, now_ms=NOW, kid="k")
        assert sorted((one.own, one.stake) for one in facts.open) == [(False, 700), (True, 500), (True, 1_000)]
        assert facts.full_at_ms == NOW + 3_000

        past.settled("0", payout=0, at_ms=NOW)
        past.settled("1", payout=0, at_ms=NOW + DAY_MS)
        past.rejected("2")
        facts = past.facts(ASK, link=1, now_ms=NOW + DAY_MS)
        assert (facts.open, facts.streak) == ((), Streak(2, 500, NOW + DAY_MS))
        assert facts.lost == {"loss_day": 1_500, "loss_week": 1_500, "loss_month": 1_500, "drawdown": 1_500}
        facts = past.facts(ASK, link=1, now_ms=NOW + DAY_MS + 1)
        assert facts.lost == {"loss_day": 500, "loss_week": 1_500, "loss_month": 1_500, "drawdown": 1_500}
        assert past.facts(ASK, link=2, now_ms=NOW + DAY_MS).lost["loss_day"] == 0

        verdict = judge(facts, limits_of(drawdown="15"), ASK)
        past.tripped(1, verdict.trips)
        assert past.facts(ASK, link=1, now_ms=NOW + DAY_MS).held == {"drawdown"}
        past.reset(1, "drawdown", at_ms=NOW + 2 * DAY_MS)
        past.reset(1, "loss_week", at_ms=NOW + 2 * DAY_MS)
        facts = past.facts(ASK, link=1, now_ms=NOW + 2 * DAY_MS)
        assert (facts.held, facts.lost["drawdown"], facts.lost["loss_week"]) == (frozenset(), 0, 0)
        assert facts.lost["loss_month"] == 1_500
