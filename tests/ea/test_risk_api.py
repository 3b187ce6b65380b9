"""States, limits and stops of an own installation over REST, and the operators' page beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from ea.domain import TradingState
from ea.models import RiskLimits, TradingSwitch
from ea.risk_limits import limits_parsed
from ea.risk_services import bridge_state_set, default_limits_put, limits_put, state_set
from kernel import db
from kernel.clock import rfc3339
from tests.accounts.people import person
from tests.ea.bridge import Installation, installation
from tests.ea.limited import limited, sent, settled
from tests.market import Market, market_open, trader_open

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def one() -> Installation:
    return installation()


@pytest.fixture
def client(one: Installation) -> Client:
    return one.trader.http()


def asked(client: Client, method: str, one: Installation, path: str, body: object = None) -> tuple[int, Any]:
    """Send a request about an installation and return its status and document."""
    address = f"/api/v1/ea/installations/{one.link.pk}/{path}"
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.generic(method, address, raw, content_type="application/json")
    return answer.status_code, answer.json()


class TestStates:
    """ea 6.3: the owner's own switch, and all that hold."""

    def test_a_state_is_set_and_shown_with_its_reason(self, client: Client, one: Installation) -> None:
        nothing = {"state": "active", "reason": None, "at": None}
        assert asked(client, "GET", one, "state") == (200, nothing)
        status, set_ = asked(client, "PUT", one, "state", {"state": "reducing", "reason": " weekend "})
        assert (status, set_["state"], set_["reason"]) == (200, "reducing", "weekend")
        assert asked(client, "GET", one, "state") == (200, set_)
        assert asked(client, "GET", one, "state?strategy=breakout") == (200, nothing)
        body = {"state": "halted", "reason": "wild", "strategy": "breakout"}
        _, of_strategy = asked(client, "PUT", one, "state", body)
        assert asked(client, "GET", one, "state?strategy=breakout") == (200, of_strategy)
        asked(client, "PUT", one, "state", {"state": "active", "reason": "monday"})
        assert list(TradingSwitch.objects.order_by("id").values_list("scope", "state")) == [
            ("link", "reducing"),
            ("strategy", "halted"),
            ("link", "active"),
        ]

    def test_what_holds_is_listed_the_strictest_first(self, client: Client, one: Installation) -> None:
        market_open()
        assert asked(client, "GET", one, "states") == (200, {"data": []})
        other = installation()
        state_set(
            user_id=other.trader.user.id, link_id=other.link.pk, state=TradingState.HALTED, reason="theirs", now_ms=1
        )
        bridge_state_set(symbol="", state=TradingState.REDUCING, reason="maintenance", now_ms=2)
        bridge_state_set(symbol="EURUSD", state=TradingState.HALTED, reason="thin", now_ms=3)
        for strategy, state in (("a/b", "halted"), ("c", "active")):
            asked(client, "PUT", one, "state", {"state": state, "reason": "r", "strategy": strategy})
        asked(client, "PUT", one, "state", {"state": "reducing", "reason": "r"})
        _, told = asked(client, "GET", one, "states")
        assert [(item["scope"], item["name"], item["state"], item["reason"]) for item in told["data"]] == [
            ("strategy", "a/b", "halted", "r"),
            ("symbol", "EURUSD", "halted", "thin"),
            ("installation", None, "reducing", "r"),
            ("platform", None, "reducing", "maintenance"),
        ]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"state": "off", "reason": "r"}, "state"),
            ({"reason": "r"}, "state"),
            ({"state": "halted"}, "reason"),
            ({"state": "halted", "reason": "  "}, "reason"),
            ({"state": "halted", "reason": "x" * 201}, "reason"),
            ({"state": "halted", "reason": "a\u0000b"}, "reason"),
            ({"state": "halted", "reason": "r", "strategy": "x" * 41}, "strategy"),
            ({"state": "halted", "reason": "r", "strategy": 7}, "strategy"),
            ({"state": "halted", "reason": "r", "symbol": "EURUSD"}, "symbol"),
        ],
        ids=str,
    )
    def test_a_wrong_body_changes_nothing(self, client: Client, one: Installation, body: object, field: str) -> None:
        status, problem = asked(client, "PUT", one, "state", body)
        assert (status, problem["code"], problem["errors"][0]["field"]) == (400, "request.invalid", field)
        assert TradingSwitch.objects.count() == 0


EMPTY: dict[str, Any] = {"version": 0, "at": None, "soft": {}, "hard": {}, "state_of_stops": []}


class TestLimits:
    """ea 6.3: a versioned document; nothing is limited until somebody says so."""

    def test_versions_follow_each_other(self, client: Client, one: Installation) -> None:
        assert asked(client, "GET", one, "limits") == (200, EMPTY)
        hard = {"stake_max": "100.00", "cool_down": {"losses": 3, "pause_s": 60}}
        news = [{"from": rfc3339(1_000), "to": rfc3339(2_000), "currencies": ["USD"]}]
        status, first = asked(client, "PUT", one, "limits", {"version": 0, "hard": hard, "soft": {"news": news}})
        assert (status, first["version"], first["hard"], first["soft"]) == (200, 1, hard, {"news": news})
        assert asked(client, "GET", one, "limits") == (200, first)
        status, problem = asked(client, "PUT", one, "limits", {"version": 0})
        assert (status, problem["code"]) == (409, "limits.changed")
        status, second = asked(client, "PUT", one, "limits", {"version": 1})
        assert (status, second["version"], second["hard"]) == (200, 2, {})
        assert RiskLimits.objects.count() == 2

    def test_the_default_is_shown_as_version_0(self, client: Client, one: Installation) -> None:
        default_limits_put(limits=limits_parsed({"hard": {"stake_max": "5"}}), now_ms=1)
        assert asked(client, "GET", one, "limits") == (200, EMPTY | {"hard": {"stake_max": "5"}})

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"hard": {}}, "version"),
            ({"version": True}, "version"),
            ({"version": -1}, "version"),
            ({"version": 0, "hard": {"stake_max": 5}}, "hard.stake_max"),
            ({"version": 0, "hard": None}, "hard"),
            ({"version": 0, "hard": {"leverage": "5"}}, "hard"),
            ({"version": 0, "limits": {}}, "limits"),
            ({"version": 0, "hard": {"news": [{"from": "x", "to": "y"}]}}, "hard.news[0]"),
        ],
        ids=str,
    )
    def test_a_wrong_document_changes_nothing(
        self, client: Client, one: Installation, body: object, field: str
    ) -> None:
        status, problem = asked(client, "PUT", one, "limits", body)
        assert (status, problem["code"], problem["errors"][0]["field"]) == (400, "request.invalid", field)
        assert RiskLimits.objects.count() == 0

    def test_a_stop_is_shown_and_reset_with_a_reason(self, client: Client, one: Installation) -> None:
        market: Market = market_open()
        limited(one, loss_day="10")
        assert sent(one, 1) is None
        settled(market, won=False)
        assert sent(one, 2) == "risk.loss_day"
        (stop,) = asked(client, "GET", one, "limits")[1]["state_of_stops"]
        wallet_id = str(one.trader.wallets["demo"])
        expected = {"stop": "loss_day", "wallet_id": wallet_id, "ledger": "demo", "tripped": True}
        expected |= {"reason": "lost 10.00 of 10.00", "lost": "10.00", "limit": "10.00"}
        assert {name: value for name, value in stop.items() if name != "at"} == expected
        status, reset = asked(client, "POST", one, "limits/reset", {"stop": "loss_day", "reason": "I looked"})
        assert status == 200
        assert [(one["tripped"], one["reason"]) for one in reset["state_of_stops"]] == [(False, "I looked")]
        again = {"stop": "loss_day", "reason": "r", "wallet_id": wallet_id}
        status, problem = asked(client, "POST", one, "limits/reset", again)
        assert (status, problem["code"]) == (409, "limits.not_stopped")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"reason": "r"}, "stop"),
            ({"stop": "desk", "reason": "r"}, "stop"),
            ({"stop": "drawdown"}, "reason"),
            ({"stop": "drawdown", "reason": "r", "wallet_id": "x"}, "wallet_id"),
        ],
        ids=str,
    )
    def test_a_wrong_reset_is_refused(self, client: Client, one: Installation, body: object, field: str) -> None:
        status, problem = asked(client, "POST", one, "limits/reset", body)
        assert (status, problem["code"], problem["errors"][0]["field"]) == (400, "request.invalid", field)


ADDRESSES = [
    ("GET", "state", None),
    ("PUT", "state", {"state": "halted", "reason": "r"}),
    ("GET", "states", None),
    ("GET", "limits", None),
    ("PUT", "limits", {"version": 0}),
    ("POST", "limits/reset", {"stop": "drawdown", "reason": "r"}),
]


class TestAccess:
    """S-23, S-24: scopes, ledgers, and other people's installations."""

    @pytest.mark.parametrize(("method", "path", "body"), ADDRESSES)
    def test_what_is_not_the_caller_s_is_not_there(
        self, one: Installation, method: str, path: str, body: object
    ) -> None:
        strangers = (
            trader_open().http(),
            one.trader.http(ledgers=("real",)),
        )
        for client in strangers:
            status, problem = asked(client, method, one, path, body)
            assert (status, problem["code"]) == (404, "not_found")
        assert asked(Client(), method, one, path, body)[0] == 401
        assert (TradingSwitch.objects.count(), RiskLimits.objects.count()) == (0, 0)

    @pytest.mark.parametrize(("method", "path", "body"), [row for row in ADDRESSES if row[0] != "GET"])
    def test_writes_need_trade(self, one: Installation, method: str, path: str, body: object) -> None:
        status, problem = asked(one.trader.http(scopes=("read",)), method, one, path, body)
        assert (status, problem["code"]) == (403, "auth.scope")

    def test_no_number_is_too_large(self, client: Client) -> None:
        assert client.get(f"/api/v1/ea/installations/{10**30}/states").status_code == 404

    def test_a_token_sees_stops_of_its_ledgers_only(self, one: Installation) -> None:
        """A token learns nothing of a ledger that it is not bound to."""
        limits = limits_parsed({"hard": {"drawdown": "1"}})
        limits_put(user_id=one.trader.user.id, link_id=one.link.pk, version=0, limits=limits, now_ms=1)
        market: Market = market_open()
        assert sent(one, 1) is None
        settled(market, won=False)
        assert sent(one, 2) == "risk.drawdown"
        db.run("UPDATE ea_link SET ledger = 'real'")
        db.run("UPDATE ea_key SET ledgers = '{real}'")
        of_real = one.trader.http(ledgers=("real",))
        assert asked(of_real, "GET", one, "limits")[1]["state_of_stops"] == []
        assert len(asked(one.trader.http(), "GET", one, "limits")[1]["state_of_stops"]) == 1


def operator(*names: str) -> User:
    """Return an operator with some permissions."""
    found = person()
    User.objects.filter(pk=found.pk).update(is_staff=True)
    found.user_permissions.set(Permission.objects.filter(content_type__app_label="ea", codename__in=names))
    return User.objects.get(pk=found.pk)


def browser(user: User) -> Client:
    """Return a browser of an operator."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


PAGE, ACT = "admin:ea_tradingswitch_changelist", "admin:ea_tradingswitch_set_state"


class TestOperators:
    """Fairness: operators switch the bridge for everybody or on a symbol, never for one client."""

    def test_a_state_is_set_for_a_symbol_and_published(self, one: Installation) -> None:
        market_open()
        boss = operator("view_tradingswitch", "switch_bridge")
        client = browser(boss)
        client.get(reverse(PAGE))
        sent_ = {"_form_submitted": "on", "symbol": "EURUSD", "state": "halted", "reason": "thin liquidity"}
        assert client.post(reverse(ACT), sent_).status_code == 302
        (switch,) = TradingSwitch.objects.all()
        assert (switch.scope, switch.name, switch.state, switch.actor_id) == ("symbol", "EURUSD", "halted", boss.pk)
        page = client.get(reverse(PAGE)).content.decode()
        assert "thin liquidity" in page
        assert boss.email in page
        (told,) = Client().get("/api/v1/fairness/bridge").json()["data"]
        assert told == {
            "symbol": "EURUSD",
            "state": "halted",
            "reason": "thin liquidity",
            "began_at": rfc3339(switch.at_ms),
            "ended_at": None,
        }

    def test_it_takes_a_permission_of_its_own(self, one: Installation) -> None:
        market_open()
        client = browser(operator("view_tradingswitch"))
        assert client.get(reverse(PAGE)).status_code == 200
        assert client.post(reverse(ACT), {"_form_submitted": "on", "state": "halted", "reason": "r"}).status_code == 403
        assert TradingSwitch.objects.count() == 0

    @pytest.mark.parametrize("symbol", ["{link}", "{link}/breakout", "NOSUCH"])
    def test_no_page_can_halt_one_client(self, one: Installation, symbol: str) -> None:
        """The dialog offers symbols; an installation's id in its place is refused, and nothing names a scope."""
        market_open()
        client = browser(operator("view_tradingswitch", "switch_bridge"))
        place = symbol.format(link=one.link.pk)
        for extra in ({}, {"scope": "link", "name": str(one.link.pk)}):
            body = {"_form_submitted": "on", "symbol": place, "state": "halted", "reason": "r"} | extra
            client.post(reverse(ACT), body)
        assert TradingSwitch.objects.count() == 0

    def test_clients_own_states_and_limits_are_not_shown(self, one: Installation) -> None:
        limited(one, stake_max="12.34")
        state_set(user_id=one.trader.user.id, link_id=one.link.pk, state=TradingState.HALTED, reason="my own", now_ms=1)
        default_limits_put(limits=limits_parsed({"hard": {"stake_max": "56.78"}}), now_ms=1)
        client = browser(person(staff=True))
        assert "my own" not in client.get(reverse(PAGE)).content.decode()
        shown = client.get(reverse("admin:ea_risklimits_changelist")).content.decode()
        assert "56.78" in shown
        assert "12.34" not in shown
        assert Client().get("/api/v1/fairness/bridge").json() == {"data": [], "next_cursor": None}

    def test_acts_are_published_in_pages_with_their_ends(self) -> None:
        for number, state in enumerate([TradingState.HALTED, TradingState.ACTIVE, TradingState.REDUCING]):
            bridge_state_set(symbol="", state=state, reason=f"r{number}", now_ms=1_000 + number)
        first = Client().get("/api/v1/fairness/bridge?limit=2").json()
        assert [(act["reason"], act["symbol"]) for act in first["data"]] == [("r2", None), ("r1", None)]
        assert [act["ended_at"] for act in first["data"]] == [None, rfc3339(1_002)]
        (last,) = Client().get("/api/v1/fairness/bridge", {"cursor": first["next_cursor"]}).json()["data"]
        assert (last["reason"], last["ended_at"]) == ("r0", rfc3339(1_001))
