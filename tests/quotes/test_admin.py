"""Operators' pages: they render, they halt markets, and they edit terms and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.callers import Caller
from accounts.domain import SCOPES
from accounts.models import User
from kernel.clock import wall_ms
from kernel.money import format_minor
from ledger.models import Account
from ledger.selectors import wallet_by_email
from ledger.services import balance_adjust
from quotes.admission import refusals_record
from quotes.domain import RawTick, Refusal, RefusedTick
from quotes.models import FeedStatus, HaltChange, PayoutChange, RefusedSample, Symbol
from quotes.services import NewSymbol, symbol_add, symbol_halt
from settlement.checks import OUTCOMES, Form
from settlement.invariant_results import invariants_watch, results_keep
from tests.accounts.people import person
from tests.quotes.market import Market, code_new
from trading.domain import Ticket
from trading.models import Order
from trading.services import order_place

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    """Return the client, logged in as an operator with every right."""
    client.force_login(person(staff=True), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def market() -> Market:
    market = Market(payout=85, max_tick_age_ms=60_000)
    market.admit("1.10000")
    return market


@pytest.fixture
def trader() -> User:
    return person()


@pytest.fixture
def order(market: Market, trader: User) -> Order:
    """Place an order on the demo ledger."""
    caller = Caller(trader.pk, "web", frozenset(SCOPES), None, None, "test", False)
    ticket = Ticket("mine-1", market.code, "up", "12.50", ledger="demo", duration_s=60)
    placed = order_place(caller=caller, ticket=ticket)
    return Order.objects.get(pk=placed.order.id)


def page(operator: Client, name: str, *args: Any, **query: str) -> str:
    """Return a page's text."""
    response = operator.get(reverse(f"admin:{name}", args=args), query)
    assert response.status_code == 200, response.headers
    return response.content.decode()


def symbol_form(market: Market, **changes: Any) -> dict[str, Any]:
    """Return what the form of a symbol sends."""
    symbol = Symbol.objects.get(pk=market.symbol.pk)
    names = ["name", "asset_class", "position", "payout_fixed", "payout_min", "payout_max", "min_stake_minor"]
    names += ["max_stake_minor", "min_duration_s", "max_duration_s", "max_tick_age_ms", "purchase_deadline_s"]
    sent = {name: getattr(symbol, name) for name in names}
    sent |= {name: format_minor(sent[name], "USD") for name in ("min_stake_minor", "max_stake_minor")}
    return sent | {"offered_real": "on", "offered_demo": "on"} | changes


def test_every_list_and_every_row_renders(operator: Client, market: Market, order: Order, trader: User) -> None:
    wallet = wallet_by_email(email=trader.email, book="real")
    assert wallet is not None
    balance_adjust(wallet_id=wallet, amount=5_000, reason="Welcome")
    symbol_halt(code=market.code, reason="Outage")
    FeedStatus.objects.create(feed="script", connected=True, last_packet_ms=wall_ms())
    refusals_record([("script", RefusedTick(RawTick(market.symbol.source, 1, 1, 1), Refusal.LATE))])

    for model, model_admin in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        if not model_admin.has_module_permission(_request(operator)):
            continue
        page(operator, f"{name}_changelist")
        for row in model._default_manager.all()[:3]:
            page(operator, f"{name}_change", row.pk)


def _request(operator: Client) -> Any:
    return operator.get("/admin/").wsgi_request


def test_the_front_page_tells_orders_feeds_and_invariants(operator: Client, order: Order) -> None:
    assert "Not checked yet" in page(operator, "index")
    invariants_watch(now_ms=wall_ms())
    FeedStatus.objects.create(feed="script", connected=True, detail="playing", last_packet_ms=wall_ms())

    text = page(operator, "index")

    assert "Open orders" in text
    assert "playing" in text
    assert "I-05 stored balance equals the sum of its entries" in text
    assert "violated" not in text


def test_a_violated_invariant_is_told_on_the_front_page(operator: Client) -> None:
    results_keep(form=Form.FULL, found={OUTCOMES: 3}, now_ms=wall_ms())

    assert "3 violated" in page(operator, "index")


def test_the_front_page_shows_nothing_that_an_operator_may_not_see(client: Client) -> None:
    clerk = person()
    clerk.is_staff = True
    clerk.save()
    clerk.user_permissions.add(Permission.objects.get(codename="view_symbol"))
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")

    text = page(client, "index")

    assert "Open orders" not in text
    assert "invariants" not in text
    assert "Markets" in text


@pytest.mark.parametrize(
    ("act", "state"), [("halt", Symbol.OperatorState.HALTED), ("close_only", Symbol.OperatorState.CLOSE_ONLY)]
)
def test_an_operator_halts_with_a_reason_and_resumes(
    operator: Client, market: Market, act: str, state: Symbol.OperatorState
) -> None:
    """Rules 1: halted by an operator, with reason; every act is on record."""
    stop = reverse(f"admin:quotes_symbol_{act}", args=[market.symbol.pk])
    asked = operator.get(stop)
    assert asked.status_code == 200
    assert 'name="reason"' in asked.content.decode()
    assert operator.post(stop, {"_form_submitted": "1", "reason": ""}).status_code == 200
    assert Symbol.objects.get(code=market.code).operator_state == "open"

    assert operator.post(stop, {"_form_submitted": "1", "reason": "Outage"}).status_code == 302
    stopped = Symbol.objects.get(code=market.code)
    assert (stopped.operator_state, stopped.state_reason) == (state, "Outage")
    assert operator.get(f"/api/v1/symbols/{market.code}").json()["state"] == state

    resume = reverse("admin:quotes_symbol_resume", args=[market.symbol.pk])
    assert operator.post(resume, {"_form_submitted": "1", "reason": "Back"}).status_code == 302
    assert Symbol.objects.get(code=market.code).operator_state == "open"
    assert list(HaltChange.objects.filter(symbol=market.symbol).order_by("id").values_list("state", "reason")) == [
        (state, "Outage"),
        ("open", ""),
    ]
    assert "Back" in page(operator, "quotes_symbol_history", market.symbol.pk)


def test_a_clerk_who_may_only_look_cannot_halt(client: Client, market: Market) -> None:
    clerk = person()
    clerk.is_staff = True
    clerk.save()
    clerk.user_permissions.add(Permission.objects.get(codename="view_symbol"))
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")

    refused = client.post(
        reverse("admin:quotes_symbol_halt", args=[market.symbol.pk]), {"_form_submitted": "1", "reason": "x"}
    )

    assert refused.status_code == 403
    assert Symbol.objects.get(code=market.code).operator_state == "open"


def test_terms_are_edited_and_what_makes_the_price_is_not(operator: Client, market: Market) -> None:
    sent = symbol_form(market, name="New name", min_stake_minor="5.00", price_scale=2, feed="binance", source="x")
    sent |= {"price_source": "last", "code": "OTHER", "operator_state": "halted", "payout_percent": 98, "revision": 9}

    response = operator.post(reverse("admin:quotes_symbol_change", args=[market.symbol.pk]), sent)

    assert response.status_code == 302, response.content.decode()
    symbol = Symbol.objects.get(pk=market.symbol.pk)
    assert (symbol.name, symbol.min_stake_minor) == ("New name", 500)
    assert (symbol.code, symbol.feed, symbol.source) == (market.code, market.symbol.feed, market.symbol.source)
    assert (symbol.price_scale, symbol.price_source, symbol.revision) == (5, "mid", 1)
    assert (symbol.operator_state, symbol.payout_percent) == ("open", 85)


def test_a_new_fixed_payout_is_the_payout_of_new_orders_and_on_record(operator: Client, market: Market) -> None:
    response = operator.post(
        reverse("admin:quotes_symbol_change", args=[market.symbol.pk]),
        symbol_form(market, payout_fixed=97, payout_min=96, payout_max=98),
    )

    assert response.status_code == 302, response.content.decode()
    assert Symbol.objects.get(pk=market.symbol.pk).payout_percent == 97
    newest = PayoutChange.objects.filter(symbol=market.symbol).latest("id")
    assert (newest.percent, newest.inputs) == (97, {"cause": "terms", "fixed": 97, "min": 96, "max": 98})


def test_a_payout_outside_new_bounds_moves_to_their_edge(operator: Client, market: Market) -> None:
    Symbol.objects.filter(pk=market.symbol.pk).update(payout_percent=75)

    response = operator.post(
        reverse("admin:quotes_symbol_change", args=[market.symbol.pk]), symbol_form(market, payout_min=80)
    )

    assert response.status_code == 302, response.content.decode()
    assert Symbol.objects.get(pk=market.symbol.pk).payout_percent == 80


@pytest.mark.parametrize(
    "changes",
    [
        {"payout_fixed": 99, "payout_max": 99},
        {"payout_min": 49},
        {"payout_fixed": 60},
        {"payout_fixed": ""},
        {"min_stake_minor": 0},
        {"min_stake_minor": "6000.00"},
        {"min_stake_minor": "1.005"},
        {"min_stake_minor": "-1"},
        {"min_stake_minor": "NaN"},
        {"max_stake_minor": "1e30"},
        {"min_duration_s": 0},
        {"min_duration_s": 90_000},
        {"max_tick_age_ms": 0},
        {"name": ""},
    ],
)
def test_terms_that_the_rules_forbid_are_refused_with_a_message(
    operator: Client, market: Market, changes: dict[str, Any]
) -> None:
    before = Symbol.objects.filter(pk=market.symbol.pk).values().get()

    response = operator.post(
        reverse("admin:quotes_symbol_change", args=[market.symbol.pk]), symbol_form(market, **changes)
    )

    assert response.status_code == 200
    assert Symbol.objects.filter(pk=market.symbol.pk).values().get() == before


def test_a_symbol_is_added_with_its_head_and_revision(operator: Client) -> None:
    code = code_new()
    sent = {
        "code": code,
        "name": "Added",
        "asset_class": "forex",
        "position": 5,
        "feed": "script",
        "source": "added",
        "price_scale": 3,
        "price_source": "mid",
        "payout_fixed": 80,
        "min_stake_minor": "1.00",
        "max_stake_minor": "10",
        "min_duration_s": 5,
        "max_duration_s": 60,
        "max_tick_age_ms": 3_000,
        "purchase_deadline_s": 10,
    }

    response = operator.post(reverse("admin:quotes_symbol_add"), sent)

    assert response.status_code == 302, response.content.decode()
    symbol = Symbol.objects.get(code=code)
    assert symbol.head.seq == 0
    assert symbol.revisions.get().source == "added"
    assert (symbol.payout_percent, symbol.max_duration_s, symbol.max_stake_minor) == (80, 60, 1_000)
    assert operator.post(reverse("admin:quotes_symbol_add"), sent).status_code == 200


def test_refused_ticks_are_counted_on_their_feed_s_page(operator: Client, market: Market) -> None:
    FeedStatus.objects.create(feed="script")
    tick = RefusedTick(RawTick(market.symbol.source, 1, 1, 1), Refusal.OUTLIER)
    refusals_record([("script", tick), ("script", tick)])
    RefusedSample.objects.create(
        feed="script", source=market.symbol.source, reason="outlier", recv_ms=wall_ms(), detail="bid 2 ask 3"
    )

    text = page(operator, "quotes_feedstatus_change", "script")

    assert "outlier" in text
    assert market.symbol.source in text
    assert "bid 2 ask 3" in page(operator, "quotes_refusedsample_changelist")


@pytest.mark.parametrize("term", ["id", "client_order_id", "email"])
def test_an_order_is_found_by_id_client_id_and_e_mail(operator: Client, order: Order, trader: User, term: str) -> None:
    wanted = trader.email if term == "email" else str(getattr(order, term))

    found = page(operator, "trading_order_changelist", q=wanted)
    missed = page(operator, "trading_order_changelist", q="nobody@example.com")

    assert str(order.pk) in found
    assert str(order.pk) not in missed


def test_an_order_s_page_shows_money_as_decimals(operator: Client, order: Order) -> None:
    text = page(operator, "trading_order_change", order.pk)

    assert "12.50 USD" in text
    assert "9987.50 USD" in text
    assert "1.10000" in text


def test_an_account_s_page_shows_its_statement_and_the_house_its_computed_total(operator: Client, trader: User) -> None:
    wallet = wallet_by_email(email=trader.email, book="real")
    assert wallet is not None
    balance_adjust(wallet_id=wallet, amount=5_000, reason="Welcome")
    house = Account.objects.get(owner__isnull=True, book="real", currency="USD", kind="adjustment")

    assert "50.00" in page(operator, "ledger_account_change", wallet)
    assert "-50.00 USD" in page(operator, "ledger_account_change", house.pk)
    assert "50.00 USD" in page(operator, "ledger_transfer_changelist", q=str(wallet))
    assert "Welcome" in page(operator, "ledger_adjustment_changelist")


def test_lists_do_not_ask_again_for_each_row(
    operator: Client, order: Order, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        Market().admit("1.1")
    names = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]

    assert {apps.get_model("trading", "order"), apps.get_model("ledger", "transfer")} <= set(admin.site._registry)
    # The first request of a session in a minute notes that it was seen.
    operator.get("/admin/")
    for name in ("quotes_symbol", "quotes_symbolhead", "trading_order", "trading_orderopen", "ledger_transfer"):
        assert name in names
        with django_assert_max_num_queries(12):
            page(operator, f"{name}_changelist")


def test_lists_are_filtered_by_ledger_symbol_and_owner(operator: Client, order: Order, trader: User) -> None:
    other = Market()

    assert str(order.pk) in page(operator, "trading_order_changelist", ledger="demo", symbol=str(order.symbol_id))
    assert str(order.pk) not in page(operator, "trading_order_changelist", ledger="real")
    assert str(order.pk) not in page(operator, "trading_order_changelist", symbol=str(other.symbol.pk))
    assert trader.email in page(operator, "ledger_account_changelist", house="no")
    of_the_house = page(operator, "ledger_account_changelist", house="yes")
    assert trader.email not in of_the_house
    assert "computed" in of_the_house


def test_rules_of_new_orders_are_terms_that_an_operator_sets(operator: Client, market: Market) -> None:
    """Rules 2 and 4: a symbol names its rules; a rule that is not there is refused."""
    address = reverse("admin:quotes_symbol_change", args=[market.symbol.pk])
    sent = symbol_form(market, entry_rule="next_tick/1", settlement_rule="trimmed_mean_10s/1")
    assert operator.post(address, sent).status_code == 302
    symbol = Symbol.objects.get(pk=market.symbol.pk)
    assert (symbol.entry_rule, symbol.settlement_rule) == ("next_tick/1", "trimmed_mean_10s/1")

    assert operator.post(address, symbol_form(market, entry_rule="best_tick/1")).status_code == 200
    assert operator.post(address, symbol_form(market)).status_code == 302
    assert Symbol.objects.get(pk=market.symbol.pk).entry_rule == "next_tick/1"


@pytest.mark.parametrize(("feed", "rule"), [("binance", "next_tick/1"), ("script", "last_tick/1")])
def test_a_symbol_that_names_no_entry_rule_gets_the_one_of_its_feed(feed: str, rule: str) -> None:
    """Rules 2: next_tick/1 is the default of real feeds with durations below a minute, whoever adds the symbol."""
    added = symbol_add(NewSymbol(code=code_new(), feed=feed, source="X", min_duration_s=5))
    assert added.entry_rule == rule
