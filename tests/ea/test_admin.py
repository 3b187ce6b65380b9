"""Operators' pages about the bridge: to look at, to end a key that has leaked, to name for everybody alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from ea.hooks import hook_create
from ea.keys import keys_read
from ea.log import EventLog
from ea.models import Alert, Key, SymbolAlias, UnknownSymbol
from kernel.clock import wall_ms
from kernel.http import rates
from quotes.services import NewSymbol, symbol_add
from tests.accounts.people import PASSWORD, person
from tests.ea.bridge import Installation, execute_due, installation, with_key
from tests.ea.events import arrived
from tests.market import Market, market_open

pytestmark = [pytest.mark.django_db(transaction=True)]
LISTS = ("eaorder", "latency", "link", "key", "alert", "unknownsymbol", "symbolalias")


def logged_in(**who: Any) -> Client:
    """Log somebody in to the admin."""
    rates.rates_reset()
    client = Client()
    staff = person(staff=True)
    for name, value in who.items():
        setattr(staff, name, value)
    staff.save()
    answer = client.post("/admin/login/?next=/admin/", {"username": staff.email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


@pytest.fixture
def operator() -> Client:
    return logged_in()


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def one(market: Market) -> Installation:
    """An installation with a signal that was placed and one with a name that nobody knows."""
    one = installation()
    EventLog().append([arrived(one, 1), arrived(one, 2, symbol="GOLD.m")])
    execute_due()
    return one


def test_lists_and_rows_open(operator: Client, one: Installation) -> None:
    """Every page about the bridge opens, and none shows a secret or its cipher text."""
    SymbolAlias.objects.create(link=one.link, raw="X", symbol="EURUSD")
    operator.post(f"/admin/ea/key/{quote(one.key.kid)}/revoke/", {"_form_submitted": "True", "reason": "leaked"})
    cipher = bytes(Key.objects.get(pk=one.key.kid).secret).decode()
    secret = keys_read([one.key.kid])[one.key.kid].secret.decode()
    for name in LISTS:
        listed = operator.get(f"/admin/ea/{name}/")
        assert listed.status_code == 200, name
        rows = listed.context["cl"].result_list
        assert rows, name
        page = operator.get(reverse(f"admin:ea_{name}_change", args=[quote(rows[0].pk)]))
        assert page.status_code == 200, name
        for answer in (listed, page):
            assert cipher not in answer.content.decode()
            assert secret not in answer.content.decode()
    assert "EURUSD" in operator.get("/admin/ea/latency/").content.decode()


def test_a_signal_s_page_tells_its_steps_and_what_was_sent(operator: Client, one: Installation) -> None:
    rows = operator.get("/admin/ea/eaorder/?state=open").context["cl"].result_list
    page = operator.get(f"/admin/ea/eaorder/{rows[0].pk}/change/").content.decode()
    for text in ("validated", "routed", "submitted", "executor", "&quot;direction&quot;:&quot;call&quot;"):
        assert text in page


def test_a_key_is_revoked_with_a_reason_that_its_owner_hears(operator: Client, one: Installation) -> None:
    """S-23: no reason, no end; a repeat changes nothing."""
    page = f"/admin/ea/key/{quote(one.key.kid)}/revoke/"
    operator.post(page, {"_form_submitted": "True", "reason": ""})
    assert Key.objects.get(pk=one.key.kid).revoked_at_ms is None
    assert operator.post(page, {"_form_submitted": "True", "reason": "leaked"}).status_code == 302
    ended_ms = Key.objects.get(pk=one.key.kid).revoked_at_ms
    assert ended_ms is not None
    operator.post(page, {"_form_submitted": "True", "reason": "again"})
    assert Key.objects.get(pk=one.key.kid).revoked_at_ms == ended_ms
    alert = Alert.objects.get(kind="revoked")
    assert (alert.kid, alert.detail) == (one.key.kid, "leaked")
    assert b"leaked" in operator.get(f"/admin/ea/key/{quote(one.key.kid)}/history/").content


def test_a_key_opened_from_the_list_can_be_revoked(operator: Client, one: Installation) -> None:
    """D: links of the admin spell out the underscore of a key's id, which the button has to understand."""
    link = reverse("admin:ea_key_change", args=[quote(one.key.kid)])
    assert link in operator.get("/admin/ea/key/").content.decode()
    button = reverse("admin:ea_key_revoke", args=[quote(one.key.kid)])
    assert button in operator.get(link).content.decode()
    assert operator.post(button, {"_form_submitted": "True", "reason": "leaked"}).status_code == 302
    assert Key.objects.get(pk=one.key.kid).revoked_at_ms is not None


def test_all_keys_of_an_installation_are_revoked(operator: Client, one: Installation) -> None:
    """An installation that was taken over keeps no way in: hooks end with the keys."""
    with_key(one.trader, one.link)
    hook, _, _ = hook_create(link_id=one.link.pk, name="alerts", now_ms=wall_ms())
    other = installation()
    page = f"/admin/ea/link/{one.link.pk}/revoke-keys/"
    assert operator.post(page, {"_form_submitted": "True", "reason": "stolen laptop"}).status_code == 302
    assert not Key.objects.filter(link=one.link, revoked_at_ms__isnull=True).exists()
    assert Alert.objects.filter(kind="revoked", kid=hook.pk, detail="stolen laptop").exists()
    assert Key.objects.get(pk=other.key.kid).revoked_at_ms is None


def test_a_name_is_given_to_every_broker_alike(operator: Client, one: Installation) -> None:
    """Fairness: an operator names for everybody, and never what has a meaning already."""
    symbol_add(NewSymbol(code="XAUUSD", feed="script", source="XAUUSD"))
    other = installation()
    for link, raw in ((other.link, "GOLD.m"), (one.link, "EURUSD.x")):
        UnknownSymbol.objects.create(link=link, raw=raw, first_at_ms=1, last_at_ms=1, times=1)
    unknown = UnknownSymbol.objects.get(link=one.link, raw="GOLD.m")
    page = f"/admin/ea/unknownsymbol/{unknown.pk}/name/"
    operator.post(page, {"_form_submitted": "True", "symbol": "NOSUCH"})
    assert SymbolAlias.objects.count() == 0
    assert operator.post(page, {"_form_submitted": "True", "symbol": "XAUUSD"}).status_code == 302
    alias = SymbolAlias.objects.get()
    assert (alias.link, alias.raw, alias.symbol) == (None, "GOLD.m", "XAUUSD")
    assert not UnknownSymbol.objects.filter(raw="GOLD.m").exists()
    known = UnknownSymbol.objects.get(raw="EURUSD.x")
    operator.post(f"/admin/ea/unknownsymbol/{known.pk}/name/", {"_form_submitted": "True", "symbol": "XAUUSD"})
    assert SymbolAlias.objects.count() == 1
    assert operator.post(f"/admin/ea/symbolalias/{alias.pk}/forget/", {"_form_submitted": "True"}).status_code == 302
    assert SymbolAlias.objects.count() == 0


def test_what_an_owner_has_named_is_the_owner_s(operator: Client, one: Installation) -> None:
    """Fairness: no operator makes one client's signals mean something else."""
    alias = SymbolAlias.objects.create(link=one.link, raw="GOLD", symbol="EURUSD")
    answer = operator.post(f"/admin/ea/symbolalias/{alias.pk}/forget/", {"_form_submitted": "True"})
    assert answer.status_code == 403
    for path, body in (
        (f"symbolalias/{alias.pk}/change/", {"symbol": "GBPUSD"}),
        (f"link/{one.link.pk}/change/", {"ledger": "real", "suffix": ".x"}),
        (f"key/{one.key.kid}/change/", {"ledgers": "real"}),
        ("symbolalias/add/", {"raw": "EURUSD", "symbol": "GBPUSD"}),
    ):
        assert operator.post(f"/admin/ea/{path}", body).status_code == 403, path
    alias.refresh_from_db()
    assert alias.symbol == "EURUSD"


def test_each_page_and_act_has_its_permission(one: Installation) -> None:
    """Who may look may not end or name; who may neither sees nothing."""
    client = logged_in(is_superuser=False)
    for name in LISTS:
        assert client.get(f"/admin/ea/{name}/").status_code == 403, name
    staff = User.objects.get(pk=client.session["_auth_user_id"])
    staff.user_permissions.add(*Permission.objects.filter(content_type__app_label="ea", codename__startswith="view_"))
    for name in LISTS:
        assert client.get(f"/admin/ea/{name}/").status_code == 200, name
    unknown = UnknownSymbol.objects.get()
    for path in (f"key/{one.key.kid}/revoke/", f"link/{one.link.pk}/revoke-keys/", f"unknownsymbol/{unknown.pk}/name/"):
        asked = {"_form_submitted": "True", "reason": "why", "symbol": "EURUSD"}
        assert client.post(f"/admin/ea/{path}", asked).status_code == 403, path
    assert Key.objects.get(pk=one.key.kid).revoked_at_ms is None
