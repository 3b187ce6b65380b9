"""The journal: a client's own notes and tags, for nobody else, and no part of any result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from kernel import db
from tests.books import fingerprint
from tests.market import Market, Trader, market_open, order_row, settle_due, trader_open
from trading.models import JournalEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="100.00")


def _put(client: Client, order_id: str, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.put(f"/api/v1/orders/{order_id}/journal", raw, content_type="application/json")


def test_an_entry_is_written_whole_read_back_and_taken_away(market: Market, trader: Trader) -> None:
    """PUT replaces the entry; an empty one is none; tags are one word for one thing."""
    order, client = trader.place(market), trader.http()
    address = f"/api/v1/orders/{order.id}/journal"
    nothing: dict[str, Any] = {"order_id": order.id, "note": "", "tags": [], "written_at": None}
    assert client.get(address).json() == nothing

    written = _put(client, order.id, {"note": "  Late entry. ", "tags": ["News", " late  entry ", "news", "НОВОСТИ"]})
    assert (written.status_code, written.json()["note"]) == (200, "Late entry.")
    assert written.json()["tags"] == ["news", "late entry", "новости"]
    assert client.get(address).json() == written.json()

    assert _put(client, order.id, {"tags": ["late"]}).json()["note"] == ""
    assert _put(client, order.id, {"note": " "}).json() == nothing
    assert not JournalEntry.objects.exists()


def test_nobody_reads_or_writes_what_another_noted(market: Market, trader: Trader) -> None:
    """404 for another's order, the same as for one that does not exist; lists hold one's own."""
    order, other = trader.place(market), trader_open()
    _put(trader.http(), order.id, {"note": "mine", "tags": ["mine"]})
    stranger = other.http()
    for order_id in (order.id, str(UUID(int=404))):
        refused = [stranger.get(f"/api/v1/orders/{order_id}/journal"), _put(stranger, order_id, {"note": "theirs"})]
        assert [(each.status_code, each.json()["code"]) for each in refused] == [(404, "not_found")] * 2
    assert stranger.get("/api/v1/journal").json() == {"data": [], "next_cursor": None}
    assert stranger.get("/api/v1/journal/tags").json()["data"] == []
    assert JournalEntry.objects.get().note == "mine"
    assert Client().get("/api/v1/journal").status_code == 401


def test_scopes_and_ledgers_of_tokens(market: Market, trader: Trader) -> None:
    """read reads, trade writes; a token of one ledger sees that one's orders only."""
    demo, real = trader.place(market), trader.place(market, ledger="real")
    for order in (demo, real):
        assert _put(trader.http(), order.id, {"tags": ["both"]}).status_code == 200
    reader, bound = trader.http(scopes=("read",)), trader.http(ledgers=("demo",))
    assert (_put(reader, demo.id, {}).status_code, _put(reader, demo.id, {}).json()["code"]) == (403, "auth.scope")
    assert bound.get(f"/api/v1/orders/{real.id}/journal").status_code == 404
    assert _put(bound, real.id, {"note": "x"}).status_code == 404
    assert [row["order_id"] for row in bound.get("/api/v1/journal").json()["data"]] == [demo.id]
    assert bound.get("/api/v1/journal/tags").json()["data"] == [{"tag": "both", "count": 1}]
    assert reader.get("/api/v1/journal/tags").json()["data"] == [{"tag": "both", "count": 2}]
    refused = bound.get("/api/v1/journal?ledger=real")
    assert (refused.status_code, refused.json()["code"]) == (403, "auth.ledger")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"note": "x" * 2_001}, "note"),
        ({"note": None}, "note"),
        ({"note": "a\0"}, "note"),
        ({"tags": "late"}, "tags"),
        ({"tags": [1]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": [" "]}, "tags"),
        ({"tags": ["x" * 25]}, "tags"),
        ({"tags": ["a\x07b"]}, "tags"),
        ({"tags": [f"tag {number}" for number in range(11)]}, "tags"),
        ({"text": "x"}, "text"),
        (b'{"note": "\\ud800"}', "note"),
        (b'{"tags": ["\\ud800"]}', "tags"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(market: Market, trader: Trader, body: Any, field: str) -> None:
    """400 request.invalid with the field; nothing is written."""
    refused = _put(trader.http(), trader.place(market).id, body)
    assert (refused.status_code, refused.json()["code"]) == (400, "request.invalid")
    assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert not JournalEntry.objects.exists()


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"not json"])
def test_only_an_object_is_taken(market: Market, trader: Trader, body: bytes) -> None:
    """400, never 500."""
    assert _put(trader.http(), trader.place(market).id, body).status_code == 400


def test_bounds_may_be_reached(market: Market, trader: Trader) -> None:
    """2,000 characters, 10 tags of 24; a letter of four bytes is one character."""
    tags = [f"{number:024d}" for number in range(10)]
    written = _put(trader.http(), trader.place(market).id, {"note": "🙂" * 2_000, "tags": tags})
    assert (written.status_code, written.json()["tags"]) == (200, tags)


def test_the_database_refuses_what_the_service_would(market: Market, trader: Trader) -> None:
    """Bounds are constraints, whoever writes."""
    order = order_row(trader.place(market))
    good = {"order": order, "user_id": order.user_id, "accepted_at_ms": order.accepted_at_ms, "written_at_ms": 1}
    for wrong in (
        {"note": "", "tags": []},
        {"note": "x" * 2_001},
        {"tags": ["x"] * 11},
        {"tags": [""]},
        {"note": "x", "tags": [None]},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            JournalEntry.objects.create(**(good | wrong))


def test_the_journal_is_listed_by_tag_and_pages_to_its_end(market: Market, trader: Trader) -> None:
    """Those on the newest orders first, with their orders; keyset pages without a gap or a double."""
    client = trader.http()
    orders = [trader.place(market).id for _ in range(5)]
    for number, order_id in enumerate(orders):
        _put(client, order_id, {"note": str(number), "tags": ["even" if number % 2 == 0 else "odd"]})
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/api/v1/journal?ledger=demo&limit=2{cursor}").json()
        seen += [row["order"]["id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(orders)
    assert seen == [row["id"] for row in client.get("/api/v1/orders").json()["data"]]
    assert [row["note"] for row in client.get("/api/v1/journal?tag=ODD").json()["data"]] == ["3", "1"]
    assert client.get("/api/v1/journal/tags").json()["data"] == [
        {"tag": "even", "count": 3},
        {"tag": "odd", "count": 2},
    ]
    assert client.get("/api/v1/journal?symbol=GBPUSD").json()["data"] == []
    for wrong in ("ledger=margin", "tags=x", "cursor=xyz", "limit=0"):
        assert client.get(f"/api/v1/journal?{wrong}").status_code == 400


def test_notes_change_nothing_that_money_hangs_on(market: Market, trader: Trader) -> None:
    """Orders, ledger and events are the same bytes after a note; the order settles as if there were none."""
    noted, plain = trader.place(market), trader.place(market)
    before = fingerprint()
    _put(trader.http(), noted.id, {"note": "refund me", "tags": ["won", "dispute"]})
    assert fingerprint() == before

    market.admitted("1.08000", at_ms=order_row(noted).expires_at_ms)
    market.admitted("1.08000", at_ms=order_row(plain).expires_at_ms + 1_000)
    assert settle_due() == 2
    first, second = order_row(noted), order_row(plain)
    assert (first.state, first.close_price, first.payout) == (second.state, second.close_price, second.payout)


def test_no_rule_and_no_settlement_names_the_journal() -> None:
    """Only the journal's own files, its statistics and its table know of it."""
    root = Path(__file__).parents[2]
    files = [*(root / "settlement").rglob("*.py"), *(root / "quotes").rglob("*.py"), *(root / "trading").rglob("*.py")]
    naming = {path.name for path in files if "journal" in path.read_text().lower()}
    assert naming <= {
        "journal.py",
        "journal_api.py",
        "models.py",
        "0008_journal.py",
        "statistics.py",
        "statistics_api.py",
        "urls.py",
    }
    triggers = "SELECT FROM pg_trigger WHERE tgrelid = 'trading_journal_entry'::regclass AND NOT tgisinternal"
    assert db.row(triggers) is None
