"""Every refusal of an order, provoked over HTTP (contract, Refusal codes; issue: balances and orders unchanged)."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection, connections
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

import trading
from accounts.limits import LIMITS
from accounts.models import CountryPolicy, User
from accounts.services import token_create, user_ban
from kernel import db
from kernel.clock import rfc3339
from ledger.services import balance_adjust
from quotes.models import MarketCalendar, Symbol, TradingWindow
from quotes.services import symbol_halt
from tests.books import fingerprint, violations
from tests.market import Market, Trader, db_now_ms, market_open, trader_open
from tests.quotes.live import stream_running
from tests.quotes.running import ROOT
from tests.trading.tickets import BODY, MALFORMED, SENDINGS, Sending, without
from trading.limit_rules import TOKEN_LIMITS
from trading.models import TradingPolicy

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = "/api/v1/orders"
# Contract, Errors: what may succeed later without a change of the request.
RETRYABLE = {"market.stale", "rate.limited", "order.busy", "order.price_moved", "order.payout_moved"}
FAR_MS = 9_000_000_000_000
_ids = count(1)


@dataclass
class Attempt:
    """A request that must be refused, and what holds while it is made."""

    client: Client
    body: dict[str, Any] | bytes
    content_type: str = "application/json"
    meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext

    def make(self) -> Any:
        """Send it."""
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        with self.meanwhile():
            return self.client.post(ORDERS, raw, content_type=self.content_type)


@dataclass
class Scene:
    """An open market and a trader with real money and an open order."""

    market: Market
    trader: Trader
    settings: Any

    def ask(self, client: Client | None = None, **changes: Any) -> Attempt:
        """Return an attempt that differs from an acceptable order by ``changes``."""
        return Attempt(client or self.trader.http(), BODY | {"client_order_id": f"new-{next(_ids)}"} | changes)

    def symbol(self, **columns: Any) -> None:
        """Change the symbol's terms, as an operator does."""
        assert Symbol.objects.filter(pk=self.market.id).update(**columns) == 1

    def user(self, **columns: Any) -> None:
        """Change what is known of the trader."""
        assert User.objects.filter(pk=self.trader.user.pk).update(**columns) == 1

    def sessions(self, *windows: tuple[int, int]) -> None:
        """Give the symbol trading hours, in milliseconds from now."""
        now_ms = db_now_ms()
        calendar = MarketCalendar.objects.create(name="Test", time_zone="UTC")
        for opens_ms, closes_ms in windows:
            TradingWindow.objects.create(
                calendar=calendar, opens_ms=now_ms + opens_ms, closes_ms=now_ms + closes_ms, made_at_ms=now_ms
            )
        self.symbol(calendar=calendar)

    def bonus(self, **policy: Any) -> Attempt:
        """Return an attempt on a bonus wallet that a policy binds."""
        wallet_id = _bonus_wallet(self.trader)
        TradingPolicy.objects.create(wallet_id=wallet_id, **policy)
        attempt = self.ask(wallet_id=str(wallet_id))
        assert isinstance(attempt.body, dict)
        del attempt.body["ledger"]
        return attempt


def _bonus_wallet(trader: Trader) -> UUID:
    """Open an empty wallet that policies bind; bonuses themselves come with payments."""
    wallet_id, stakes_id = uuid4(), uuid4()
    for account_id, kind, of in ((wallet_id, "bonus", None), (stakes_id, "stakes", wallet_id)):
        db.run(
            "INSERT INTO ledger_account (id, owner_id, book, currency, kind, stripe, wallet_id, balance, entry_no,"
            " opened_at_ms) VALUES (%s, %s, 'real', 'USD', %s, 0, %s, 0, 0, 0)",
            [account_id, trader.user.id, kind, of],
        )
    return wallet_id


Provocation = Callable[[Scene], Attempt]


def _with(**changes: Any) -> Provocation:
    return lambda scene: scene.ask(**changes)


def _banned(scene: Scene) -> Attempt:
    client = scene.trader.http()
    user_ban(email=scene.trader.user.email, reason="for tests", now_ms=db_now_ms())
    return scene.ask(client)


def _with_user(**columns: Any) -> Provocation:
    def arrange(scene: Scene) -> Attempt:
        scene.user(**columns)
        return scene.ask(ledger="real")

    return arrange


def _with_symbol(changes: dict[str, Any], **asked: Any) -> Provocation:
    def arrange(scene: Scene) -> Attempt:
        scene.symbol(**changes)
        return scene.ask(**asked)

    return arrange


def _unverified(scene: Scene) -> Attempt:
    trader = trader_open(verified=False)
    balance_adjust(wallet_id=trader.wallets["real"], amount=10_000, reason="for tests")
    return scene.ask(trader.http(), ledger="real")


def _jurisdiction(scene: Scene) -> Attempt:
    CountryPolicy.objects.create(country="US", orders_refused=True)
    scene.user(country="US")
    return scene.ask()


def _foreign_wallet(scene: Scene) -> Attempt:
    attempt = scene.ask(wallet_id=str(trader_open().wallets["demo"]))
    assert isinstance(attempt.body, dict)
    del attempt.body["ledger"]
    return attempt


def _reused(scene: Scene) -> Attempt:
    client = scene.trader.http()
    attempt = scene.ask(client)
    assert attempt.make().status_code == 201
    assert isinstance(attempt.body, dict)
    return Attempt(client, attempt.body | {"stake": "11.00"})


def _busy(scene: Scene) -> Attempt:
    attempt = scene.ask()
    attempt.meanwhile = partial(_locked, scene.trader.wallets["demo"])
    return attempt


@contextmanager
def _locked(wallet_id: UUID) -> Iterator[None]:
    """Hold the wallet as another process would that hangs."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    address = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
    with psycopg.connect(address) as other:
        other.execute("SELECT FROM ledger_account WHERE id = %s FOR NO KEY UPDATE", [wallet_id])
        yield
        other.rollback()


def _closed(scene: Scene) -> Attempt:
    scene.sessions((3_600_000, 7_200_000))
    return scene.ask()


def _outside_session(scene: Scene) -> Attempt:
    scene.sessions((-60_000, 40_000))
    return scene.ask(duration_s=60)


def _past_deadline(scene: Scene) -> Attempt:
    scene.symbol(purchase_deadline_s=10)
    attempt = scene.ask(expires_at=rfc3339(db_now_ms() + 6_000))
    assert isinstance(attempt.body, dict)
    del attempt.body["duration_s"]
    return attempt


def _halted(scene: Scene) -> Attempt:
    symbol_halt(code=scene.market.code, reason="Exchange outage")
    return scene.ask()


def _close_only(scene: Scene) -> Attempt:
    symbol_halt(code=scene.market.code, reason="Being delisted", close_only=True)
    return scene.ask()


def _stale(scene: Scene) -> Attempt:
    market = market_open("GBPUSD", price=None)
    market.heartbeat()
    return scene.ask(symbol="GBPUSD")


def _too_fast(scene: Scene) -> Attempt:
    scene.settings.RATE_LIMITS = scene.settings.RATE_LIMITS | {"orders": (1, 60, 1)}
    client = scene.trader.http()
    assert scene.ask(client, symbol="NOPE").make().status_code == 422
    return scene.ask(client)


def _limited(**limits: Any) -> Provocation:
    def arrange(scene: Scene) -> Attempt:
        client = scene.trader.http()
        answer = client.put("/api/v1/limits", json.dumps(limits).encode(), content_type="application/json")
        assert answer.status_code == 200, answer.content
        return scene.ask(client, ledger="real")

    return arrange


def _session_over(scene: Scene) -> Attempt:
    """The trader's open real order began the session; its acceptance is moved back, which no statement of ours does."""
    attempt = _limited(session=1)(scene)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_order DISABLE TRIGGER USER")
        cursor.execute("UPDATE trading_order SET accepted_at_ms = accepted_at_ms - 120000 WHERE book = 'real'")
        cursor.execute("ALTER TABLE trading_order ENABLE TRIGGER USER")
    return attempt


def _capped(*, stake_day: int | None = None, loss_day: int | None = None) -> Provocation:
    def arrange(scene: Scene) -> Attempt:
        _, secret = token_create(
            user_id=scene.trader.user.id,
            scopes=["read", "trade"],
            now_ms=db_now_ms(),
            stake_day_cap=stake_day,
            loss_day_cap=loss_day,
        )
        client = Client(headers={"Authorization": f"Bearer {secret}"})
        assert scene.ask(client).make().status_code == 201
        return scene.ask(client)

    return arrange


def _raw(body: bytes, content_type: str = "application/json") -> Provocation:
    return lambda scene: Attempt(scene.trader.http(), body, content_type)


def _other_ledger(scene: Scene) -> Attempt:
    return scene.ask(scene.trader.http(ledgers=("demo",)), ledger="real")


@dataclass(frozen=True)
class Refusal:
    """One way to be refused."""

    code: str
    status: int
    arrange: Provocation


REFUSALS = [
    Refusal("account.banned", 403, _banned),
    Refusal("account.excluded", 403, _with_user(excluded_until_ms=FAR_MS)),
    Refusal("account.on_break", 403, _with_user(break_until_ms=FAR_MS)),
    Refusal("account.unverified", 403, _unverified),
    Refusal("account.jurisdiction", 403, _jurisdiction),
    Refusal("wallet.unknown", 404, _foreign_wallet),
    Refusal("wallet.not_tradable", 422, lambda scene: scene.bonus(tradable_from_ms=FAR_MS)),
    Refusal("wallet.not_tradable", 422, lambda scene: scene.bonus(tradable_until_ms=1)),
    Refusal("wallet.symbol_not_allowed", 422, lambda scene: scene.bonus(symbols=["GBPUSD"])),
    Refusal("wallet.insufficient_funds", 422, _with(ledger="real", stake="90.01")),
    Refusal("symbol.unknown", 422, _with(symbol="NOPE")),
    Refusal("symbol.not_offered", 422, _with_symbol({"offered_real": False}, ledger="real")),
    Refusal("symbol.not_offered", 422, _with_symbol({"offered_demo": False})),
    Refusal("order.direction.invalid", 400, _with(direction="sideways")),
    Refusal("order.stake.precision", 422, _with(stake="1.001")),
    Refusal("order.stake.below_minimum", 422, _with(stake="0.99")),
    Refusal("order.stake.above_maximum", 422, _with(stake="5000.01")),
    Refusal("order.duration.out_of_range", 422, _with(duration_s=86_401)),
    Refusal("order.duration.out_of_range", 422, _with(duration_s=0)),
    Refusal("order.expiry.outside_session", 422, _outside_session),
    Refusal("order.expiry.past_deadline", 422, _past_deadline),
    Refusal("order.payout_moved", 422, _with(min_payout_percent=86)),
    Refusal("order.price_moved", 422, _with(max_price_drift="0.00001", expected_price="1.08510")),
    Refusal("order.client_order_id.reused", 422, _reused),
    Refusal("order.busy", 503, _busy),
    Refusal("market.closed", 422, _closed),
    Refusal("market.halted", 422, _halted),
    Refusal("market.close_only", 422, _close_only),
    Refusal("market.stale", 422, _stale),
    Refusal("exposure.symbol", 422, _with_symbol({"exposure_cap_minor": 1_500}, ledger="real")),
    Refusal("limit.loss_day", 422, _limited(loss_day="15.00")),
    Refusal("limit.loss_7d", 422, _limited(loss_7d="15.00")),
    Refusal("limit.loss_30d", 422, _limited(loss_30d="15.00")),
    Refusal("limit.stake_day", 422, _limited(stake_day="15.00")),
    Refusal("limit.open_orders", 422, _limited(open_orders=1)),
    Refusal("limit.session", 422, _session_over),
    Refusal("limit.token_stake", 422, _capped(stake_day=1_500)),
    Refusal("limit.token_loss", 422, _capped(loss_day=1_500)),
    Refusal("rate.limited", 429, _too_fast),
    Refusal("request.invalid", 400, _raw(json.dumps(without("stake")).encode())),
    Refusal("request.too_large", 413, _raw(b'{"padding": "' + b"x" * 1_000_000 + b'"}')),
    Refusal("media_type.unsupported", 415, _raw(json.dumps(BODY).encode(), "text/plain")),
    Refusal("auth.required", 401, lambda scene: scene.ask(Client())),
    Refusal("auth.invalid_token", 401, lambda scene: scene.ask(Client(headers={"Authorization": "Bearer fs_x"}))),
    Refusal("auth.scope", 403, lambda scene: scene.ask(scene.trader.http(scopes=("read",)))),
    Refusal("auth.ledger", 403, _other_ledger),
]


@pytest.fixture
def scene(settings: Any) -> Scene:
    """The trader has 100.00 on the real wallet, of which an open order holds 10.00."""
    market = market_open(max_tick_age_ms=60_000)
    trader = trader_open(real="100.00")
    trader.place(market, ledger="real")
    return Scene(market, trader, settings)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.code)
def test_a_refusal_has_its_code_and_changes_nothing(scene: Scene, refusal: Refusal) -> None:
    """Contract, Errors and Refusal codes: status, code, retryable, request id; nothing has changed."""
    attempt = refusal.arrange(scene)
    before, wallets = fingerprint(), _wallets(scene.trader)

    answer = attempt.make()

    problem = json.loads(answer.content)
    assert answer.status_code >= 400, problem
    assert (answer.status_code, problem["code"]) == (refusal.status, refusal.code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "retryable", "errors"}
    assert problem["status"] == refusal.status
    assert problem["retryable"] is (refusal.code in RETRYABLE)
    assert UUID(problem["request_id"])
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert problem["title"]
    assert ("Retry-After" in answer.headers) is (refusal.status in (429, 503))
    assert fingerprint() == before
    assert _wallets(scene.trader) == wallets
    assert violations() == {}


def test_what_is_not_refused_is_accepted(scene: Scene) -> None:
    """The attempts differ from an acceptable order by what they are refused for, and by nothing else."""
    for ledger in ("demo", "real"):
        assert scene.ask(ledger=ledger).make().status_code == 201
    bonus = scene.bonus()
    assert json.loads(bonus.make().content)["code"] == "wallet.insufficient_funds"


def _wallets(trader: Trader) -> list[tuple[int, int]]:
    return [(trader.balance(book), trader.open_stakes(book)) for book in ("demo", "real")]


# Contract, Refusal codes, as they stand there; ``limit.<name>`` stands for the names below.
CONTRACT = {
    "account.banned",
    "account.excluded",
    "account.on_break",
    "account.unverified",
    "account.jurisdiction",
    "wallet.unknown",
    "wallet.not_tradable",
    "wallet.symbol_not_allowed",
    "wallet.insufficient_funds",
    "symbol.unknown",
    "symbol.not_offered",
    "order.direction.invalid",
    "order.stake.precision",
    "order.stake.below_minimum",
    "order.stake.above_maximum",
    "order.duration.out_of_range",
    "order.expiry.outside_session",
    "order.expiry.past_deadline",
    "order.payout_moved",
    "order.price_moved",
    "order.client_order_id.reused",
    "order.busy",
    "market.closed",
    "market.halted",
    "market.close_only",
    "market.stale",
    "exposure.symbol",
    "rate.limited",
    "request.invalid",
}
# A deposit is no order: that limit refuses elsewhere.
LIMIT_CODES = {f"limit.{name}" for name in (*LIMITS, *TOKEN_LIMITS) if name != "deposit_day"}


# Only signals have an end of their own; the bridge's tests provoke it.
OF_THE_BRIDGE = {"signal.stale"}


def declared(source: str) -> set[str]:
    """Return the codes that a module of refusals names: first arguments of what makes a ``Problem``."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args)
    firsts = (node.args[0] for node in calls if getattr(node.func, "id", "") in {"Problem", "_market"})
    return {node.value for node in firsts if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_code_has_its_provocation() -> None:
    """Issue: every refusal code is provoked from outside; a new one without a provocation turns this red."""
    provoked = {refusal.code for refusal in REFUSALS}
    source = Path(trading.__file__).with_name("errors.py").read_text()

    assert declared(source) - provoked == OF_THE_BRIDGE
    assert (CONTRACT | LIMIT_CODES) - provoked == set()


def test_every_code_is_in_the_api_guide() -> None:
    """A client finds each code where errors are explained; own limits share a line."""
    guide = (ROOT / "docs" / "api.md").read_text()

    assert [
        code
        for code in CONTRACT | {refusal.code for refusal in REFUSALS}
        if f"`{code}`" not in guide and not (code in LIMIT_CODES and "`limit.<name>`" in guide)
    ] == []


def test_a_code_is_found_where_it_is_declared() -> None:
    """The search above sees both ways in which refusals are made."""
    source = 'def one():\n    return Problem("a.b", status=403)\nTWO = {"x": _market("c.d", "Title")}\n'

    assert declared(source) == {"a.b", "c.d"}


@pytest.fixture(scope="module")
def platform(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    """The port of the whole platform as a process of its own."""
    with django_db_blocker.unblock(), stream_running() as running:
        connections.close_all()
        yield running.port


@pytest.mark.parametrize("sending", SENDINGS, ids=lambda sending: sending.name)
def test_a_body_sent_wrongly_is_refused_by_a_real_server(scene: Scene, platform: int, sending: Sending) -> None:
    """Issue, S-36, S-38: missing types, forms, chunks and a megabyte get a problem document and change nothing."""
    authorization = str(scene.trader.http().defaults["HTTP_AUTHORIZATION"])
    before = fingerprint()
    server = HTTPConnection("127.0.0.1", platform, timeout=20)
    headers = {"Authorization": authorization}
    if sending.content_type is not None:
        headers["Content-Type"] = sending.content_type
    whole = sending.chunks[0] if len(sending.chunks) == 1 else None

    server.request("POST", ORDERS, whole if whole is not None else iter(sending.chunks), headers)
    answer = server.getresponse()

    problem = json.loads(answer.read())
    assert (answer.status, problem["code"]) == (sending.status, sending.code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert fingerprint() == before
    server.close()


def test_an_order_in_chunks_is_an_order(scene: Scene, platform: int) -> None:
    """The refusals above are for what is sent, not for chunks."""
    headers = {
        "Authorization": str(scene.trader.http().defaults["HTTP_AUTHORIZATION"]),
        "Content-Type": "application/json",
    }
    body = json.dumps(BODY).encode()
    server = HTTPConnection("127.0.0.1", platform, timeout=20)

    server.request("POST", ORDERS, iter([body[:20], body[20:]]), headers)

    assert server.getresponse().status == 201
    server.close()


def test_there_are_many_kinds_of_malformed_bodies() -> None:
    """Issue: about 40 kinds; each of these differs from the others."""
    assert len({body for _, body in MALFORMED}) == len(MALFORMED) >= 120
    assert len({name for name, _ in MALFORMED}) == len(MALFORMED)
