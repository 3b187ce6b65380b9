"""Hooks of TradingView: from a posted alert to an order, and everybody who must be kept out."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, OperationalError, connections, transaction
from django.db.utils import InternalError
from django.test import Client, override_settings

from accounts.services import user_ban
from ea import hook_view
from ea.hooks import LIVE_HOOKS_MAX, hook_found, hook_revoke
from ea.keys import keys_read
from ea.log import EventLog
from ea.models import Alert, EaOrder, Event, Hook, Key
from ea.services import key_create, key_rotate
from ea.tradingview import BODY_BYTES_MAX, alert_signal
from kernel import db
from kernel.clock import rfc3339
from kernel.facts import facts_apply
from kernel.metrics import counted
from tests.books import violations
from tests.ea.alerts import Hooked, alert, fresh, hooked
from tests.ea.bridge import execute_due, installation, order_of
from tests.market import Market, db_now_ms, market_open, order_row, settle_due

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture(autouse=True)
def _chain_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a chain: what stood in front of it went with the last test's rows."""
    monkeypatch.setattr(hook_view, "_log", EventLog())


@pytest.fixture
def ours() -> Hooked:
    return hooked()


def test_an_alert_becomes_one_order_that_is_settled(market: Market, ours: Hooked) -> None:
    """ea 5, I-34: posted, logged as it came, acknowledged, placed, settled; repeated, it changes nothing."""
    body = fresh()
    told = ours.post(body)
    assert told.status_code == 200
    ack = told.frame
    assert (ack["type"], ack["seq"], ack["status"], ack["order_ids"]) == ("ack", 1, "accepted", [])
    event = Event.objects.get()
    assert bytes(event.raw) == body
    assert (event.kid, event.sid, event.seq, event.source) == (ours.hook.pk, ours.hook.pk, 1, "tradingview")
    # What a clock of whole seconds does not tell is told as the uncertainty of the transport's time.
    assert (event.offset_ms, event.rtt_us) == (0, 1_998_000)
    assert str(event.event_id) == ack["event_id"] == alert_signal(body, kid=event.kid, seq=1).event_id
    assert execute_due() == 1
    placed = order_of(ack["event_id"])
    assert (placed.state, placed.strategy, placed.symbol) == ("open", "breakout", "EURUSD")
    order = order_row(str(placed.order_id))
    assert (order.source, order.book, order.stake, order.direction) == ("ea", "demo", 1_000, "up")

    again = ours.post(body).frame
    assert again | {"server_ms": 0} == ack | {
        "status": "duplicate",
        "order_ids": [str(placed.order_id)],
        "server_ms": 0,
    }

    market.tick("1.09000", at_ms=order.expires_at_ms)
    market.tick("1.09000", at_ms=order.expires_at_ms + 5_000)
    assert settle_due() == 1
    while facts_apply(10):
        pass
    assert order_of(ack["event_id"]).code == "won"
    assert ours.one.trader.balance() == 1_000_850
    assert Event.objects.count() == 1
    assert violations() == {}


def test_what_comes_again_is_told_what_was_told_first(ours: Hooked) -> None:
    """ea 5: a bar's further alerts of one kind are one event; one with an id says the same or is refused."""
    first = ours.post(fresh())
    assert ours.post(fresh(price="1.09999", stake="20.00")).frame["status"] == "duplicate"
    assert ours.post(fresh(action="sell")).frame["seq"] == 2
    body = fresh(id="a")
    assert ours.post(body).frame["seq"] == 3
    assert ours.post(body).frame["status"] == "duplicate"
    conflict = ours.post(fresh(id="a", stake="20.00"))
    assert (conflict.status_code, conflict.frame["code"], conflict.frame["final"]) == (409, "id_conflict", True)
    assert Alert.objects.get().kind == "id_conflict"
    assert Event.objects.count() == 3
    assert first.frame["seq"] == 1


def test_hooks_do_not_share_their_ids(ours: Hooked) -> None:
    """I-34: the same alert to two hooks is two events, whoever owns them."""
    body = fresh(id="a")
    beside = hooked(ours.one)
    assert ours.post(body).frame["event_id"] != beside.post(body).frame["event_id"]
    assert hooked(installation(account="2")).post(body).frame["status"] == "accepted"
    assert Event.objects.count() == 3


@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=utf-8", "", "multipart/form-data"])
def test_the_content_type_does_not_matter(ours: Hooked, content_type: str) -> None:
    """ea 5: JSON, or TradingView's plain text of it."""
    assert ours.post(fresh(), content_type=content_type).status_code == 200


def test_late_alerts_are_logged_and_denied(market: Market, ours: Hooked) -> None:
    """ea 1.2, staleness: a 60 s option that fired long ago is another trade; whole seconds are given the benefit."""
    now_ms = db_now_ms()
    late = ours.post(fresh(id="late", timenow=rfc3339(now_ms - 30_000))).frame
    wished = ours.post(fresh(id="wished", timenow=rfc3339(now_ms - 30_000), valid_ms=60_000)).frame
    second = ours.post(fresh(id="second", expiry_s=10, valid_ms=1_000)).frame
    # A clock that is ahead does not make a signal live longer than its time.
    ahead = ours.post(fresh(id="ahead", timenow=rfc3339(now_ms + 3_600_000), valid_ms=200)).frame
    execute_due()
    assert order_of(late["event_id"]).state == "expired"
    assert order_of(late["event_id"]).code == "signal.stale"
    assert order_of(wished["event_id"]).state == "open"
    deadline_ms = order_of(second["event_id"]).not_after_ms
    assert deadline_ms is None or deadline_ms <= second["t_recv_us"] // 1_000 + 1_000
    ahead_deadline_ms = order_of(ahead["event_id"]).not_after_ms
    assert ahead_deadline_ms is None or ahead_deadline_ms <= ahead["t_recv_us"] // 1_000 + 200


def test_alerts_are_executed_in_the_order_of_their_arrival(market: Market, ours: Hooked) -> None:
    """ea 2.5: numbers without a gap, given by the log; orders follow them."""
    actions = ["buy", "sell", "buy", "sell", "buy", "sell"]
    bodies = [fresh(id=str(number), action=action) for number, action in enumerate(actions)]
    told = [ours.post(body).frame for body in bodies]
    assert [frame["seq"] for frame in told] == [1, 2, 3, 4, 5, 6]
    execute_due()
    placed = [order_row(str(order_of(frame["event_id"]).order_id)) for frame in told]
    assert [order.id for order in placed] == sorted(order.id for order in placed)
    assert [order.direction for order in placed] == ["up", "down"] * 3


def test_alerts_that_come_at_once_get_different_numbers(ours: Hooked) -> None:
    """I-34: each is logged once, and numbers have no gap, however many are taken at once."""
    bodies = [fresh(id=str(number % 8)) for number in range(16)]

    def post(body: bytes) -> Any:
        try:
            return ours.post(body).frame
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(post, bodies))
    assert {frame["type"] for frame in told} == {"ack"}
    assert sorted(Event.objects.values_list("seq", flat=True)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len({frame["event_id"] for frame in told}) == 8
    assert violations() == {}


@pytest.mark.parametrize("action", ["reverse", "close_all", "cancel"])
def test_one_command_for_close_and_reverse(market: Market, ours: Hooked, action: str) -> None:
    """ea 5: own ledgers answer action.unsupported until there is an early close."""
    told = ours.post(fresh(action=action)).frame
    execute_due()
    assert (order_of(told["event_id"]).state, order_of(told["event_id"]).code) == ("denied", "action.unsupported")


class TestDoor:
    """S-23, S-24: who may post."""

    @pytest.mark.parametrize("token", ["x", "0" * 43, "a" * 3_000, "%00", "é", "%ff"])
    def test_unknown_tokens(self, ours: Hooked, token: str) -> None:
        before = counted("ea_hooks_unknown")
        response = Client(raise_request_exception=False).post(
            f"/ea/v1/hook/{token}", fresh(), content_type="application/json"
        )
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"
        assert counted("ea_hooks_unknown") == before + 1
        assert Event.objects.count() == 0

    def test_an_unknown_token_costs_the_same_statement_whatever_the_body(self, ours: Hooked) -> None:
        """No tell: the body is not looked at, and revoked and unknown are one answer by one index look-up."""
        hook_revoke(link_id=ours.one.link.pk, kid=ours.hook.pk, now_ms=db_now_ms())
        answers = set()
        for token in (ours.token, "nobody"):
            for body in (fresh(), b"", b"x" * (BODY_BYTES_MAX + 1)):
                response = Client().post(f"/ea/v1/hook/{token}", body, content_type="text/plain")
                document = response.json()
                answers.add((response.status_code, document["code"], document["detail"], document["title"]))
        assert len(answers) == 1
        assert Alert.objects.count() == 0
        plan = "\n".join(
            line
            for (line,) in db.rows(
                "EXPLAIN SELECT 1 FROM ea_hook WHERE token_sha256 = %(digest)s", {"digest": b"0" * 32}
            )
        )
        assert "token_sha256" in plan

    def test_a_revoked_token_is_out_at_once(self, ours: Hooked) -> None:
        assert ours.post(fresh()).status_code == 200
        assert hook_revoke(link_id=ours.one.link.pk, kid=ours.hook.pk, now_ms=db_now_ms())
        assert ours.post(fresh(id="b")).status_code == 404
        assert hook_found(ours.token) is None

    def test_a_closed_account_has_no_hook_and_a_banned_one_no_orders(self, market: Market, ours: Hooked) -> None:
        user = ours.one.trader.user
        user_ban(email=user.email, reason="test", now_ms=db_now_ms())
        told = ours.post(fresh()).frame
        execute_due()
        assert order_of(told["event_id"]).code == "account.banned"
        user.refresh_from_db()
        user.is_active = False
        user.save(update_fields=["is_active"])
        assert ours.post(fresh(id="b")).status_code == 404

    def test_addresses(self) -> None:
        """S-23: the owner's list, forwarded addresses believed from trusted proxies only, mapped IPv4."""
        ours = hooked(networks=["52.89.214.238", "2001:db8::/32"])
        far = {"X-Forwarded-For": "52.89.214.238"}
        refused = ours.post(fresh(), **far)
        assert (refused.status_code, refused.frame["code"]) == (403, "ip_denied")
        with override_settings(TRUSTED_PROXIES=["127.0.0.1"]):
            assert ours.post(fresh(), **far).status_code == 200
            mapped = {"X-Forwarded-For": "::ffff:52.89.214.238"}
            assert ours.post(fresh(id="b"), **mapped).status_code == 200
            assert ours.post(fresh(id="c"), **{"X-Forwarded-For": "52.89.214.239"}).status_code == 403
        noted = Alert.objects.get()
        assert (noted.kind, noted.kid, noted.address) == ("ip_denied", ours.hook.pk, "127.0.0.1")

    def test_a_secret_in_the_alert(self) -> None:
        ours = hooked(with_secret=True)
        assert ours.secret
        for wrong in (..., "", "wrong", ours.secret[:-1]):
            refused = ours.post(fresh(secret=wrong))
            assert refused.status_code == (400 if wrong == "" else 403)
        assert ours.post(fresh(secret=ours.secret)).status_code == 200
        assert set(Alert.objects.values_list("kind", flat=True)) == {"bad_sig", "schema"}
        # One that needs none does not mind.
        assert hooked(installation(account="2")).post(fresh(secret="any")).status_code == 200

    def test_neither_token_nor_secret_is_kept(self) -> None:
        ours = hooked(with_secret=True)
        kept = b"".join(
            bytes(row[0])
            for row in db.rows("SELECT convert_to(ea_hook::text || ea_key::text, 'UTF8') FROM ea_hook, ea_key")
        )
        assert ours.secret
        assert ours.token.encode() not in kept
        assert ours.secret.encode() not in kept

    @pytest.mark.parametrize(("bytes_over", "status"), [(0, 400), (1, 413)])
    def test_size(self, ours: Hooked, bytes_over: int, status: int) -> None:
        """ea 5: 16 kB."""
        body = fresh()
        padded = body + b" " * (BODY_BYTES_MAX - len(body))
        assert ours.post(padded).status_code == 200
        assert ours.post(b"x" * (BODY_BYTES_MAX + bytes_over)).status_code == status

    def test_rate(self, ours: Hooked) -> None:
        """ea 5: by token; others are not held up, and the owner is told once."""
        with override_settings(RATE_LIMITS={"ea_hook": (1, 60, 3)}):
            answers = [ours.post(b"x") for _ in range(5)]
            assert [answer.status_code for answer in answers] == [400, 400, 400, 429, 429]
            assert hooked(ours.one).post(fresh()).status_code == 200
        assert (answers[3].frame["code"], answers[3].frame["final"]) == ("rate_limited", False)
        assert answers[3]["Retry-After"] == "1"
        assert sorted(Alert.objects.values_list("kind", flat=True)) == ["bad_json", "rate_limited"]

    def test_a_database_that_is_away(self, ours: Hooked) -> None:
        """ea 6.1: nothing is acknowledged that is not durable; the status asks to send again."""
        with mock.patch.object(hook_view._log, "append", side_effect=OperationalError("away")):
            refused = ours.post(fresh())
        assert (refused.status_code, refused.frame["code"], refused.frame["final"]) == (503, "overloaded", False)
        with mock.patch.object(hook_view, "hook_found", side_effect=OperationalError("away")):
            assert ours.post(fresh()).status_code == 503
        assert ours.post(fresh()).frame["status"] == "accepted"

    def test_no_body_is_a_fault_of_ours(self, ours: Hooked) -> None:
        """F-21: 400 spoilt bodies, each taken or refused with a code; nothing refused is logged."""
        dice = random.Random(7)
        whole = fresh(secret="s", meta={"a": "é"})
        with override_settings(RATE_LIMITS={"ea_hook": (10_000, 1, 10_000)}):
            for _ in range(400):
                body = bytearray(whole)
                for _ in range(dice.randint(1, 5)):
                    at = dice.randrange(len(body))
                    body[at : at + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
                before = Event.objects.count()
                response = ours.post(bytes(body))
                assert response.status_code in (200, 400, 409), response.content
                logged = response.status_code == 200 and response.frame["status"] == "accepted"
                assert Event.objects.count() == before + logged
        assert violations() == {}

    def test_other_methods(self, ours: Hooked) -> None:
        assert Client().get(f"/ea/v1/hook/{ours.token}").status_code == 405


class TestKey:
    """ADR 42: a hook is a key that signs nothing."""

    def test_nobody_signs_with_it(self, ours: Hooked) -> None:
        assert keys_read([ours.hook.pk]) == {}
        with pytest.raises(ValueError, match="not in force"):
            key_rotate(kid=ours.hook.pk, now_ms=db_now_ms())

    def test_it_takes_no_place_of_a_key(self, ours: Hooked) -> None:
        key_create(link_id=ours.one.link.pk, now_ms=db_now_ms())
        with pytest.raises(ValueError, match="at most 2 keys"):
            key_create(link_id=ours.one.link.pk, now_ms=db_now_ms())

    def test_there_are_few(self, ours: Hooked) -> None:
        for _ in range(LIVE_HOOKS_MAX - 1):
            hooked(ours.one)
        with pytest.raises(ValueError, match="at most 10 hooks"):
            hooked(ours.one)
        hook_revoke(link_id=ours.one.link.pk, kid=ours.hook.pk, now_ms=db_now_ms())
        hooked(ours.one)

    @pytest.mark.parametrize(
        ("kid", "secret"), [("hook_1", b"sealed"), ("ea_1", b"")], ids=["a hook that signs", "a key that does not"]
    )
    def test_the_database_keeps_both_together(self, ours: Hooked, kid: str, secret: bytes) -> None:
        """How an event is read must never be in doubt."""
        with pytest.raises(IntegrityError, match="ea_key_of_hook_signs_nothing"):
            Key.objects.create(
                kid=kid,
                link=ours.one.link,
                secret=secret,
                scopes=["source"],
                ledgers=["demo"],
                made_at_ms=1,
                valid_from_ms=1,
            )

    def test_a_hook_stays_what_it_is(self, ours: Hooked) -> None:
        """Append-only: an address cannot be given to another installation."""
        for statement in ("UPDATE ea_hook SET name = 'x'", "DELETE FROM ea_hook", "TRUNCATE ea_hook CASCADE"):
            with pytest.raises((InternalError, IntegrityError)), transaction.atomic():
                db.run(statement)
        with pytest.raises(IntegrityError, match="ea_hook_has_key_of_hook"):
            Hook.objects.create(key=ours.one.key, token_sha256=b"0" * 32)

    def test_the_ledger_is_the_hook_s(self, market: Market, ours: Hooked) -> None:
        """S-23: a hook for demo does not trade real money, whatever the alert says."""
        told = ours.post(fresh(ledger="real")).frame
        execute_due()
        assert order_of(told["event_id"]).code == "auth.ledger"


def test_a_name_with_an_exchange_waits_to_be_named(market: Market, ours: Hooked) -> None:
    """ea 2.3: an alias of the whole name stands before the name without its exchange."""
    told = ours.post(fresh(ticker="BITMEX:XBTUSD")).frame
    execute_due()
    assert order_of(told["event_id"]).code == "symbol.unknown"
    db.run("INSERT INTO ea_symbol_alias (link_id, raw, symbol) VALUES (NULL, 'XBTUSD', 'EURUSD')")
    told = ours.post(fresh(ticker="BITMEX:XBTUSD", id="b")).frame
    execute_due()
    assert order_of(told["event_id"]).symbol == "EURUSD"


def test_refused_alerts_are_not_in_the_log(ours: Hooked) -> None:
    """ea 5: what was never logged is refused by a code of the wire."""
    assert ours.post(alert(timenow="now")).frame["code"] == "schema"
    assert EaOrder.objects.count() == 0
