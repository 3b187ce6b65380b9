"""Receipts carry proofs and a signature, for as long as the platform lives (docs/fairness/formats.md, `receipt/2`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from kernel.canonical import canonical
from quotes.admission import heartbeats_record
from quotes.models import TickArchive
from quotes.proofs import tick_proofs
from quotes.sealing import root_from_path
from quotes.seals import seals_make
from settlement.archive import day_path, ticks_archive
from settlement.verifier import verifier_bytes
from tests.accounts.people import person
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE_MS, DAY_MS = 60_000, 86_400_000


def _answer(trader: Trader, order_id: str) -> bytes:
    response = trader.http().get(f"/api/v1/orders/{order_id}/receipt")
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "application/json"
    return bytes(response.content)


def _settled(market: Market, trader: Trader) -> str:
    """Settle an order over a minute's length; return its id."""
    order = trader.place(market, "up", expires_at_ms=market.now_ms + 61_000)
    expires_ms = order_row(order).expires_at_ms
    for before_ms, price in ((11_000, "1.08500"), (9_000, "1.08514"), (1_000, "1.08515")):
        market.admitted(price, at_ms=expires_ms - before_ms)
    market.admitted("1.08000", at_ms=expires_ms + 2)
    settle_due()
    return order.id


def _sealed(market: Market) -> None:
    """Let the feed be heard from minutes later, so that every minute with a tick is final, and seal."""
    heartbeats_record(heartbeats={market.id: market.newest_ms + 3 * MINUTE_MS})
    assert seals_make(now_ms=db_now_ms()) > 0


def _lasting(receipt: bytes) -> dict[str, Any]:
    """Return what stays of a receipt from one request to the next."""
    document: dict[str, Any] = json.loads(receipt)
    return {name: member for name, member in document.items() if name not in ("signed_at", "signature", "ticks")}


@pytest.fixture
def archived_below(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """Keep the archive in a folder of its own, and give dropped days their partitions back."""
    settings.DATA_DIR = tmp_path
    yield tmp_path
    today = datetime.fromtimestamp(db_now_ms() / 1000, UTC).date()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE quotes_tick_archive")
        for ahead in (-1, 0, 1, 2):
            cursor.execute("SELECT quotes_partition_ensure(%s)", [today + timedelta(days=ahead)])


def _days_leave_the_log(market: Market) -> list[date]:
    """Archive every day and drop it as if it were old enough, which only the tables' owner can."""
    heartbeats_record(heartbeats={market.id: db_now_ms() + 6 * DAY_MS})
    ticks_archive(now_ms=db_now_ms() + 4 * DAY_MS)
    days = list(TickArchive.objects.values_list("day", flat=True))
    with connection.cursor() as cursor:
        for day in days:
            cursor.execute(f"DROP TABLE quotes_tick_{day:%Y%m%d}, quotes_watermark_raise_{day:%Y%m%d}")
        cursor.execute("UPDATE quotes_tick_archive SET dropped_at_ms = 1")
    return days


def test_proofs_are_pending_and_then_complete() -> None:
    """Formats: every tick has its proof once its minute is sealed, and each proof's seal is there once, by minute."""
    market, trader = market_open(settlement_rule="trimmed_mean_10s/1"), trader_open()
    order_id = _settled(market, trader)
    pending = json.loads(_answer(trader, order_id))
    assert pending["proofs"] == "pending"
    assert pending["opening"]["tick"]["proof"] is None
    assert pending["seals"] == []
    _sealed(market)
    text = _answer(trader, order_id)
    receipt = json.loads(text)
    assert canonical(receipt) == text
    assert receipt["proofs"] == "complete"
    evidence = receipt["evidence"]
    shown = [receipt["opening"]["tick"], *evidence["window"], evidence["window_before"], evidence["after"]]
    minutes = [seal["minute"] for seal in receipt["seals"]]
    assert minutes == sorted({tick["proof"]["minute"] for tick in shown})
    assert len(minutes) >= 2
    first = evidence["window"][0]["seq"]
    assert [tick["seq"] for tick in (evidence["window_before"], *evidence["window"])] == [first - 1, first, first + 1]


def test_a_receipt_is_as_whole_when_its_days_have_left_the_log(archived_below: Path) -> None:
    """Issue: receipts of archived days carry the same ticks and proofs, read from the archive."""
    market, trader = market_open(settlement_rule="trimmed_mean_10s/1"), trader_open()
    order_id = _settled(market, trader)
    _sealed(market)
    before = _answer(trader, order_id)
    assert _days_leave_the_log(market)
    after = _answer(trader, order_id)
    assert (json.loads(before)["ticks"], json.loads(after)["ticks"]) == ("log", "archive")
    # The raises of the watermark go with their day; nothing else does.
    assert _lasting(after) | {"watermark": None} == _lasting(before) | {"watermark": None}


def test_a_damaged_archive_shows_no_tick_instead_of_another(archived_below: Path) -> None:
    """Principle 5: what is not the file that was written is no evidence; the receipt says what is left."""
    market, trader = market_open(), trader_open()
    order_id = _settled(market, trader)
    _sealed(market)
    for day in _days_leave_the_log(market):
        with day_path(day).open("ab") as file:
            file.write(b"\0")
    receipt = json.loads(_answer(trader, order_id))
    assert receipt["opening"]["tick"] is None
    assert receipt["order"]["open_tick"] is not None


def test_a_refund_at_entry_shows_the_ticks_between_which_none_came() -> None:
    """Rules 2: that no tick came in time can be seen: the log went from one number to the next."""
    market, trader = market_open(entry_rule="next_tick/1"), trader_open()
    order = trader.place(market, expires_at_ms=market.now_ms + 8_000)
    market.admitted("1.08500", at_ms=order_row(order).expires_at_ms - 1)
    settle_due()
    receipt = json.loads(_answer(trader, order.id))
    opening = receipt["opening"]
    assert receipt["order"]["reason"] == "no_entry_tick"
    assert opening["tick"] is None
    assert opening["before"]["seq"] == receipt["terms"]["entry_after_seq"]
    assert opening["after"]["seq"] == opening["before"]["seq"] + 1
    assert opening["after"]["at"] > receipt["terms"]["entry_until"]


def test_a_proof_of_a_receipt_is_the_one_of_the_log() -> None:
    """Formats: the path leads from the tick's leaf to the seal's root."""
    market, trader = market_open(), trader_open()
    order_id = _settled(market, trader)
    _sealed(market)
    tick = json.loads(_answer(trader, order_id))["evidence"]["tick"]
    proof = tick_proofs(symbol_id=market.id, seqs=[tick["seq"]])[tick["seq"]]
    assert tick["proof"]["path"] == [node.hex() for node in proof.path]
    other = root_from_path(leaf=bytes(32), index=proof.index, count=proof.seal.count, path=proof.path)
    assert other != proof.seal.root


def test_an_operator_downloads_the_receipt_that_the_client_gets(client: Client) -> None:
    """Issue: operators see the signed receipt; who may not see orders does not."""
    market, trader = market_open(), trader_open()
    order_id = _settled(market, trader)
    address = reverse("admin:trading_order_receipt", args=[UUID(order_id)])
    backend = "django.contrib.auth.backends.ModelBackend"
    client.force_login(person(staff=True), backend=backend)
    page = client.get(reverse("admin:trading_order_change", args=[order_id]))
    assert address in page.content.decode()
    answer = client.get(address)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="receipt-{order_id}.json"'
    assert _lasting(answer.content) == _lasting(_answer(trader, order_id))
    assert client.get(reverse("admin:trading_order_receipt", args=[UUID(int=1)])).status_code == 404
    client.force_login(person(), backend=backend)
    assert client.get(address).status_code in (302, 403)


def test_anybody_gets_the_keys_and_the_verifier(client: Client) -> None:
    """Issue: public, without a log-in; the program's bytes are those that anybody builds from the sources."""
    # Who fetches the keys before the first document is signed knows the one that will sign it.
    before = client.get("/api/v1/fairness/keys").json()["data"]
    market, trader = market_open(), trader_open()
    receipt = json.loads(_answer(trader, _settled(market, trader)))
    (key,) = client.get("/api/v1/fairness/keys").json()["data"]
    assert before == [key]
    assert key["until"] is None
    assert (key["key_id"], key["kind"]) == (receipt["signature"]["key_id"], "dev")
    program = client.get("/api/v1/fairness/verifier")
    assert program.content == verifier_bytes()
    assert program.headers["ETag"] == f'"{sha256(program.content).hexdigest()}"'
    assert "fairstrike-verify.pyz" in program.headers["Content-Disposition"]
    assert client.get("/api/v1/fairness/keys?x=1").status_code == 400
