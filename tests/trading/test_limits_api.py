"""Own limits over HTTP (contract; rules 12)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts import services
from accounts.limits import DAY_MS
from accounts.models import User
from kernel import db
from kernel.clock import parse_rfc3339, rfc3339
from realtime.events import event_schemas
from tests.market import Trader, db_now_ms, trader_open
from trading import limits

pytestmark = pytest.mark.django_db

LIMITS = "/api/v1/limits"


@pytest.fixture
def trader() -> Trader:
    return trader_open()


@pytest.fixture
def client(trader: Trader) -> Client:
    return trader.http()


def _send(client: Client, method: str, path: str, body: object) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic(method, path, raw, content_type="application/json")


def _put(client: Client, body: object) -> Any:
    return _send(client, "PUT", LIMITS, body)


def _refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def _events(trader: Trader) -> list[tuple[str, dict[str, Any]]]:
    told = db.rows(
        "SELECT type, payload, book FROM realtime_event WHERE user_id = %s AND type LIKE 'limit.%%' ORDER BY seq",
        [trader.user.id],
    )
    assert {book for _, _, book in told} <= {""}
    return [(kind, json.loads(payload)) for kind, payload, _ in told]


def _shown(client: Client, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(LIMITS).json()["data"][name]
    return shown


def test_limits_of_a_new_user(client: Client) -> None:
    """Contract, limits: every name, amounts as text, counts and minutes as whole numbers."""
    nothing: dict[str, Any] = {"set": None, "used": "0.00", "left": None, "pending": None}
    assert client.get(LIMITS).json() == {
        "data": {
            **dict.fromkeys(("loss_day", "loss_7d", "loss_30d", "stake_day", "deposit_day"), nothing),
            "open_orders": nothing | {"used": 0},
            "session": nothing | {"used": 0},
        },
        "break_until": None,
        "excluded_until": None,
    }


def test_limits_are_set_at_once_and_shown_everywhere(client: Client) -> None:
    """Contract, limits and me: the answer of PUT is that of GET; names not given stay."""
    first = _put(client, {"loss_day": "100", "open_orders": 5})
    assert first.status_code == 200
    second = _put(client, {"session": 90, "loss_7d": None})
    assert second.json() == client.get(LIMITS).json()
    assert _shown(client, "loss_day") == {"set": "100.00", "used": "0.00", "left": "100.00", "pending": None}
    assert _shown(client, "open_orders") == {"set": 5, "used": 0, "left": 5, "pending": None}
    me = client.get("/api/v1/me").json()["limits"]
    assert me["loss_day"] == {"set": "100.00", "left": "100.00"}
    assert me["session"] == {"set": 90, "left": 90}
    assert me["loss_7d"] == {"set": None, "left": None}


def test_a_loosening_is_told_with_its_times(trader: Trader, client: Client) -> None:
    """Rules 12: the answer says from when and until when it can be confirmed; the old value holds."""
    _put(client, {"loss_day": "100.00"})
    before_ms = db_now_ms()
    asked = _put(client, {"loss_day": "250.00"}).json()["data"]["loss_day"]
    waits = asked["pending"]
    from_ms, until_ms = parse_rfc3339(waits["confirm_from"]), parse_rfc3339(waits["confirm_until"])
    assert (asked["set"], waits["value"]) == ("100.00", "250.00")
    assert before_ms + DAY_MS <= from_ms <= db_now_ms() + DAY_MS
    assert until_ms - from_ms == 7 * DAY_MS
    assert _put(client, {"loss_day": "250.00"}).json()["data"]["loss_day"] == asked

    limits.limits_put(user_id=trader.user.pk, wanted={"loss_day": 25_000}, now_ms=from_ms)
    assert _shown(client, "loss_day") == {"set": "250.00", "used": "0.00", "left": "250.00", "pending": None}


def test_removal_waits_too(client: Client) -> None:
    """Rules 12: null is the loosest value; a pending removal shows as a pending value of null."""
    _put(client, {"open_orders": 3})
    shown = _put(client, {"open_orders": None}).json()["data"]["open_orders"]
    assert (shown["set"], shown["pending"]["value"]) == (3, None)
    assert _put(client, {"open_orders": 2}).json()["data"]["open_orders"]["pending"] is None


def test_each_change_is_an_event_and_nothing_else_is(trader: Trader, client: Client) -> None:
    """Contract, events ``limit.*``: stored for the user, without a ledger, with the limit as it is then."""
    for body in ({"loss_day": "100.00", "session": 60}, {"loss_day": "100.00"}, {"loss_day": "300.00"}):
        assert _put(client, body).status_code == 200
    _put(client, {"loss_day": "300.00"})
    told = _events(trader)
    assert [(kind, data["name"], data["change"], data["set"]) for kind, data in told] == [
        ("limit.changed", "loss_day", "set", "100.00"),
        ("limit.changed", "session", "set", 60),
        ("limit.changed", "loss_day", "loosening_asked", "100.00"),
    ]
    assert told[2][1]["pending"] == _shown(client, "loss_day")["pending"]
    schema = event_schemas()["limit.changed", 1]["$defs"]["LimitChanged"]
    assert set(schema["required"]) == set(told[0][1]) == {"name", "change", "set", "used", "left", "pending"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"loss_day": 100}, "loss_day"),
        ({"loss_day": 100.5}, "loss_day"),
        ({"loss_day": True}, "loss_day"),
        ({"loss_day": ""}, "loss_day"),
        ({"loss_day": "0"}, "loss_day"),
        ({"loss_day": "-1"}, "loss_day"),
        ({"loss_day": "1e3"}, "loss_day"),
        ({"loss_day": "NaN"}, "loss_day"),
        ({"loss_day": "1.001"}, "loss_day"),
        ({"loss_day": "9999999999999999"}, "loss_day"),
        ({"loss_day": ["1"]}, "loss_day"),
        ({"open_orders": "5"}, "open_orders"),
        ({"open_orders": 0}, "open_orders"),
        ({"open_orders": 1.0}, "open_orders"),
        ({"open_orders": True}, "open_orders"),
        ({"open_orders": 100_001}, "open_orders"),
        ({"session": 1_441}, "session"),
        ({"session": -5}, "session"),
        ({"loss_year": "1.00"}, "loss_year"),
        ({"limits": {}}, "limits"),
        ({"stake_day": "5.00", "session": "x"}, "session"),
    ],
)
def test_wrong_shapes_are_refused_and_change_nothing(
    trader: Trader, client: Client, body: dict[str, Any], field: str
) -> None:
    """Contract: 400 ``request.invalid`` names the field; one wrong field refuses the whole request."""
    answer = _put(client, body)
    assert _refusal(answer) == (400, "request.invalid")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert _events(trader) == []
    assert not User.objects.get(pk=trader.user.pk).limits_set


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b'"x"', b"{", b'{"loss_day": "1", "loss_day": "2"}', b"\xff"]
)
@pytest.mark.parametrize(("method", "path"), [("PUT", ""), ("POST", "/break"), ("POST", "/exclusion")])
def test_bodies_that_name_nothing_are_refused(client: Client, body: bytes, method: str, path: str) -> None:
    """Contract: 400, whatever the bytes."""
    assert _refusal(_send(client, method, LIMITS + path, body)) == (400, "request.invalid")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        *(("/break", {"days": days}, "days") for days in (0, 43, -1, 1.0, "1", True, None)),
        ("/break", {}, "days"),
        ("/break", {"days": 1, "hours": 2}, "hours"),
        *(("/exclusion", {"months": months}, "months") for months in (5, 61, "6", None)),
        ("/exclusion", {"years": 1}, "years"),
    ],
)
def test_breaks_and_exclusions_have_bounds(
    trader: Trader, client: Client, path: str, body: dict[str, Any], field: str
) -> None:
    """Rules 12: 1 day to 6 weeks, 6 months to 5 years."""
    answer = _send(client, "POST", LIMITS + path, body)
    assert _refusal(answer) == (400, "request.invalid")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert _events(trader) == []


def test_a_break_and_an_exclusion_are_told_and_become_longer_only(trader: Trader, client: Client) -> None:
    """Rules 12: the answer and the event hold the end; a shorter one is 409."""
    before_ms = db_now_ms()
    begun = _send(client, "POST", f"{LIMITS}/break", {"days": 42})
    assert begun.status_code == 200
    until = begun.json()["break_until"]
    assert before_ms + 42 * DAY_MS <= parse_rfc3339(until) <= db_now_ms() + 42 * DAY_MS
    assert _refusal(_send(client, "POST", f"{LIMITS}/break", {"days": 41})) == (409, "limit.break_shorter")
    excluded = _send(client, "POST", f"{LIMITS}/exclusion", {"months": 60}).json()["excluded_until"]
    assert _refusal(_send(client, "POST", f"{LIMITS}/exclusion", {"months": 6})) == (409, "limit.exclusion_shorter")
    assert _events(trader) == [("limit.break", {"until": until}), ("limit.exclusion", {"until": excluded})]


def test_a_break_that_is_over_is_not_shown(trader: Trader, client: Client) -> None:
    """Contract, limits: ``break_until`` and ``excluded_until`` are null when none runs."""
    User.objects.filter(pk=trader.user.pk).update(break_until_ms=db_now_ms() - 1, excluded_until_ms=db_now_ms() - 1)
    shown = client.get(LIMITS).json()
    assert (shown["break_until"], shown["excluded_until"]) == (None, None)


def test_reading_needs_read_and_changing_needs_trade(trader: Trader) -> None:
    """Contract, Auth: scopes ``read`` and ``trade``."""
    reads, trades = trader.http(scopes=("read",)), trader.http(scopes=("trade",))
    assert reads.get(LIMITS).status_code == 200
    assert _refusal(trades.get(LIMITS)) == (403, "auth.scope")
    assert _refusal(_put(reads, {"loss_day": "1.00"})) == (403, "auth.scope")
    assert _put(trades, {"loss_day": "1.00"}).status_code == 200
    for path, body in (("break", {"days": 1}), ("exclusion", {"months": 6})):
        assert _refusal(_send(reads, "POST", f"{LIMITS}/{path}", body)) == (403, "auth.scope")
    assert _refusal(Client().get(LIMITS)) == (401, "auth.required")


def test_a_token_of_other_ledgers_learns_and_changes_nothing(trader: Trader) -> None:
    """Contract, Auth: what is used tells of real orders: a token bound to demo gets 403; ``/me`` hides what is left."""
    bound = trader.http(ledgers=("demo",))
    _put(trader.http(), {"loss_day": "100.00"})
    assert _refusal(bound.get(LIMITS)) == (403, "auth.ledger")
    assert _refusal(_put(bound, {"loss_day": "1.00"})) == (403, "auth.ledger")
    assert _refusal(_send(bound, "POST", f"{LIMITS}/exclusion", {"months": 6})) == (403, "auth.ledger")
    assert bound.get("/api/v1/me").json()["limits"]["loss_day"] == {"set": "100.00", "left": None}


def test_unknown_parameters_are_refused(client: Client) -> None:
    """Contract: unknown parameters are refused, not ignored."""
    assert _refusal(client.get(f"{LIMITS}?name=loss_day")) == (400, "request.invalid")


def test_limits_of_others_are_not_touched(trader: Trader, client: Client) -> None:
    """S-02: every request is about the caller."""
    other = trader_open()
    services.limits_set(user_id=other.user.pk, wanted={"loss_day": 100}, now_ms=db_now_ms())
    _put(client, {"loss_day": "5.00"})
    assert _shown(other.http(), "loss_day")["set"] == "1.00"
    assert _events(other) == []


def test_a_banned_user_at_a_browser_may_still_protect_itself(trader: Trader) -> None:
    """Rules 12: tightening and excluding oneself stay possible; a ban binds orders and tokens."""
    services.user_ban(email=trader.user.email, reason="test", now_ms=db_now_ms())
    browser = Client()
    browser.force_login(trader.user, backend="django.contrib.auth.backends.ModelBackend")
    assert _put(browser, {"loss_day": "1.00"}).status_code == 200
    begun = _send(browser, "POST", f"{LIMITS}/exclusion", {"months": 6}).json()
    assert begun["excluded_until"] > rfc3339(db_now_ms() + 150 * DAY_MS)
