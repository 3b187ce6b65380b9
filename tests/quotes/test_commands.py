"""Commands of the market (contract, Commands): terms, refusals, repeats, exit codes."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from quotes.feeds import FeedSettingsError, default_entry_rule, feed_settings
from quotes.models import HaltChange, Symbol, SymbolHead, SymbolRevision

pytestmark = pytest.mark.django_db

TERMS = ("--feed", "binance", "--source", "btcusdt")


def told(*arguments: str) -> str:
    """Run a command and return what it prints."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_symbol_is_offered_with_its_terms() -> None:
    """Contract: every option of ``add_symbol`` becomes a term."""
    told(
        *("add_symbol", "BTC.X", *TERMS, "--name", "Bitcoin", "--price-scale", "2", "--price-source", "last"),
        *("--max-tick-age-ms", "5000", "--payout", "90", "--min-stake", "2.50", "--max-stake", "99", "--min-duration"),
        *("60", "--max-duration", "600", "--entry-rule", "next_tick/1", "--settlement-rule", "trimmed_mean_10s/1"),
    )

    symbol = Symbol.objects.get(code="BTC.X")
    assert (symbol.feed, symbol.source, symbol.name, symbol.price_scale) == ("binance", "btcusdt", "Bitcoin", 2)
    assert (symbol.price_source, symbol.max_tick_age_ms, symbol.payout_percent) == ("last", 5_000, 90)
    assert (symbol.min_stake_minor, symbol.max_stake_minor) == (250, 9_900)
    assert (symbol.min_duration_s, symbol.max_duration_s, symbol.entry_rule) == (60, 600, "next_tick/1")
    assert symbol.settlement_rule == "trimmed_mean_10s/1"
    assert (symbol.offered_demo, symbol.offered_real) == (True, True)
    assert SymbolHead.objects.filter(symbol=symbol).exists()


@pytest.mark.parametrize(
    ("feed", "min_duration_s", "rule"),
    [
        ("simulator", 5, "last_tick/1"),
        ("script", 5, "last_tick/1"),
        ("binance", 5, "next_tick/1"),
        ("kraken", 59, "next_tick/1"),
        ("deriv", 1, "next_tick/1"),
        ("kraken", 60, "last_tick/1"),
        ("binance", 3_600, "last_tick/1"),
    ],
)
def test_short_options_on_real_feeds_open_at_the_next_tick(feed: str, min_duration_s: int, rule: str) -> None:
    """Rules 2, entry rule: the default follows from the feed and the shortest duration; a named rule wins over it."""
    terms = ("--feed", feed, "--source", "x", "--min-duration", str(min_duration_s))
    told("add_symbol", "BTC", *terms)
    told("add_symbol", "BTC", *terms)
    told("add_symbol", "NAMED", *terms, "--entry-rule", "last_tick/1")

    assert default_entry_rule(feed, min_duration_s) == rule
    assert Symbol.objects.get(code="BTC").entry_rule == rule
    assert Symbol.objects.get(code="NAMED").entry_rule == "last_tick/1"


def test_the_same_terms_again_change_nothing_and_others_are_refused() -> None:
    """Contract: a repeat is free; another meaning of a code is not."""
    told("add_symbol", "BTC", *TERMS)
    told("add_symbol", "BTC", *TERMS)

    assert Symbol.objects.filter(code="BTC").count() == 1
    with pytest.raises(CommandError, match="other terms"):
        told("add_symbol", "BTC", *TERMS, "--payout", "80")


def test_an_overridden_endpoint_is_part_of_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 1, custom feeds: whoever reads a receipt learns where the price came from."""
    monkeypatch.setenv("FEED_BINANCE_URL", "ws://127.0.0.1:9/stream")
    told("add_symbol", "BTC", *TERMS)

    assert SymbolRevision.objects.get(symbol__code="BTC").endpoint == "ws://127.0.0.1:9/stream"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("BTC", "--feed", "nobody", "--source", "x"), "no feed nobody"),
        (("BTC", *TERMS, "--entry-rule", "best/1"), "no entry rule best/1"),
        (("BTC", *TERMS, "--settlement-rule", "next_tick/1"), "no settlement rule next_tick/1"),
        (("btc", *TERMS), "CODE must be"),
        (("B" * 33, *TERMS), "CODE must be"),
        (("BTC", *TERMS, "--min-stake", "1.005"), "--min-stake"),
        (("BTC", *TERMS, "--max-stake", "-1"), "--max-stake"),
        (("BTC", *TERMS, "--min-stake", "5", "--max-stake", "4"), "stakes"),
        (("BTC", *TERMS, "--payout", "99"), "payouts"),
        (("BTC", *TERMS, "--min-duration", "0"), "durations"),
        (("BTC", *TERMS, "--price-scale", "11"), "scale"),
        (("BTC", *TERMS, "--max-tick-age-ms", "0"), "tick_age"),
        (("BTC", "--feed", "binance", "--source", "x" * 65), "64 characters"),
    ],
)
def test_wrong_terms_are_refused(arguments: tuple[str, ...], message: str) -> None:
    """Contract: bad input changes nothing and says why."""
    with pytest.raises(CommandError, match=message):
        told("add_symbol", *arguments)

    assert not Symbol.objects.exists()


def test_halt_and_resume() -> None:
    """Contract: a halt has a reason that traders read; repeats change nothing."""
    told("add_symbol", "BTC", *TERMS)
    for command in (("halt", "BTC", "--reason", "news"), ("halt", "BTC", "--reason", "news"), ("resume", "BTC")):
        told(*command)

    assert Symbol.objects.get(code="BTC").operator_state == "open"
    assert list(HaltChange.objects.order_by("id").values_list("state", "reason")) == [("halted", "news"), ("open", "")]


@pytest.mark.parametrize(
    "arguments",
    [("halt", "NOPE", "--reason", "x"), ("resume", "NOPE"), ("halt", "BTC", "--reason", " "), ("halt", "BTC")],
)
def test_unknown_symbols_and_empty_reasons_are_refused(arguments: tuple[str, ...]) -> None:
    """Contract: an error is an error, with an exit code."""
    with pytest.raises(CommandError):
        told(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--feed", "nobody"), "no feed nobody"),
        (("--feed", "script"), "needs --file"),
        (("--feed", "script", "--file", "/nowhere.csv"), "nowhere"),
        (("--feed", "script", "--file", __file__, "--start-at", "soon"), "--start-at"),
        (("--file", "x.csv"), "belong to --feed script"),
    ],
)
def test_a_parser_that_cannot_start_says_why(arguments: tuple[str, ...], message: str) -> None:
    """Contract, ``parse_quotes``: wrong options end with a message and exit code 1."""
    with pytest.raises(CommandError, match=message):
        told("parse_quotes", *arguments)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("wss://stream.binance.com:9443/stream", "", False)),
        ({"FEED_BINANCE_URL": "ws://x/stream"}, ("ws://x/stream", "ws://x/stream", False)),
        ({"FEED_BINANCE_TIME": "receive"}, ("wss://stream.binance.com:9443/stream", "", True)),
        ({"FEED_BINANCE_TIME": ""}, ("wss://stream.binance.com:9443/stream", "", False)),
    ],
)
def test_feeds_are_set_by_environment(variables: dict[str, str], expected: Any) -> None:
    """Contract, environment: ``FEED_<NAME>_URL`` and ``FEED_<NAME>_TIME``."""
    settings = feed_settings("binance", variables)

    assert (settings.endpoint, settings.override, settings.receive_time) == expected
    with pytest.raises(FeedSettingsError):
        feed_settings("binance", {"FEED_BINANCE_TIME": "lunar"})


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Contract: ``--help`` says what a command does."""
    for command in ("parse_quotes", "add_symbol", "halt", "resume"):
        with pytest.raises(SystemExit):
            call_command(command, "--help")
        assert len(capsys.readouterr().out) > 200
