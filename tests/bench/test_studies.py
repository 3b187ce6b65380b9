"""What the rules are worth: the figures follow from the recordings, and each count means what it says (issue 4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from bench.studies.__main__ import DOCUMENT, PAGE, document_text, page_text
from bench.studies.document import studies_document
from bench.studies.figures import percent, wilson
from bench.studies.leads import CANDIDATE, Bet, Tally, bets_of
from bench.studies.outliers import outliers_study
from bench.studies.recordings import ADMISSION, RECORDINGS, UNFILTERED, Log, Recording, admit_all, logs_of, with_tick
from quotes.domain import RawTick

START_MS = 1_800_000_000_000


def _raw(at_ms: int, price: int, packet: int, recv_ms: int | None = None) -> RawTick:
    value = Decimal(price)
    received_ms = START_MS + (at_ms if recv_ms is None else recv_ms)
    return RawTick("X", packet, START_MS + at_ms, received_ms, value, value)


def _log(*ticks: tuple[int, int], ended_ms: int = 30_000) -> Log:
    """Return a log of ticks given as (milliseconds, price), alive all the time until its end."""
    raws = [_raw(at_ms, price, packet) for packet, (at_ms, price) in enumerate(ticks)]
    beats = [START_MS + at_ms for at_ms in range(0, ended_ms + 1, 500)]
    log = Log(Recording(DOCUMENT, "test", "none", "2026-01-01"), "X", "mid", 0, raws, beats)
    admit_all(log)
    return log


def test_the_published_figures_are_those_of_the_recordings() -> None:
    """Issue 4, item 3: whoever runs the command gets the same document and the same page."""
    document = studies_document()

    assert DOCUMENT.read_text() == document_text(document)
    page = PAGE.read_text()
    assert page == page_text(document, page)
    assert "last_tick/1" in page.partition("<!-- tables")[2]


def test_everybody_can_read_the_studies(client: Client, db: None) -> None:
    """The document that ships with the package is the one that is served."""
    answer = client.get("/api/v1/fairness/studies")

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.content == DOCUMENT.read_bytes()
    assert client.get("/api/v1/fairness/studies?x=1").status_code == 400


def test_recordings_go_through_decoder_and_admission() -> None:
    """Kraken's ten trades are all admitted; nothing but prices is a tick."""
    logs = logs_of(RECORDINGS[2])

    assert [(log.symbol, log.price_source, len(log.ticks), log.scale) for log in logs] == [
        ("SC/EUR", "last", 6, 6),
        ("XMR/USD", "last", 4, 8),
    ]


@pytest.mark.parametrize(
    ("entry_rule", "state"),
    [("last_tick/1", "won"), ("next_tick/1", "won"), (CANDIDATE, "tied")],
)
def test_who_is_ahead_enters_before_the_price_moves(entry_rule: str, state: str) -> None:
    """A tick of the old price that comes between him and the new one is the next tick."""
    log = _log((0, 1_000), (950, 1_000), (1_000, 1_010), (1_400, 1_010), (5_000, 1_010))

    bets = list(bets_of(log, lead_ms=100, duration_ms=5_000, entry_rule=entry_rule, moment="at once"))

    assert bets == [Bet(START_MS + 900, state)]


def test_a_next_tick_that_is_the_seen_one_leaves_nothing_to_win() -> None:
    log = _log((0, 1_000), (1_000, 1_010), (5_000, 1_010))

    last, following = (
        [bet.state for bet in bets_of(log, lead_ms=100, duration_ms=5_000, entry_rule=rule, moment="at once")]
        for rule in ("last_tick/1", "next_tick/1")
    )

    assert (last, following) == (["won"], ["tied"])


def test_without_a_lead_nothing_is_known_that_others_do_not_know() -> None:
    """The control sees a change once it has arrived, and enters behind it."""
    log = _log((0, 1_000), (1_000, 1_010), (5_000, 1_005))

    bets = list(bets_of(log, lead_ms=0, duration_ms=5_000, entry_rule="last_tick/1", moment="at once"))

    assert [(bet.accepted_at_ms - START_MS, bet.state) for bet in bets] == [(1_000, "lost"), (5_000, "refunded")]


def test_a_stale_market_takes_no_bet_and_one_beyond_the_end_is_none() -> None:
    log = _log((0, 1_000), (4_000, 1_010), (29_000, 1_020))

    states = [
        bet.state for bet in bets_of(log, lead_ms=100, duration_ms=5_000, entry_rule="last_tick/1", moment="at once")
    ]

    assert states == ["refused"]


def test_one_at_a_time_waits_for_the_end_of_a_bet() -> None:
    tally = Tally()

    tally.add([Bet(0, "won"), Bet(4_999, "lost"), Bet(5_000, "lost"), Bet(6_000, "refused")], 5_000)

    assert (tally.bets, tally.won, tally.lost, tally.refused) == (4, 1, 2, 1)
    assert (tally.alone_won, tally.alone_lost) == (1, 1)


def test_one_wrong_tick_turns_the_last_tick_and_not_the_mean() -> None:
    """F-17: inside the bound it gets through, outside it is refused, and the mean drops it either way."""
    rising = [(at_ms, 10_000 + at_ms // 20) for at_ms in range(130, 20_000, 400)]
    steady = _log((0, 9_990), *rising, ended_ms=20_000)

    rows: list[Any] = outliers_study([steady], durations_s=(2,), settlement_rules=("last_tick/1", "trimmed_mean_10s/1"))

    last = {
        (row["outlier_percent"], row["filter"]): percent(row["reversed"], row["orders"])
        for row in rows
        if row["settlement_rule"] == "last_tick/1" and row["before_expiry_ms"] == 25
    }
    assert last == {("4.9", True): "50.0", ("5.1", True): "0.0", ("5.1", False): "50.0"}
    assert {row["reversed"] for row in rows if row["settlement_rule"] == "trimmed_mean_10s/1"} == {0}


def test_a_log_with_a_wrong_tick_is_what_admission_makes_of_all_its_packets() -> None:
    """The short way, from the tick until the log stands as before, ends where the long way ends."""
    log = logs_of(RECORDINGS[0])[-1]
    for settings in (ADMISSION, UNFILTERED):
        for thousandths in (951, 1_049, 1_051):
            place = len(log.raws) // 2
            at_ms = log.raws[place].recv_ms
            price = Decimal((log.heads[place].tick_price or 0) * thousandths // 1_000).scaleb(-log.scale)
            wrong = RawTick(log.symbol, -1, at_ms, at_ms, price, price)
            whole = [raw for raw in log.raws if raw.recv_ms <= at_ms]
            long = Log(
                log.recording,
                log.symbol,
                "mid",
                log.scale,
                [*whole, wrong, *log.raws[len(whole) :]],
                log.beats_ms,
            )
            admit_all(long, settings)

            short = with_tick(log, wrong, settings)

            assert [(tick.at_ms, tick.price) for tick in short] == [(tick.at_ms, tick.price) for tick in long.ticks]


def test_shares_and_intervals() -> None:
    """Wilson's interval against figures from the literature: 15 of 20 is 53.1 to 88.8 %."""
    assert percent(15, 20) == "75.0"
    assert wilson(15, 20) == ["53.1", "88.8"]
    assert wilson(0, 10) == ["0.0", "27.8"]
    assert (percent(0, 0), wilson(0, 0)) == (None, None)
