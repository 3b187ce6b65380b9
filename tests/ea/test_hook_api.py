"""The hooks of an installation for its owner and for operators."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.test import Client, override_settings
from django.urls import reverse

from accounts.models import User
from accounts.services import token_create
from ea.hooks import LIVE_HOOKS_MAX, hook_create, hook_found, hooks_of
from ea.models import Alert, Hook
from tests.accounts.browser import Browser
from tests.accounts.people import PASSWORD, person, token_of
from tests.ea.alerts import Hooked, fresh, hooked
from tests.ea.bridge import installation
from tests.market import db_now_ms, trader_open

pytestmark = [pytest.mark.django_db(transaction=True)]
ALL = ("read", "trade", "tokens")
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def ours() -> Hooked:
    return hooked()


class TestApi:
    """The hooks of an installation for its owner."""

    @pytest.fixture
    def owner(self, ours: Hooked) -> Any:
        return self.api(token_of(ours.one.trader.user.pk, *ALL), ours)

    def api(self, token: str, ours: Hooked) -> Any:
        client = Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)
        path = f"/api/v1/ea/installations/{ours.one.link.pk}/hooks"

        def call(method: str, body: object = None, *, below: str = "") -> Any:
            data = b"" if body is None else json.dumps(body).encode()
            return client.generic(method, f"{path}{below}", data, content_type="application/json")

        return call

    def test_made_shown_once_used_and_revoked(self, owner: Any, ours: Hooked) -> None:
        made = owner("POST", {"name": "breakout", "networks": ["52.89.214.238"], "with_secret": True})
        assert made.status_code == 201, made.content
        document = made.json()
        assert document["url"].startswith("http://testserver/ea/v1/hook/")
        assert document["secret"]
        assert (document["ledgers"], document["in_force"], document["last_used_at"]) == (["demo"], True, None)
        listed = owner("GET").json()["data"]
        assert [item["id"] for item in listed] == [document["id"], ours.hook.pk]
        assert not {"url", "secret", "token"} & set(listed[0])
        token = document["url"].rsplit("/", 1)[1]
        body = fresh(secret=document["secret"])
        with override_settings(TRUSTED_PROXIES=["127.0.0.1"]):
            posted = Client().post(
                f"/ea/v1/hook/{token}", body, content_type="text/plain", headers={"X-Forwarded-For": "52.89.214.238"}
            )
        assert posted.status_code == 200
        assert owner("GET").json()["data"][0]["last_used_at"] is not None
        for _ in range(2):
            assert owner("DELETE", below=f"/{document['id']}").status_code == 204
        assert hook_found(token) is None
        assert owner("GET").json()["data"][0]["in_force"] is False

    @pytest.mark.parametrize(
        "body",
        [
            {"unknown": 1},
            {"name": "x" * 41},
            {"ledgers": []},
            {"ledgers": ["paper"]},
            {"networks": ["nowhere"]},
            {"networks": ["10.0.0.1"] * 51},
            {"with_secret": "perhaps"},
            [],
        ],
    )
    def test_what_is_refused(self, owner: Any, body: object) -> None:
        refused = owner("POST", body)
        assert (refused.status_code, refused.json()["code"]) == (400, "request.invalid")
        assert Hook.objects.count() == 1

    def test_pages(self, owner: Any, ours: Hooked) -> None:
        """Lists are paged alike everywhere: newest first, hooks of one millisecond included, each once."""
        now_ms = db_now_ms()
        made = [hook_create(link_id=ours.one.link.pk, now_ms=now_ms)[0].pk for _ in range(4)]
        seen: list[str] = []
        cursor = ""
        for size in (2, 2, 1):
            document = owner("GET", below=f"?limit=2{cursor}").json()
            assert len(document["data"]) == size
            seen += [item["id"] for item in document["data"]]
            cursor = f"&cursor={document['next_cursor']}"
        assert seen == [*sorted(made, reverse=True), ours.hook.pk]
        assert document["next_cursor"] is None
        refused = owner("GET", below="?cursor=MC8wMTk0ZjI1Ny0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA")
        assert (refused.status_code, refused.json()["code"]) == (400, "request.invalid")
        assert owner("GET", below="?page=2").json()["code"] == "request.invalid"

    def test_too_many(self, owner: Any, ours: Hooked) -> None:
        for _ in range(LIVE_HOOKS_MAX - 1):
            hook_create(link_id=ours.one.link.pk, now_ms=db_now_ms())
        refused = owner("POST", {})
        assert (refused.status_code, refused.json()["code"]) == (422, "ea.hook.refused")

    @pytest.mark.parametrize(
        ("scopes", "method", "status"),
        [
            (("read",), "GET", 200),
            (("trade",), "GET", 403),
            (("read", "trade"), "POST", 403),
            (("tokens",), "POST", 403),
            (("tokens", "trade"), "POST", 201),
            (("read", "trade"), "DELETE", 403),
            (("tokens",), "DELETE", 204),
        ],
    )
    def test_scopes(self, ours: Hooked, scopes: tuple[str, ...], method: str, status: int) -> None:
        """S-23: the matrix."""
        call = self.api(token_of(ours.one.trader.user.pk, *scopes), ours)
        body: object = {} if method == "POST" else None
        assert call(method, body, below=f"/{ours.hook.pk}" if method == "DELETE" else "").status_code == status

    def test_others_do_not_exist(self, ours: Hooked) -> None:
        """S-23: 404 for what is somebody else's."""
        stranger = self.api(token_of(trader_open().user.pk, *ALL), ours)
        assert stranger("GET").status_code == 404
        assert stranger("POST", {}).status_code == 404
        assert stranger("DELETE", below=f"/{ours.hook.pk}").status_code == 404
        other = hooked(installation(account="2"))
        owner = self.api(token_of(ours.one.trader.user.pk, *ALL), ours)
        assert owner("DELETE", below=f"/{other.hook.pk}").status_code == 404
        assert owner("DELETE", below=f"/{ours.one.key.kid}").status_code == 404
        assert owner("DELETE", below="/%00").status_code == 404
        assert hook_found(other.token) is not None

    def test_a_token_of_other_ledgers_does_not_see_them(self, ours: Hooked) -> None:
        """S-23: what an installation is to a token that is bound to ledgers, its hooks are, too."""
        bound = self.api(token_of(ours.one.trader.user.pk, *ALL, ledgers=["tournament"]), ours)
        assert bound("GET").status_code == 404
        assert bound("DELETE", below=f"/{ours.hook.pk}").status_code == 404
        assert hook_found(ours.token) is not None

    def test_no_more_than_the_caller_may(self, ours: Hooked) -> None:
        """S-23: a token cannot make an address that does what it may not, nor one for real money."""
        user_id = ours.one.trader.user.pk
        scopes = ("trade", "tokens")
        bound = self.api(token_of(user_id, *scopes, ledgers=["demo"]), ours)
        assert bound("POST", {"ledgers": ["tournament"]}).json()["code"] == "auth.ledger"
        _, secret = token_create(user_id=user_id, scopes=scopes, stake_day_cap=100, now_ms=db_now_ms())
        capped = self.api(secret, ours)
        assert capped("POST", {}).json()["code"] == "auth.capped"
        free = self.api(token_of(user_id, *scopes), ours)
        assert free("POST", {"ledgers": ["real"]}).json()["code"] == "auth.session_required"

    def test_real_money_needs_a_fresh_log_in(self, ours: Hooked) -> None:
        """S-23: a session that was left open is not enough."""
        user = ours.one.trader.user
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
        browser = Browser("127.0.0.9")
        assert browser.log_in(user.email, PASSWORD).status_code == 200
        path, body = f"/api/v1/ea/installations/{ours.one.link.pk}/hooks", {"ledgers": ["real"]}
        stale = browser.send("POST", path, body)
        assert (stale.status_code, json.loads(stale.content)["code"]) == (403, "auth.reauthentication")
        assert browser.auth("POST", "auth/reauthenticate", {"password": PASSWORD})[0] == 200
        made = browser.send("POST", path, body)
        assert (made.status_code, json.loads(made.content)["ledgers"]) == (201, ["real"])


class TestAdmin:
    """Operators see hooks without their secrets, and may end one."""

    @pytest.fixture
    def operator(self, client: Client) -> Client:
        client.force_login(person(staff=True), backend=BACKEND)
        return client

    def test_shown_and_revoked_with_a_reason(self, operator: Client, ours: Hooked) -> None:
        page = operator.get("/admin/ea/hook/?q=hook")
        assert page.status_code == 200
        assert ours.hook.pk in page.content.decode()
        link, path = (reverse(f"admin:ea_hook_{name}", args=[quote(ours.hook.pk)]) for name in ("change", "revoke"))
        assert link in page.content.decode()
        assert path in operator.get(link).content.decode()
        operator.post(path, {"_form_submitted": "on", "reason": ""})
        assert hook_found(ours.token) is not None
        operator.post(path, {"_form_submitted": "on", "reason": "its address got about"})
        assert hook_found(ours.token) is None
        told = Alert.objects.get()
        assert (told.kind, told.kid, told.detail) == ("revoked", ours.hook.pk, "its address got about")
        again = operator.post(path, {"_form_submitted": "on", "reason": "again"})
        assert again.status_code == 403
        assert Alert.objects.count() == 1

    def test_not_without_the_permission(self, client: Client, ours: Hooked) -> None:
        support = person(staff=True)
        User.objects.filter(pk=support.pk).update(is_superuser=False)
        client.force_login(support, backend=BACKEND)
        path = reverse("admin:ea_hook_revoke", args=[ours.hook.pk])
        assert client.post(path, {"_form_submitted": "on", "reason": "x"}).status_code == 403
        assert hook_found(ours.token) is not None


def test_the_list_is_that_of_one_installation(ours: Hooked) -> None:
    hooked(installation(account="2"))
    assert [row.kid for row in hooks_of(ours.one.link.pk)] == [ours.hook.pk]
