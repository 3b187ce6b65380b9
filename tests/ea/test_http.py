"""The bridge over HTTP: the same payloads, log and answers, for terminals without sockets."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client, override_settings

from ea import api
from ea.client import Spool
from ea.models import Alert, EaOrder, Event
from ea.services import key_revoke
from tests.ea.bridge import OPEN, Installation, execute_due, installation, order_of, with_key
from tests.market import Market, market_open, order_row

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def one() -> Installation:
    return installation()


@pytest.fixture
def spool(one: Installation) -> Spool:
    return one.spool()


def post(body: bytes, query: str = "", **headers: str) -> Any:
    """Post to the bridge and return the parsed answer, which is there whatever it says."""
    answer = Client().post(f"/ea/v1/events{query}", body, content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def listened(one: Installation, *, query: Mapping[str, Any] | None = None, sig: str | None = None) -> Any:
    """Ask for commands with a signed query."""
    asked = {"kid": one.key.kid, "after": 0, "t_ms": time.time_ns() // 1_000_000} | dict(query or {})
    text = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = Client().get(f"/ea/v1/commands?{text}&sig={sig or one.credentials.digest(text.encode())}")
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def test_one_event_is_acknowledged_once_it_is_durable(one: Installation, spool: Spool) -> None:
    """ea 5: POST /ea/v1/events, one payload; the answer carries the server's clock."""
    event_id, payload = spool.add(**OPEN)
    ack = post(payload)
    assert (ack["type"], ack["event_id"], ack["seq"], ack["status"]) == ("ack", event_id, 1, "accepted")
    assert abs(ack["server_ms"] - time.time() * 1_000) < 5_000
    assert bytes(Event.objects.get().raw) == payload
    again = post(payload)
    assert {**ack, "status": "duplicate", "server_ms": 0} == {**again, "server_ms": 0}


def test_an_array_is_answered_in_its_order(one: Installation, spool: Spool) -> None:
    """ea 5: up to 50 payloads, each with its own answer."""
    good, broken = spool.add(**OPEN), spool.add(**OPEN | {"direction": "up"})
    third = spool.add(**OPEN)
    body = b"[" + b", ".join([good[1], broken[1], third[1], good[1]]) + b"]"
    replies = post(body)
    assert [(reply["type"], reply["event_id"]) for reply in replies] == [
        ("ack", good[0]),
        ("reject", broken[0]),
        ("ack", third[0]),
        ("ack", good[0]),
    ]
    assert [reply.get("status") for reply in replies] == ["accepted", None, "accepted", "duplicate"]
    assert replies[1]["code"] == "schema"
    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"[]", "schema"),
        (b"[" + b"1," * 50 + b"1]", "schema"),
        (b'{"type":"hello"}', "schema"),
        (b"[" * 90_000, "bad_json"),
    ],
)
def test_what_is_no_event(body: bytes, code: str) -> None:
    assert post(body)["code"] == code


def test_who_is_not_let_in(one: Installation, spool: Spool) -> None:
    """S-23, S-24: keys, signatures, accounts, addresses; what concerns a known key, a revoked one too, is on record."""
    _, payload = spool.add(**OPEN)
    assert post(payload.replace(b"10.00", b"90.00"))["code"] == "bad_sig"
    assert post(spool.add(**OPEN, kid="nobody")[1])["code"] == "unknown_key"
    assert post(spool.add(**OPEN, acct="1")[1])["code"] == "acct_mismatch"
    far = with_key(one.trader, one.link, networks=["203.0.113.0/24"]).spool()
    assert post(far.add(**OPEN)[1])["code"] == "ip_denied"
    assert post(far.add(**OPEN)[1], **{"X-Forwarded-For": "203.0.113.9"})["code"] == "ip_denied"
    with override_settings(TRUSTED_PROXIES=["127.0.0.1"]):
        assert post(far.add(**OPEN)[1], **{"X-Forwarded-For": "203.0.113.9"})["status"] == "accepted"
    key_revoke(kid=one.key.kid, now_ms=1)
    refusal = post(payload)
    assert (refusal["code"], refusal["final"]) == ("key_revoked", True)
    kinds = set(Alert.objects.values_list("kind", flat=True))
    assert kinds == {"bad_sig", "acct_mismatch", "ip_denied", "key_revoked"}
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("offset", "code"), [("60001", "schema"), ("-60001", "schema"), ("1e3", "schema"), ("9" * 20, "schema")]
)
def test_a_clock_that_is_too_far_off_is_refused(spool: Spool, offset: str, code: str) -> None:
    """ea 5, S-24: beyond 60 s."""
    assert post(spool.add(**OPEN)[1], f"?offset_ms={offset}")["code"] == code
    assert Event.objects.count() == 0


def test_the_offset_goes_into_the_log(spool: Spool) -> None:
    post(spool.add(**OPEN)[1], "?offset_ms=-1250")
    assert Event.objects.get().offset_ms == -1_250


def test_too_many_are_refused_for_a_while(spool: Spool) -> None:
    """ea 5: by key; what is refused for a while comes again."""
    bodies = [b"[" + b",".join(spool.add(**OPEN)[1] for _ in range(50)) + b"]" for _ in range(6)]
    codes = [reply.get("code") for body in bodies for reply in post(body)]
    assert set(codes) == {None, "rate_limited"}
    assert codes.count(None) >= 200


def test_a_database_that_is_away_acknowledges_nothing(spool: Spool) -> None:
    """ea 6.1: no acknowledgement, ``overloaded`` with the time to wait; afterwards the same bytes are taken."""
    _, payload = spool.add(**OPEN)
    with mock.patch.object(api._log, "append", side_effect=OperationalError("away")):
        refusal = post(payload)
    assert (refusal["code"], refusal["final"], refusal["retry_after_ms"]) == ("overloaded", False, 1_000)
    with mock.patch.object(api, "keys_read", side_effect=OperationalError("away")):
        assert post(b"[" + payload + b"]")[0]["code"] == "overloaded"
    assert post(payload)["status"] == "accepted"


def test_other_methods_are_refused() -> None:
    assert Client().get("/ea/v1/events").status_code == 405
    assert Client().post("/ea/v1/commands").status_code == 405
    assert Client().get("/ea/v1/other").status_code == 404


class TestCommands:
    """ea 5: GET /ea/v1/commands?after=, for terminals that can only ask."""

    @pytest.fixture
    def market(self) -> Market:
        return market_open()

    def test_results_come_with_their_numbers(self, market: Market, one: Installation, spool: Spool) -> None:
        event_id, payload = spool.add(**OPEN)
        post(payload)
        assert listened(one)["frames"] == []
        execute_due()
        told = listened(one)
        (frame,) = told["frames"]
        assert (frame["event_id"], frame["state"], frame["no"]) == (event_id, "accepted", told["after"])
        assert frame["order_id"] == str(order_row(str(order_of(event_id).order_id)).id)
        assert listened(one, query={"after": told["after"]})["frames"] == []
        # A number from the future hears nothing until then, and is brought back.
        assert listened(one, query={"after": 10**15})["after"] == 5

    def test_waiting_ends_after_its_time(self, one: Installation) -> None:
        begun_s = time.monotonic()
        assert listened(one, query={"wait_ms": 60_000})["frames"] == []
        assert time.monotonic() - begun_s > 1.8

    @pytest.mark.parametrize(
        ("query", "sig", "code"),
        [
            ({"kid": "nobody"}, None, "unknown_key"),
            ({"kid": ""}, None, "unknown_key"),
            ({"t_ms": 1}, None, "bad_sig"),
            ({}, "0" * 64, "bad_sig"),
            ({}, "é", "bad_sig"),
        ],
    )
    def test_who_may_not_listen(self, one: Installation, query: dict[str, Any], sig: str | None, code: str) -> None:
        """S-24: the query is signed and fresh."""
        assert listened(one, query=query, sig=sig)["code"] == code

    def test_nobody_hears_of_others(self, market: Market, one: Installation, spool: Spool) -> None:
        post(spool.add(**OPEN)[1])
        execute_due()
        assert EaOrder.objects.filter(state="open").count() == 1
        assert listened(installation())["frames"] == []


def test_those_who_wait_leave_threads_to_those_who_trade(one: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fairness: terminals that wait for commands take few threads of the web process; more are answered at once."""
    slept = mock.Mock()
    monkeypatch.setattr(api, "_waiting", BoundedSemaphore(1))
    monkeypatch.setattr("ea.api.time.sleep", slept)
    with api._waiting:
        assert listened(one, query={"wait_ms": 50})["frames"] == []
    assert not slept.called
    assert listened(one, query={"wait_ms": 50})["frames"] == []
    assert slept.called
    assert api._waiting.acquire(blocking=False)
