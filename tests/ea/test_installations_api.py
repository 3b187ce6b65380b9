"""What owners do with installations over REST: registered, given keys, paired with terminals (ea 5; S-23, S-24)."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.utils import DatabaseError
from django.test import Client

from accounts.models import User
from accounts.services import token_create
from ea import pairing
from ea.keys import keys_read
from ea.models import Alert, Counter, Key, Link, Pairing
from ea.services import alert_add
from kernel import db
from realtime.models import Event as AccountEvent
from tests.accounts.browser import Browser
from tests.accounts.conftest import new_browser  # noqa: F401 - a fixture
from tests.accounts.people import PASSWORD, person
from tests.ea.owners import BASE, Owner, paired
from tests.market import db_now_ms, trader_open

pytestmark = [pytest.mark.django_db(transaction=True)]
KEY = {"scopes": ["source"], "ledgers": ["demo"]}


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def link(owner: Owner) -> Any:
    return owner.installation()


class TestInstallations:
    """Rules of the API: registered once, seen by nobody else."""

    def test_registered_once_with_its_ledger(self, owner: Owner) -> None:
        made = owner.installation(account="7", ledger="real")
        assert (made["account"], made["server"], made["ledger"], made["keys"]) == ("7", "Broker-Demo", "real", [])
        assert made["state"] == {"state": "active", "reason": "", "at": None}
        assert (made["online"], made["last_seen_at"], made["transport"]) == (False, None, None)
        assert set(made["signals_24h"].values()) == {0}
        assert Counter.objects.get(link=made["id"]).no == 0
        body = {"account": "7", "server": "Broker-Demo", "ledger": "real"}
        assert owner.ask("POST", "installations", body)["id"] == made["id"]
        assert owner.refused("POST", "installations", body | {"ledger": "demo"}, status=409) == "ea.installation_exists"

    def test_listed_by_pages_the_newest_first(self, owner: Owner) -> None:
        ids = [owner.installation(account=str(number))["id"] for number in range(3)]
        page = owner.ask("GET", "installations?limit=2")
        rest = owner.ask("GET", f"installations?limit=2&cursor={page['next_cursor']}")
        assert [one["id"] for one in page["data"] + rest["data"]] == ids[::-1]
        assert rest["next_cursor"] is None
        assert Owner().ask("GET", "installations")["data"] == []

    @pytest.mark.parametrize(
        ("terms", "status", "code"),
        [
            ({"account": ""}, 400, "request.invalid"),
            ({"account": "1" * 41}, 400, "request.invalid"),
            ({"account": "1\u0007"}, 400, "request.invalid"),
            ({"server": "s" * 65}, 400, "request.invalid"),
            ({"ledger": "margin"}, 400, "request.invalid"),
            ({"ledger": "tournament"}, 400, "request.invalid"),
            ({"wallet_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, 400, "request.invalid"),
            ({"ledger": "tournament", "wallet_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, 404, "wallet.unknown"),
            ({"colour": "red"}, 400, "request.invalid"),
        ],
    )
    def test_terms_that_cannot_be(self, owner: Owner, terms: dict[str, Any], status: int, code: str) -> None:
        body = {"account": "7", "server": "Broker-Demo", "ledger": "demo"} | terms
        assert owner.refused("POST", "installations", body, status=status) == code
        assert Link.objects.count() == 0

    def test_there_are_fifty_at_most(self, owner: Owner) -> None:
        Link.objects.bulk_create(
            Link(user=owner.trader.user, account=f"a{number}", server="s", ledger="demo", made_at_ms=1)
            for number in range(50)
        )
        body = {"account": "7", "server": "s", "ledger": "demo"}
        assert owner.refused("POST", "installations", body, status=409) == "ea.installations_full"
        assert owner.ask("POST", "installations", body | {"account": "a7"})["account"] == "a7"

    def test_what_may_change(self, owner: Owner, link: Any) -> None:
        path = f"installations/{link['id']}"
        changed = owner.ask("PATCH", path, {"prefix": "#", "suffix": ".vip"})
        assert (changed["prefix"], changed["suffix"], changed["ledger"]) == ("#", ".vip", "demo")
        assert owner.ask("PATCH", path, {"ledger": "real"})["ledger"] == "real"
        assert owner.ask("PATCH", path, {"suffix": ""})["prefix"] == "#"
        assert owner.refused("PATCH", path, {"wallet_id": None}, status=400) == "request.invalid"
        assert owner.refused("PATCH", path, {"account": "8"}, status=400) == "request.invalid"


# Method, path with an installation {0} and a key {1}, body, scope, status where all is well.
ACTS = [
    ("GET", "installations", None, "read", 200),
    ("POST", "installations", {"account": "8", "server": "s", "ledger": "demo"}, "tokens", 201),
    ("PATCH", "installations/{0}", {"prefix": "#"}, "tokens", 200),
    ("POST", "installations/{0}/keys", KEY, "tokens", 201),
    ("POST", "keys/{1}/rotate", None, "tokens", 201),
    ("POST", "keys/{1}/revoke", None, "tokens", 200),
    ("POST", "installations/{0}/pairing", {"ledgers": ["demo"]}, "tokens", 201),
    ("GET", "installations/{0}/params/-", None, "read", 200),
    ("PUT", "installations/{0}/params/-", {"values": {"stake": "2.00"}}, "trade", 200),
    ("POST", "installations/{0}/commands", {"cmd": "pause"}, "trade", 202),
    ("GET", "symbols/unknown?installation={0}", None, "read", 200),
    ("GET", "aliases?installation={0}", None, "read", 200),
    ("GET", "signals?installation={0}", None, "read", 200),
    ("GET", "attribution?installation={0}", None, "read", 200),
    ("GET", "alerts?installation={0}", None, "read", 200),
]


@pytest.mark.parametrize(("method", "path", "body", "scope", "status"), ACTS)
def test_each_act_has_its_scope_and_its_owner(
    owner: Owner, link: Any, method: str, path: str, body: Any, scope: str, status: int
) -> None:
    """S-23, S-24: a matrix of scopes; who is nobody is 401; what is another user's is 404."""
    made = owner.ask("POST", f"installations/{link['id']}/keys", KEY, status=201)["key"]["kid"]
    named = path.format(link["id"], made)
    for scopes in {("read",), ("trade",), ("tokens",), ("withdraw",)} - {(scope,)}:
        assert Owner(owner.trader, scopes).refused(method, named, body, status=403) == "auth.scope"
    if named != path:
        assert Owner().refused(method, named, body, status=404) == "not_found"
    nobody = Owner(owner.trader)
    nobody.client = Client()
    assert nobody.refused(method, named, body, status=401) == "auth.required"
    Owner(owner.trader, (scope,)).ask(method, named, body, status=status)


def test_a_token_bound_to_a_ledger_sees_what_cannot_trade_elsewhere(owner: Owner, link: Any) -> None:
    """Contract, HTTP: a token bound to ledgers sees only theirs; a key can do no more than who asks for it."""
    demo = Owner(owner.trader, ledgers=("demo",))
    real = owner.installation(account="8", ledger="real")
    assert [one["id"] for one in demo.ask("GET", "installations")["data"]] == [link["id"]]
    assert demo.refused("PATCH", f"installations/{real['id']}", {"prefix": "#"}, status=404) == "not_found"
    body = {"account": "9", "server": "s", "ledger": "real"}
    assert demo.refused("POST", "installations", body, status=403) == "auth.ledger"
    assert demo.refused("PATCH", f"installations/{link['id']}", {"ledger": "real"}, status=403) == "auth.ledger"
    for path in (f"installations/{link['id']}/keys", f"installations/{link['id']}/pairing"):
        terms = {"ledgers": ["demo", "tournament"]} | ({"scopes": ["source"]} if path.endswith("keys") else {})
        assert demo.refused("POST", path, terms, status=403) == "auth.ledger"
    owner.ask("POST", f"installations/{link['id']}/keys", KEY | {"ledgers": ["demo", "tournament"]}, status=201)
    assert demo.ask("GET", "installations")["data"] == []


def test_a_capped_token_makes_no_key(owner: Owner, link: Any) -> None:
    """S-23: a key has no part in the caps of the token that would make it."""
    _, secret = token_create(user_id=owner.trader.user.id, scopes=["tokens"], stake_day_cap=100, now_ms=db_now_ms())
    owner.client = Client(headers={"Authorization": f"Bearer {secret}"})
    assert owner.refused("POST", f"installations/{link['id']}/keys", KEY, status=403) == "auth.capped"


class TestKeys:
    """S-23: made, shown once, rotated, revoked."""

    def test_a_secret_is_shown_once_and_signs(self, owner: Owner, link: Any) -> None:
        path = f"installations/{link['id']}/keys"
        terms = {"scopes": ["source"], "ledgers": ["demo"], "networks": ["10.0.0.0/8"], "valid_days": 30}
        made = owner.ask("POST", path, terms, status=201)
        key = made["key"]
        assert (key["scopes"], key["ledgers"], key["networks"]) == (["source"], ["demo"], ["10.0.0.0/8"])
        assert (key["in_force"], key["revoked_at"]) == (True, None)
        assert Key.objects.get().valid_until_ms == Key.objects.get().made_at_ms + 30 * 86_400_000
        assert keys_read([key["kid"]])[key["kid"]].secret.decode() == made["secret"]
        (shown,) = owner.ask("GET", "installations")["data"]
        assert shown["keys"] == [key]
        assert made["secret"] not in json.dumps(shown)

    def test_two_are_in_force_at_most(self, owner: Owner, link: Any) -> None:
        path = f"installations/{link['id']}/keys"
        first = owner.ask("POST", path, KEY, status=201)["key"]["kid"]
        rotated = owner.ask("POST", f"keys/{first}/rotate", status=201)
        assert rotated["key"]["kid"] != first
        assert rotated["old_valid_until"] > rotated["key"]["made_at"]
        assert owner.refused("POST", path, KEY, status=409) == "ea.keys_full"
        assert owner.refused("POST", f"keys/{first}/rotate", status=409) == "ea.keys_full"
        assert owner.refused("POST", f"installations/{link['id']}/pairing", {"ledgers": ["demo"]}, status=409) == (
            "ea.keys_full"
        )
        revoked = owner.ask("POST", f"keys/{first}/revoke")["key"]
        assert (revoked["in_force"], revoked["revoked_at"] is None) == (False, False)
        assert owner.ask("POST", f"keys/{first}/revoke")["key"] == revoked
        assert owner.refused("POST", f"keys/{first}/rotate", status=409) == "ea.key_ended"
        owner.ask("POST", path, KEY, status=201)

    @pytest.mark.parametrize(
        "terms",
        [
            {"scopes": []},
            {"scopes": ["withdraw"]},
            {"ledgers": []},
            {"ledgers": ["margin"]},
            {"networks": ["here"]},
            {"valid_days": 0},
            {"valid_days": 3_651},
            {"secret": "mine"},
        ],
    )
    def test_terms_that_cannot_be(self, owner: Owner, link: Any, terms: dict[str, Any]) -> None:
        path = f"installations/{link['id']}/keys"
        assert owner.refused("POST", path, KEY | terms, status=400) == "request.invalid"
        assert Key.objects.count() == 0

    @pytest.mark.parametrize("kid", ["nobody", "%00", "ea_" + "0" * 200])
    def test_no_such_key(self, owner: Owner, kid: str) -> None:
        assert owner.refused("POST", f"keys/{kid}/revoke", status=404) == "not_found"


class TestRealLedger:
    """ea 5, S-24: a key trades demo until its owner adds the real ledger with a fresh factor."""

    REAL = KEY | {"ledgers": ["demo", "real"]}

    @pytest.fixture
    def user(self) -> User:
        return person()

    @pytest.fixture
    def browser(self, new_browser: Callable[[], Browser], user: User) -> Browser:  # noqa: F811 - the fixture
        browser = new_browser()
        assert browser.log_in(user.email, PASSWORD).status_code == 200
        return browser

    @pytest.fixture
    def path(self, browser: Browser) -> str:
        body = {"account": "1", "server": "s", "ledger": "real"}
        return f"{BASE}/installations/{_sent(browser, 201, f'{BASE}/installations', body)['id']}"

    def test_a_token_is_no_person(self, owner: Owner, link: Any) -> None:
        path = f"installations/{link['id']}"
        assert owner.refused("POST", f"{path}/keys", self.REAL, status=403) == "auth.session_required"
        assert owner.refused("POST", f"{path}/pairing", {"ledgers": ["real"]}, status=403) == "auth.session_required"

    def test_a_password_of_a_moment_ago(self, browser: Browser, path: str) -> None:
        for asked in (f"{path}/keys", f"{path}/pairing"):
            body = self.REAL if asked.endswith("keys") else {"ledgers": ["real"]}
            assert _sent(browser, 403, asked, body)["code"] == "auth.reauthentication"
        assert browser.auth("POST", "auth/reauthenticate", {"password": PASSWORD})[0] == 200
        kid = _sent(browser, 201, f"{path}/keys", self.REAL)["key"]["kid"]
        assert Key.objects.get(pk=kid).ledgers == ["real", "demo"]
        assert _sent(browser, 201, f"{BASE}/keys/{kid}/rotate", None)["secret"]

    def test_where_there_is_a_second_factor_the_password_is_not_enough(self, browser: Browser, path: str) -> None:
        code = browser.second_factor_added(PASSWORD)
        assert _sent(browser, 403, f"{path}/keys", self.REAL)["code"] == "auth.reauthentication"
        assert browser.auth("POST", "auth/reauthenticate", {"password": PASSWORD})[0] == 200
        assert _sent(browser, 403, f"{path}/keys", self.REAL)["code"] == "auth.reauthentication"
        assert browser.auth("POST", "auth/2fa/reauthenticate", {"code": code})[0] == 200
        assert _sent(browser, 201, f"{path}/keys", self.REAL)["secret"]

    def test_a_rotation_of_a_real_key_asks_too(self, browser: Browser, path: str) -> None:
        browser.auth("POST", "auth/reauthenticate", {"password": PASSWORD})
        kid = _sent(browser, 201, f"{path}/keys", self.REAL)["key"]["kid"]
        user = User.objects.get(pk=Link.objects.get().user_id)
        again = Browser("2001:db8:ffff::1")
        assert again.log_in(user.email, PASSWORD).status_code == 200
        assert _sent(again, 403, f"{BASE}/keys/{kid}/rotate", None)["code"] == "auth.reauthentication"
        # To end a key asks for nothing.
        assert _sent(again, 200, f"{BASE}/keys/{kid}/revoke", None)["key"]["in_force"] is False


class TestPairing:
    """S-24, ea 5: a code of ten minutes and one use; the secret goes to the expert and nowhere else."""

    def test_a_code_becomes_a_key_once(self, owner: Owner, link: Any) -> None:
        code = owner.pairing(link["id"], networks=["127.0.0.0/8"])
        status, answer = paired(code)
        assert (status, set(answer)) == (200, {"kid", "secret", "tcp_port", "ws_port"})
        key = keys_read([answer["kid"]])[answer["kid"]]
        assert (key.secret.decode(), key.scopes) == (answer["secret"], frozenset({"source"}))
        assert key.networks == ("127.0.0.0/8",)
        assert Key.objects.get(pk=answer["kid"]).ledgers == ["demo"]
        assert (answer["tcp_port"] + 1) == answer["ws_port"]
        status, again = paired(code)
        assert (status, again["code"]) == (409, "pairing.used")
        assert list(Alert.objects.values_list("kind", "kid")) == [("paired", answer["kid"])]

    def test_as_people_type_it(self, owner: Owner, link: Any) -> None:
        code = owner.pairing(link["id"])
        typed = " " + code.replace("-", " ").lower().replace("0", "o").replace("1", "l") + " "
        assert paired(typed)[0] == 200

    def test_the_code_is_nowhere_in_the_database(self, owner: Owner, link: Any) -> None:
        code = owner.pairing(link["id"])
        row = str(db.rows("SELECT *, encode(digest, 'escape') FROM ea_pairing"))
        assert code not in row
        assert code.replace("-", "") not in row

    def test_a_newer_code_ends_the_older(self, owner: Owner, link: Any) -> None:
        older, newer = owner.pairing(link["id"]), owner.pairing(link["id"])
        assert paired(older)[1]["code"] == "pairing.unknown"
        assert paired(newer)[0] == 200

    def test_it_runs_out(self, owner: Owner, link: Any) -> None:
        code = owner.pairing(link["id"])
        expires_ms = Pairing.objects.get().expires_at_ms
        assert expires_ms == Pairing.objects.get().made_at_ms + 600_000
        with pytest.raises(Exception, match=r"pairing\.expired"):
            pairing.pairing_redeem(code=code, account="50012345", server="Broker-Demo", address="", now_ms=expires_ms)
        assert Key.objects.count() == 0

    @pytest.mark.parametrize("terms", [{"account": "1"}, {"server": "Broker-Live"}])
    def test_another_terminal_neither_gets_nor_spoils_it(self, owner: Owner, link: Any, terms: dict[str, str]) -> None:
        code = owner.pairing(link["id"])
        status, answer = paired(code, **terms)
        assert (status, answer["code"]) == (409, "pairing.account")
        assert paired(code)[0] == 200

    @pytest.mark.parametrize("code", ["AAAA-BBBB-CCCC", "AAAA", "ÄÄÄÄ-BBBB-CCCC", "A" * 64])
    def test_a_wrong_code(self, owner: Owner, link: Any, code: str) -> None:
        owner.pairing(link["id"])
        status, answer = paired(code)
        assert (status, answer["code"]) == (404, "pairing.unknown")

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"code":"A"}', b'{"code":"","account":"1","server":"s"}', b"\xff"])
    def test_what_is_no_request(self, owner: Owner, body: bytes) -> None:
        answer = owner.client.post("/ea/v1/pair", body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "request.invalid")

    def test_who_guesses_is_slowed_down_by_address(self, owner: Owner, link: Any) -> None:
        code = owner.pairing(link["id"])
        codes = [paired("AAAA-BBBB-CCCC")[1]["code"] for _ in range(12)]
        assert codes[:10] == ["pairing.unknown"] * 10
        assert codes[10:] == ["rate.limited"] * 2
        assert paired(code)[1]["code"] == "rate.limited"
        assert paired(code, address="198.51.100.7")[0] == 200

    def test_of_two_at_once_one_gets_it(self, owner: Owner, link: Any) -> None:
        code = owner.pairing(link["id"])

        def redeem(_: int) -> str:
            try:
                status, answer = paired(code)
                return "paired" if status == 200 else str(answer["code"])
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as threads:
            got = sorted(threads.map(redeem, range(4)))
        assert got == ["paired"] + ["pairing.used"] * 3
        assert Key.objects.count() == 1

    def test_a_code_without_room_for_a_key_stays(self, owner: Owner, link: Any) -> None:
        code = owner.pairing(link["id"])
        for _ in range(2):
            kid = owner.ask("POST", f"installations/{link['id']}/keys", KEY, status=201)["key"]["kid"]
        assert paired(code)[1]["code"] == "ea.keys_full"
        owner.ask("POST", f"keys/{kid}/revoke")
        assert paired(code)[0] == 200

    @pytest.mark.parametrize(
        "change", ["expires_at_ms = expires_at_ms + 1", "ended_at_ms = NULL, kid = NULL", "ledgers = '{real}'", None]
    )
    def test_a_code_stays_on_record_as_it_is(self, owner: Owner, link: Any, change: str | None) -> None:
        """The database refuses to open a code again, to widen it, or to forget it."""
        paired(owner.pairing(link["id"]))
        statement = f"UPDATE ea_pairing SET {change}" if change else "DELETE FROM ea_pairing"
        with pytest.raises(DatabaseError, match="stays on record"), transaction.atomic():
            db.run(statement)


def test_an_owner_hears_of_alerts_once_a_minute_of_a_kind(owner: Owner, link: Any) -> None:
    """ea 5: on the account's own channel, stored; each alert is on record all the same."""
    for now_ms in (1_000_000, 1_059_999, 1_060_001):
        alert_add(kind="id_conflict", link_id=link["id"], kid="k", now_ms=now_ms, address="10.0.0.1", detail="why")
    alert_add(kind="address", link_id=link["id"], kid="k", now_ms=1_000_001)
    told = AccountEvent.objects.filter(user_id=owner.trader.user.id, type="ea.alert").order_by("seq")
    first, second = [event.payload for event in told]
    assert (first["kind"], second["kind"]) == ("id_conflict", "address")
    assert (first["installation_id"], first["account"], first["detail"]) == (link["id"], "50012345", "why")
    listed = owner.ask("GET", "alerts")["data"]
    assert [alert["kind"] for alert in listed] == ["address", "id_conflict", "id_conflict", "id_conflict"]
    assert Owner(trader_open()).ask("GET", "alerts")["data"] == []


def _sent(browser: Browser, status: int, path: str, body: object) -> Any:
    answer = browser.send("POST", path, body)
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)
