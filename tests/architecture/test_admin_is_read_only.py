"""No operator screen changes a price, a result, a payout of an order or a balance (architecture, principle 4)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.test import RequestFactory

# What operators may write, and nothing else: terms of new orders, rights of people, groups of operators. A request for
# an adjustment can be added: it moves nothing, another person decides about it, and nobody can change it.
WRITABLE = {"accounts.countrypolicy", "quotes.marketcalendar", "quotes.symbol", "accounts.user", "auth.group"}
ADDABLE = {"accounts.countrypolicy", "ledger.adjustmentrequest", "quotes.marketcalendar", "quotes.symbol", "auth.group"}
DELETABLE = {"accounts.countrypolicy", "auth.group"}
# Rows that are written on the page of what they belong to, and by its service only.
INLINES = {"quotes.marketcalendar": {"quotes.tradingsession", "quotes.holiday"}}
UNTOUCHABLE = {
    *("quotes.tick", "quotes.candle", "quotes.symbolhead", "quotes.symbolrevision", "quotes.payoutchange"),
    *("quotes.tradingwindow", "quotes.calendarchange", "quotes.incident"),
    *("quotes.haltchange", "quotes.refusalcount", "quotes.refusedsample", "quotes.feedstatus"),
    *("trading.order", "trading.orderopen", "trading.tradingpolicy", "trading.dispute"),
    *("kernel.factbatch", "kernel.jobrun", "settlement.windoworder", "settlement.dailysymbol", "settlement.dailyuser"),
    *("ledger.account", "ledger.transfer", "ledger.adjustment", "ledger.checkpoint"),
    *("realtime.event", "realtime.eventcounter"),
    *("ea.event", "ea.eaorder", "ea.transition", "ea.latency", "ea.tradingswitch", "ea.risklimits", "ea.riskstop"),
    "ea.resulttally",
    "ea.hook",
    *("ea.link", "ea.key", "ea.event", "ea.eaorder", "ea.transition", "ea.latency", "ea.alert", "ea.repeat"),
    *("ea.instruction", "ea.paramsack", "ea.pairing", "ea.presence", "ea.unknownsymbol", "ea.symbolalias"),
}
FORBIDDEN_FIELD = re.compile(
    r"(^|_)(price|bid|ask|tick|seq|watermark|candidate|result|outcome|profit|payout_percent|balance|stake$|latency"
    r"|state|reason|open|close|settled|evidence|entry_no|revision)(_|$)"
)
admin.autodiscover()
ALL = sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label_lower)


@pytest.fixture
def request_of_superuser() -> Any:
    request = RequestFactory().get("/admin/")
    request.user = get_user_model()(email="operator@example.com", is_staff=True, is_superuser=True, is_active=True)
    return request


def writable_fields(model_admin: ModelAdmin[Any], request: Any, row: Model | None) -> set[str]:
    """Return the names of the fields that a form of this page takes."""
    form = model_admin.get_form(request, row, change=row is not None)
    return set(form.base_fields) - set(model_admin.get_readonly_fields(request, row))


@pytest.mark.parametrize(("model", "model_admin"), ALL, ids=lambda item: getattr(item, "__name__", ""))
def test_only_what_binds_new_orders_can_be_written(
    model: type[Model], model_admin: ModelAdmin[Any], request_of_superuser: Any
) -> None:
    label, request = model._meta.label_lower, request_of_superuser

    assert model_admin.has_change_permission(request) is (label in WRITABLE)
    assert model_admin.has_add_permission(request) is (label in ADDABLE)
    assert model_admin.has_delete_permission(request) is (label in DELETABLE)
    assert label not in UNTOUCHABLE or label not in WRITABLE | ADDABLE | DELETABLE
    assert not getattr(model_admin, "list_editable", ())
    assert {inline.model._meta.label_lower for inline in model_admin.inlines} == INLINES.get(label, set())


@pytest.mark.parametrize("label", sorted(UNTOUCHABLE))
def test_what_nobody_may_touch_exists_and_is_shown_read_only_or_not_at_all(label: str) -> None:
    """A renamed model must not slip out of this list."""
    model = apps.get_model(label)

    assert model not in admin.site._registry or type(admin.site._registry[model]).__mro__[-1] is object


def test_a_symbol_s_page_takes_terms_of_new_orders_only(request_of_superuser: Any) -> None:
    symbol_model = apps.get_model("quotes.symbol")
    model_admin = admin.site._registry[symbol_model]

    fields = writable_fields(model_admin, request_of_superuser, symbol_model())

    assert fields == {
        *("name", "asset_class", "position", "payout_fixed", "payout_min", "payout_max", "min_stake_minor"),
        *("max_stake_minor", "min_duration_s", "max_duration_s", "max_tick_age_ms", "offered_real", "offered_demo"),
        *("calendar", "purchase_deadline_s", "exposure_cap_minor", "custom_declared"),
        *("entry_rule", "settlement_rule"),
    }
    assert not [name for name in fields if FORBIDDEN_FIELD.search(name) and name != "max_tick_age_ms"]


def test_a_user_s_page_takes_no_money_and_no_result(request_of_superuser: Any) -> None:
    user_model = get_user_model()
    model_admin = admin.site._registry[user_model]

    fields = writable_fields(model_admin, request_of_superuser, user_model())

    assert not [name for name in fields if FORBIDDEN_FIELD.search(name)]


def test_actions_of_pages_are_known(request_of_superuser: Any) -> None:
    """A new act of an operator has to be thought about here."""
    known = {
        "quotes.symbol": {"halt", "close_only", "resume", "revise"},
        "quotes.marketcalendar": {"add_ready_made", "fetch_holidays"},
        "quotes.symbolrevision": {"approve", "withdraw"},
        "accounts.user": {"ban", "unban"},
        "ledger.adjustmentrequest": {"approve", "reject", "withdraw"},
        "kernel.factbatch": {"retry"},
        "trading.order": {"dispute"},
        "trading.dispute": {"close"},
        "ea.tradingswitch": {"set_state"},
        "ea.hook": {"revoke"},
        # Ending a key that has leaked takes no client's terms; a name of a symbol holds for every broker alike.
        "ea.link": {"revoke_keys"},
        "ea.key": {"revoke"},
        "ea.unknownsymbol": {"name_it"},
        "ea.symbolalias": {"forget"},
    }

    for model, model_admin in ALL:
        acts: set[str] = set()
        for place in ("actions_detail", "actions_list", "actions_row", "actions_submit_line"):
            acts |= set(getattr(model_admin, place, ()) or ())
        own = {name for name in model_admin.get_actions(request_of_superuser) if name != "delete_selected"}
        assert acts | own == known.get(model._meta.label_lower, set())
