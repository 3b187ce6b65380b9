"""Operators revise symbols by dialogs; an emergency takes a second person who is logged in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from quotes.models import Incident, Symbol, SymbolRevision
from tests.accounts.people import person
from tests.market import Market, Trader, market_open, trader_open
from tests.settlement.test_revisions_emergency import operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open()


def logged_in(user: User) -> Client:
    """Return a browser of an operator."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def act(client: Client, model: str, key: int, name: str, **sent: Any) -> Any:
    """Submit the dialog of an act."""
    url = reverse(f"admin:quotes_{model}_{name}", args=[key])
    return client.post(url, {"_form_submitted": "on"} | sent)


def text(client: Client, model: str, key: int) -> str:
    """Return a page."""
    response = client.get(reverse(f"admin:quotes_{model}_change", args=[key]))
    assert response.status_code == 200
    content: str = response.content.decode()
    return content


WISH = {"feed": "script", "source": "EURUSD", "price_scale": "3", "price_source": "mid", "reason": "A coarser scale"}


def test_a_revision_is_asked_for_shown_with_its_open_orders_and_withdrawn(market: Market, trader: Trader) -> None:
    """Rules 1: what waits, for how many orders, asked for by whom and why."""
    trader.place(market)
    trader.place(market)
    boss = person(staff=True)
    browser = logged_in(boss)
    dialog: Any = browser.get(reverse("admin:quotes_symbol_revise", args=[market.id]))
    assert b"In force" in dialog.content

    response = act(browser, "symbol", market.id, "revise", **WISH)

    revision = SymbolRevision.objects.get(symbol_id=market.id, number=2)
    assert response.status_code == 302
    assert (revision.price_scale, revision.requested_by_id, revision.reason) == (3, boss.pk, "A coarser scale")
    page = text(browser, "symbolrevision", revision.pk)
    assert "waits for 2" in page
    assert boss.email in page
    assert "A coarser scale" in page
    assert "waits for the open orders" in text(browser, "symbol", market.id)
    assert act(browser, "symbol", market.id, "revise", **WISH).status_code == 403

    act(browser, "symbolrevision", revision.pk, "withdraw")
    assert "withdrawn" in text(browser, "symbolrevision", revision.pk)
    assert Symbol.objects.get(pk=market.id).pending_revision is None


def test_a_revision_of_nothing_is_refused_in_words(market: Market) -> None:
    """Rules 1: it must change something; a wrong field is told in the dialog."""
    browser = logged_in(person(staff=True))

    response = act(browser, "symbol", market.id, "revise", **(WISH | {"price_scale": "5"}))
    wrong = act(browser, "symbol", market.id, "revise", **(WISH | {"price_scale": "11"}))

    assert "has these terms already" in browser.get(response.headers["Location"]).content.decode()
    assert wrong.status_code == 200
    assert not SymbolRevision.objects.filter(symbol_id=market.id, number=2).exists()


def test_an_emergency_is_approved_by_another_person_and_shown_as_an_incident(market: Market, trader: Trader) -> None:
    """S-20: the person who asked cannot, who may not cannot, and another who may can."""
    trader.place(market)
    asker = operator("change_symbol", "view_symbol", "approve_emergency_revision", "view_symbolrevision")
    second = operator("approve_emergency_revision", "view_symbolrevision", "view_incident")
    outsider = operator("change_symbol", "view_symbolrevision")
    act(logged_in(asker), "symbol", market.id, "revise", **WISH, emergency="on")
    revision = SymbolRevision.objects.get(symbol_id=market.id, number=2)

    refused = [
        act(logged_in(user), "symbolrevision", revision.pk, "approve", seen="on").status_code
        for user in (asker, outsider)
    ]
    unseen = act(logged_in(second), "symbolrevision", revision.pk, "approve")
    assert (refused, unseen.status_code, Incident.objects.count()) == ([403, 403], 200, 0)
    assert "would refund up to 1" in text(logged_in(second), "symbolrevision", revision.pk)

    response = act(logged_in(second), "symbolrevision", revision.pk, "approve", seen="on")

    incident = Incident.objects.get()
    assert response.headers["Location"].endswith(reverse("admin:quotes_incident_change", args=[incident.pk]))
    page = text(logged_in(second), "incident", incident.pk)
    assert "A coarser scale" in page
    assert "10.00 USD" in page
    assert "in force" in text(logged_in(second), "symbolrevision", revision.pk)
    assert act(logged_in(second), "symbolrevision", revision.pk, "approve", seen="on").status_code == 403


def test_a_symbol_s_page_declares_a_custom_feed(market: Market) -> None:
    """Rules 1, custom feeds: the operator's word reaches the public terms."""
    browser = logged_in(person(staff=True))
    assert "Custom feed declared to clients" in text(browser, "symbol", market.id)

    symbol = Symbol.objects.get(pk=market.id)
    names = ["name", "asset_class", "position", "payout_fixed", "payout_min", "payout_max", "purchase_deadline_s"]
    names += ["min_duration_s", "max_duration_s", "max_tick_age_ms"]
    sent = {name: getattr(symbol, name) for name in names} | {"min_stake_minor": "1.00", "max_stake_minor": "5000.00"}
    sent |= {"offered_real": "on", "offered_demo": "on", "custom_declared": "on"}
    response = browser.post(reverse("admin:quotes_symbol_change", args=[market.id]), sent)

    assert response.status_code == 302
    shown = Client().get(f"/api/v1/symbols/{market.code}").json()
    assert (shown["feed"], shown["feed_custom"]) == ("custom", True)
