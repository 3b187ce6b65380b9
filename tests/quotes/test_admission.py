"""``admission/1`` (rules, section 1; F-15, F-16): what becomes a tick of the log, and why the rest does not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec import structs

from quotes.domain import ADMISSION, Head, RawTick, RecentTicks, Refusal, admit, price_of
from tests.quotes.ticks import SCALE, T0, judged, prices, raw, reasons

LEVEL = Head(seq=7, tick_at_ms=T0, tick_price=100_000, tick_recv_ms=T0, watermark_ms=T0 - 1)


def test_a_mid_is_rounded_half_even() -> None:
    """Price of a tick: half-even at the symbol's scale, so that no side gains."""
    up = price_of(raw("1.00001", ask="1.00002"), price_source="mid", scale=SCALE)
    down = price_of(raw("1.00002", ask="1.00003"), price_source="mid", scale=SCALE)

    assert (up, down) == (100_002, 100_002)


def test_a_mid_is_rounded_once() -> None:
    """Price of a tick: a long quote is not rounded to some length first and to the scale after."""
    just_below = price_of(raw("1.000005", ask="1.00000499999999999999999999999999"), price_source="mid", scale=SCALE)

    assert just_below == 100_000


def test_a_symbol_takes_quotes_or_trades_and_passes_over_the_other_kind() -> None:
    """Price source: ``mid`` takes quotes, ``last`` takes trades."""
    quote = raw("1.1")
    trade = RawTick("eurusd", 1, T0, T0, last=Decimal("1.2"))

    assert price_of(quote, price_source="last", scale=SCALE) is None
    assert price_of(trade, price_source="mid", scale=SCALE) is None
    assert price_of(trade, price_source="last", scale=SCALE) == 120_000


def test_a_single_price_of_a_script_serves_both_sources() -> None:
    """Contract, script: ``offset_ms,symbol,price``."""
    tick = RawTick("eurusd", 1, T0, T0, last=Decimal("1.2"), serves_all=True)

    assert price_of(tick, price_source="last", scale=SCALE) == 120_000
    assert price_of(tick, price_source="mid", scale=SCALE) == 120_000


@pytest.mark.parametrize(
    ("bid", "ask", "reason"),
    [
        ("NaN", "1", Refusal.NOT_FINITE),
        ("1", "sNaN", Refusal.NOT_FINITE),
        ("Infinity", "1", Refusal.NOT_FINITE),
        ("-Infinity", "Infinity", Refusal.NOT_FINITE),
        ("1e308", "1e308", Refusal.OUT_OF_RANGE),
        ("9e999999", "9e999999", Refusal.OUT_OF_RANGE),
        ("1e20", "1", Refusal.OUT_OF_RANGE),
        ("0", "1", Refusal.NOT_POSITIVE),
        ("1", "-1", Refusal.NOT_POSITIVE),
        ("-1", "-1", Refusal.NOT_POSITIVE),
        ("1e-12", "1e-12", Refusal.NOT_POSITIVE),
    ],
)
def test_what_is_no_price_is_refused_by_name(bid: str, ask: str, reason: Refusal) -> None:
    """F-15: not finite or not positive, on either side of a quote."""
    assert reasons(judged(raw(bid, ask=ask))) == [reason]


def test_a_trade_beside_a_broken_quote_is_refused() -> None:
    """F-15: what is stored beside a price is judged too."""
    tick = RawTick("eurusd", 1, T0, T0, bid=Decimal("NaN"), ask=Decimal(1), last=Decimal(1))

    assert price_of(tick, price_source="last", scale=SCALE) is Refusal.NOT_FINITE


def test_the_log_counts_from_one_and_the_watermark_follows_the_newest_tick() -> None:
    """Rules 1: seq is gap-free; W is raised to the newest admitted time less 1 ms."""
    result = judged(raw("1.1", T0), raw("1.11", T0 + 5))

    assert [tick.seq for tick in result.admitted] == [1, 2]
    assert result.head.watermark_ms == T0 + 4


def test_equal_times_are_ordered_by_arrival() -> None:
    """F-16: two prices of one millisecond are both admitted, in the order they came."""
    result = judged(raw("1.1"), raw("1.10001"), raw("1.1", ask="1.10002"))

    assert prices(result) == [110_000, 110_001, 110_001]


def test_equal_times_are_admitted_in_a_later_batch_too() -> None:
    """Rules 1: W stays 1 ms behind the newest tick, so that its millisecond stays open."""
    first = judged(raw("1.1"))
    second = judged(raw("1.10001"), head=first.head)

    assert prices(second) == [110_001]


def test_a_duplicate_by_time_and_prices_is_refused() -> None:
    """F-16: the same source time, bid and ask as an admitted tick."""
    assert reasons(judged(raw("1.1"), raw("1.1"))) == [Refusal.DUPLICATE]


def test_a_duplicate_by_source_id_is_refused_whatever_it_says() -> None:
    """F-16: the same source id as an admitted tick."""
    assert reasons(judged(raw("1.1", source_id="u1"), raw("1.2", T0 + 1, source_id="u1"))) == [Refusal.DUPLICATE]


def test_a_refused_tick_is_no_reason_to_refuse_the_same_again() -> None:
    """Rules 1: duplicates are those of admitted ticks only."""
    result = judged(raw("1.1", T0, recv_ms=T0 - 501), raw("1.1", T0))

    assert reasons(result) == [Refusal.FUTURE]
    assert prices(result) == [110_000]


def test_an_earlier_tick_is_out_of_order() -> None:
    """F-16: earlier than the last admitted tick of the symbol."""
    assert reasons(judged(raw("1.1", T0), raw("1.1", T0 - 1, recv_ms=T0))) == [Refusal.OUT_OF_ORDER]


def test_a_tick_at_the_watermark_is_late_and_one_after_it_is_not() -> None:
    """Rules 1, I-16: late means time <= W."""
    head = Head(watermark_ms=T0)

    assert reasons(judged(raw("1.1", T0), head=head)) == [Refusal.LATE]
    assert prices(judged(raw("1.1", T0 + 1), head=head)) == [110_000]


def test_a_tick_older_than_the_grace_is_late() -> None:
    """Rules 1: late means older than receive time - 2 s; exactly 2 s is not older."""
    old = raw("1.1", T0, recv_ms=T0 + ADMISSION.grace_ms + 1)
    just = raw("1.1", T0, recv_ms=T0 + ADMISSION.grace_ms)

    assert reasons(judged(old)) == [Refusal.LATE]
    assert prices(judged(just)) == [110_000]


def test_a_tick_from_the_future_is_refused() -> None:
    """Rules 1: later than receive time + 500 ms; exactly 500 ms is not later."""
    far = raw("1.1", T0 + 501, recv_ms=T0)
    near = raw("1.1", T0 + 500, recv_ms=T0)

    assert reasons(judged(far)) == [Refusal.FUTURE]
    assert prices(judged(near)) == [110_000]


def test_a_tick_an_hour_ahead_moves_nothing() -> None:
    """F-27: later ticks are still admitted."""
    result = judged(raw("1.1", T0 + 3_600_000, recv_ms=T0), raw("1.1", T0 + 1))

    assert reasons(result) == [Refusal.FUTURE]
    assert result.head.watermark_ms == T0


def test_five_percent_is_no_outlier_and_more_is() -> None:
    """Rules 1, I-20: further than 5 % from the last admitted price, up and down alike."""
    for inside, outside in (("1.05", "1.05001"), ("0.95", "0.94999")):
        assert reasons(judged(raw(inside, T0 + 1), head=LEVEL)) == []
        assert reasons(judged(raw(outside, T0 + 1), head=LEVEL)) == [Refusal.OUTLIER]


def test_the_next_packet_near_the_candidate_moves_the_level() -> None:
    """Rules 1: the candidate itself is never admitted, its confirmation is."""
    result = judged(raw("1.20", T0 + 1), raw("1.21", T0 + 2), raw("1.20", T0 + 3), head=LEVEL)

    assert reasons(result) == [Refusal.OUTLIER]
    assert prices(result) == [121_000, 120_000]
    assert result.head.candidate_price is None


def test_the_same_packet_confirms_nothing() -> None:
    """Rules 1: the confirmation must come from another packet."""
    result = judged(raw("1.20", T0 + 1, packet=5), raw("1.21", T0 + 2, packet=5), head=LEVEL)

    assert reasons(result) == [Refusal.OUTLIER, Refusal.OUTLIER]
    assert result.head.candidate_price == 121_000


def test_a_tick_back_at_the_level_ends_the_candidate() -> None:
    """Rules 1: only the next tick can confirm; after a sane one the outlier needs two again."""
    result = judged(raw("1.20", T0 + 1), raw("1.0001", T0 + 2), raw("1.20", T0 + 3), head=LEVEL)

    assert reasons(result) == [Refusal.OUTLIER, Refusal.OUTLIER]
    assert prices(result) == [100_010]


def test_another_outlier_becomes_the_candidate() -> None:
    """Rules 1: judged against the last admitted price, and if an outlier itself, the new candidate."""
    result = judged(raw("1.20", T0 + 1), raw("0.80", T0 + 2), raw("0.81", T0 + 3), head=LEVEL)

    assert reasons(result) == [Refusal.OUTLIER, Refusal.OUTLIER]
    assert prices(result) == [81_000]


def test_a_candidate_is_forgotten_after_ten_seconds() -> None:
    """Rules 1: the confirmation must come within 10 s of receive time."""
    in_time = judged(raw("1.20", T0 + 1), raw("1.20", T0 + 10_001), head=LEVEL)
    too_late = judged(raw("1.20", T0 + 1), raw("1.20", T0 + 10_002), head=LEVEL)

    assert reasons(in_time) == [Refusal.OUTLIER]
    assert reasons(too_late) == [Refusal.OUTLIER, Refusal.OUTLIER]


def test_the_candidate_lives_on_across_batches() -> None:
    """I-20: the decision is the same however packets are cut into batches."""
    first = judged(raw("1.20", T0 + 1), head=LEVEL)
    second = judged(raw("1.20", T0 + 2), head=first.head)

    assert prices(second) == [120_000]


def test_after_a_minute_of_silence_the_first_sane_tick_is_the_level() -> None:
    """Rules 1: after 60 s without an admitted tick the outlier rule has nothing to compare with."""
    still = judged(raw("1.50", T0 + 60_000), head=LEVEL)
    silent = judged(raw("1.50", T0 + 60_001), head=LEVEL)

    assert reasons(still) == [Refusal.OUTLIER]
    assert prices(silent) == [150_000]


def test_a_refused_minute_does_not_end_the_silence() -> None:
    """Rules 1: silence is the time without an admitted tick, whatever was refused meanwhile."""
    far = [raw("1.50", T0 + second * 11_000) for second in range(1, 7)]
    result = judged(*far, head=LEVEL)

    assert prices(result) == [150_000]
    assert reasons(result) == [Refusal.OUTLIER] * 5


def test_ids_may_be_used_again_once_no_packet_that_had_them_can_still_come() -> None:
    """A recording that is replayed in a loop uses its ids again and again."""
    recent = RecentTicks()
    first = judged(raw("1.1", T0, source_id="u1"), recent=recent)
    again = judged(raw("1.1", T0 + 30_000, source_id="u1"), head=first.head, recent=recent)

    assert prices(again) == [110_000]


def test_the_memory_of_ticks_is_bounded() -> None:
    """Memory: a parser that runs for months keeps no more than what can be sent twice."""
    recent = RecentTicks(size=3)
    for number in range(10):
        recent.remember(raw("1.1", T0 + number), 110_000)

    assert not recent.seen(raw("1.1", T0 + 6), 110_000)
    assert recent.seen(raw("1.1", T0 + 7), 110_000)


def test_admission_does_not_touch_the_head_it_was_given() -> None:
    """I-14: pure; a batch whose transaction fails leaves nothing behind but the caller's memory."""
    head = structs.replace(LEVEL)

    admit(head=head, ticks=[raw("1.0", T0 + 1)], recent=RecentTicks(), price_source="mid", scale=SCALE)

    assert head == LEVEL
