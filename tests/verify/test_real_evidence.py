"""What a running platform hands out verifies with nothing but Python, and does not once it is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from fairstrike_verify import Outcome, Report, Source, Verdict, verify
from kernel.canonical import canonical
from kernel.signing import signed
from quotes.admission import heartbeats_record
from quotes.heads import FILE_TARGET, heads_append, heads_publish
from quotes.models import FeedDeclaration
from quotes.sealing import minute_of
from quotes.seals import seals_make
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE_MS = 60_000


def _receipt(trader: Trader, order_id: str) -> bytes:
    response = trader.http().get(f"/api/v1/orders/{order_id}/receipt")
    assert response.status_code == 200, response.content
    return bytes(response.content)


def _keys(trader: Trader) -> bytes:
    return _download(trader, "keys")


def _days(receipt: bytes) -> list[str]:
    """Return the days in which a receipt has ticks: one, but for orders over midnight."""
    document = json.loads(receipt)
    return sorted({seal["minute"][:10] for seal in document["seals"]} or {document["order"]["expires_at"][:10]})


def _download(trader: Trader, address: str) -> bytes:
    response = trader.http().get(f"/api/v1/fairness/{address}")
    assert response.status_code == 200, response.content
    return bytes(response.getvalue())


def _archives(trader: Trader, market: Market, receipt: bytes) -> list[bytes]:
    return [_download(trader, f"archives/{day}/{market.code}") for day in _days(receipt)]


def _sealed(market: Market) -> None:
    """Let the market go on, so that every minute with something to prove is final, and seal."""
    market.admitted("1.08600", at_ms=market.newest_ms + 3 * MINUTE_MS)
    assert seals_make(now_ms=db_now_ms()) > 0


def _failed(report: Report) -> list[str]:
    return [line.words for line in report.lines if line.outcome is Outcome.FAILED]


def _won(market: Market, trader: Trader) -> str:
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 4_000)
    expires_ms = order_row(order).expires_at_ms
    market.admitted("1.08520", at_ms=expires_ms - 1_000)
    market.admitted("1.08600", at_ms=expires_ms + 2)
    return order.id


def _lost(market: Market, trader: Trader) -> str:
    order = trader.place(market, "down", expires_at_ms=market.now_ms + 4_000)
    market.admitted("1.08520", at_ms=order_row(order).expires_at_ms)
    market.admitted("1.08500", at_ms=order_row(order).expires_at_ms + 1)
    return order.id


def _tied(market: Market, trader: Trader) -> str:
    order = trader.place(market, "down", expires_at_ms=market.now_ms + 2_000)
    market.admitted("1.08500", at_ms=order_row(order).expires_at_ms + 1)
    return order.id


def _stale(market: Market, trader: Trader) -> str:
    order = trader.place(market, "down", expires_at_ms=market.now_ms + 9_000)
    market.admitted("1.08500", at_ms=order_row(order).expires_at_ms + 1)
    return order.id


def _entered(market: Market, trader: Trader) -> str:
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 4_000)
    market.admitted("1.08514", at_ms=market.now_ms + 10)
    market.admitted("1.08520", at_ms=order_row(order).expires_at_ms - 1_000)
    market.admitted("1.08500", at_ms=order_row(order).expires_at_ms + 1)
    return order.id


def _not_entered(market: Market, trader: Trader) -> str:
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 8_000)
    market.admitted("1.08500", at_ms=order_row(order).expires_at_ms - 1)
    return order.id


def _averaged(market: Market, trader: Trader) -> str:
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 12_000)
    expires_ms = order_row(order).expires_at_ms
    for before_ms, price in ((10_000, "1.09000"), (9_999, "1.08500"), (5_000, "1.08514"), (0, "1.08515")):
        market.admitted(price, at_ms=expires_ms - before_ms)
    market.admitted("1.08000", at_ms=expires_ms + 2)
    return order.id


def _averaged_nothing(market: Market, trader: Trader) -> str:
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 15_000)
    market.admitted("1.08000", at_ms=order_row(order).expires_at_ms + 2)
    return order.id


def _moved_away(market: Market, trader: Trader) -> str:
    guards = {"expected_price": "1.08512", "max_price_drift": "0.0001"}
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 4_000, **guards)
    for _ in range(2):
        market.admitted("1.08540", at_ms=market.now_ms + 10)
    return order.id


def _revised(market: Market, trader: Trader) -> str:
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 4_000)
    market.revised()
    market.admitted("1.08540", at_ms=order_row(order).expires_at_ms - 10)
    market.admitted("1.08540", at_ms=order_row(order).expires_at_ms + 10)
    return order.id


def _closed(market: Market, trader: Trader) -> str:
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 4_000)
    at_ms = order_row(order).expires_at_ms - 10
    FeedDeclaration.objects.create(
        symbol_id=market.id, at_ms=at_ms, received_at_ms=at_ms, closed=True, reason="the exchange has closed"
    )
    market.admitted("1.08540", at_ms=at_ms)
    market.admitted("1.08540", at_ms=at_ms + 20)
    return order.id


Story = Callable[[Market, Trader], str]
LAST_TICK: dict[Story, tuple[str, str | None]] = {
    _won: ("won", None),
    _lost: ("lost", None),
    _tied: ("tied", None),
    _stale: ("refunded", "stale_tick"),
    _revised: ("refunded", "revision"),
    _closed: ("refunded", "feed_closed"),
}
NEXT_TICK: dict[Story, tuple[str, str | None]] = {
    _entered: ("won", None),
    _not_entered: ("refunded", "no_entry_tick"),
    _moved_away: ("refunded", "price_moved"),
}
MEAN: dict[Story, tuple[str, str | None]] = {_averaged: ("lost", None), _averaged_nothing: ("refunded", "no_tick")}


@pytest.mark.parametrize(
    ("terms", "stories"),
    [({}, LAST_TICK), ({"entry_rule": "next_tick/1"}, NEXT_TICK), ({"settlement_rule": "trimmed_mean_10s/1"}, MEAN)],
    ids=["last_tick", "next_tick", "trimmed_mean"],
)
def test_every_kind_of_result_verifies(terms: dict[str, Any], stories: dict[Story, tuple[str, str | None]]) -> None:
    """Issue: a receipt and an archive verify on a machine with nothing but Python, whatever the rules and the end."""
    trader = trader_open()
    told = {story: market_open(f"PAIR{number}", **terms) for number, story in enumerate(stories)}
    orders = {story: story(market, trader) for story, market in told.items()}
    settle_due()
    for market in told.values():
        market.admitted("1.08600", at_ms=market.newest_ms + 3 * MINUTE_MS)
    while seals_make(now_ms=db_now_ms()):
        pass
    for story, order_id in orders.items():
        receipt = _receipt(trader, order_id)
        document = json.loads(receipt)
        assert (document["order"]["state"], document["order"]["reason"], document["proofs"]) == (
            *stories[story],
            "complete",
        )
        alone = verify([Source("receipt", receipt)], keys=Source("keys", _keys(trader)))
        assert (_failed(alone), alone.verdict) == ([], Verdict.VERIFIED)
        archives = [Source("archive", text) for text in _archives(trader, told[story], receipt)]
        both = verify([Source("receipt", receipt), *archives], keys=Source("keys", _keys(trader)))
        assert (_failed(both), both.verdict) == ([], Verdict.VERIFIED)


@pytest.mark.parametrize(("into_minute_ms", "verdict"), [(20_000, Verdict.VERIFIED), (500, Verdict.PENDING)])
def test_that_nothing_came_after_the_evidence_is_proven_by_its_seal_or_not_yet(
    into_minute_ms: int, verdict: Verdict
) -> None:
    """Formats: without a later tick a seal that ends with the evidence proves it, but only for its own minute."""
    market, trader = market_open(), trader_open()
    expires_ms = minute_of(market.now_ms) + 2 * MINUTE_MS + into_minute_ms
    order = trader.place(market, "up", expires_at_ms=expires_ms)
    market.admitted("1.08520", at_ms=expires_ms - 1_000)
    heartbeats_record(heartbeats={market.id: expires_ms + 3 * MINUTE_MS})
    assert settle_due() == 1
    assert seals_make(now_ms=db_now_ms()) > 0
    receipt = _receipt(trader, order.id)
    document = json.loads(receipt)
    assert (document["evidence"]["after"], document["proofs"]) == (None, "complete")
    report = verify([Source("receipt", receipt)])
    assert (_failed(report), report.verdict) == ([], verdict)


def test_a_receipt_is_pending_until_its_minute_is_sealed_and_an_archive_proves_it_meanwhile() -> None:
    """Formats: proofs are pending while a minute is open; the rest is verified, and nothing is called proven."""
    market, trader = market_open(), trader_open()
    order_id = _won(market, trader)
    settle_due()
    pending = _receipt(trader, order_id)
    report = verify([Source("receipt", pending)])
    assert (_failed(report), report.verdict) == ([], Verdict.PENDING)
    assert any("NOT PROVEN YET" in line.words and "Fetch it again" in line.words for line in report.lines)
    _sealed(market)
    archives = [Source("archive", text) for text in _archives(trader, market, _receipt(trader, order_id))]
    assert verify([Source("receipt", pending), *archives]).verdict is Verdict.VERIFIED


def test_the_zipapp_verifies_what_the_platform_hands_out_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    """Issue, done when: one flipped byte, a dropped tick and a swap fail; no package, no environment, no network."""
    settings.DATA_DIR = tmp_path
    market, trader = market_open(), trader_open()
    order_id = _won(market, trader)
    settle_due()
    _sealed(market)
    heads_publish(target=FILE_TARGET, deliver=heads_append)
    receipt = _receipt(trader, order_id)
    archive, day = _archives(trader, market, receipt)[-1], _days(receipt)[-1]
    program = tmp_path / "fairstrike-verify.pyz"
    program.write_bytes(_download(trader, "verifier"))
    (tmp_path / "keys.json").write_bytes(_keys(trader))
    (tmp_path / "day.json").write_bytes(_download(trader, f"archives/{day}"))
    kept = sorted((tmp_path / "heads").glob("*.log"))[-1]

    def run(receipt: bytes, archive: bytes) -> tuple[int, str]:
        (tmp_path / "receipt.json").write_bytes(receipt)
        (tmp_path / "archive.txt").write_bytes(archive)
        asked = [
            str(program),
            "receipt.json",
            "archive.txt",
            "--keys",
            "keys.json",
            "--manifest",
            "day.json",
            "--heads",
            str(kept),
        ]
        done = subprocess.run(
            [sys.executable, "-I", "-S", *asked], cwd=tmp_path, env={}, capture_output=True, text=True, timeout=30
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    code, words = run(receipt, archive)
    assert code == 0, words
    assert "VERIFIED: everything that was given holds" in words
    lines = archive.splitlines(keepends=True)
    assert len(lines) > 4
    flipped = receipt.replace(b'"won"', b'"wom"', 1)
    dropped = b"".join([*lines[:2], *lines[3:]])
    swapped = b"".join([*lines[:2], lines[3], lines[2], *lines[4:]])
    for changed in ((flipped, archive), (receipt, dropped), (receipt, swapped)):
        code, words = run(*changed)
        assert code == 1, words
        assert "FAILED: not everything holds" in words


def test_a_result_that_was_changed_and_signed_again_fails_by_its_rule() -> None:
    """Issue: the platform itself cannot hand out another result, though it has the key."""
    market, trader = market_open(), trader_open()
    order_id = _won(market, trader)
    settle_due()
    _sealed(market)
    document = json.loads(_receipt(trader, order_id))
    document["order"] |= {"state": "lost", "payout": "0.00", "profit": "-10.00"}
    del document["signature"]
    report = verify([Source("receipt", canonical(signed(document)))])
    assert any("by its rule it is won" in words for words in _failed(report))
