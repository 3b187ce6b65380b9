"""An emergency revision takes effect at once, by two persons, and is published with what it refunds (rules 1, S-20)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, transaction
from django.test import Client

from accounts.models import User
from accounts.services import user_ban
from kernel import db
from kernel.errors import Problem
from quotes.models import Incident, Symbol, SymbolRevision
from quotes.revisions import revision_cancel, revision_request, revision_terms
from settlement.audit import orders_audit
from settlement.revisions import revision_emergency_approve, revisions_activate
from tests.accounts.people import person
from tests.books import violations
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from tests.settlement.test_revisions import follow, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="1000.00")


@pytest.fixture
def first() -> User:
    return operator("change_symbol")


@pytest.fixture
def second() -> User:
    return operator("approve_emergency_revision")


def operator(*rights: str) -> User:
    """Return an operator with some rights on the market and no others."""
    user = person()
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights, content_type__app_label="quotes"))
    return user


def emergency(market: Market, by: User, **changes: Any) -> SymbolRevision:
    """Ask for an emergency revision."""
    terms = replace(revision_terms(Symbol.objects.get(pk=market.id)), **({"price_scale": 3} | changes))
    return revision_request(
        code=market.code, terms=terms, reason="Wrong prices", by_id=by.pk, now_ms=db_now_ms(), emergency=True
    )


def approve(market: Market, revision: SymbolRevision, by: User) -> Incident:
    """Approve it as the second person."""
    return revision_emergency_approve(code=market.code, number=revision.number, by_id=by.pk)


def refusal(market: Market, revision: SymbolRevision, by: User) -> str:
    """Return the code with which an approval is refused; nothing has changed after it."""
    with pytest.raises(Problem) as problem, transaction.atomic():
        approve(market, revision, by)
    revision.refresh_from_db()
    assert (revision.since_ms, Symbol.objects.get(pk=market.id).revision) == (None, 1)
    return problem.value.code


def test_open_orders_are_refunded_and_the_incident_says_what_they_would_have_been(
    market: Market, trader: Trader, first: User, second: User
) -> None:
    """Rules 1 and 3: refunds for ``revision`` when they fall due; counts, stakes and profits by ledger are public."""
    orders = [
        trader.place(market, "up", "10.00"),
        trader.place(market, "up", "20.00", ledger="real"),
        trader.place(market, "down", "5.00", ledger="real"),
    ]
    market.admitted("1.08600")
    orders.append(trader.place(market, "up", "7.00", ledger="real"))
    balance = trader.balance("real")

    incident = approve(market, emergency(market, first), second)

    assert (incident.orders, incident.reason) == (4, "Wrong prices")
    nothing = {"orders": 0, "stakes": "0.00"}
    assert incident.figures["price"] == "1.08600"
    assert incident.figures["ledgers"] == [
        {
            "ledger": "demo",
            "currency": "USD",
            "lost": nothing,
            "tied": nothing,
            "waiting": nothing,
            "won": {"orders": 1, "stakes": "10.00", "profits": "8.50"},
        },
        {
            "ledger": "real",
            "currency": "USD",
            "lost": {"orders": 1, "stakes": "5.00"},
            "waiting": nothing,
            "won": {"orders": 1, "stakes": "20.00", "profits": "17.00"},
            "tied": {"orders": 1, "stakes": "7.00"},
        },
    ]
    revision = SymbolRevision.objects.get(symbol_id=market.id, number=2)
    assert (revision.emergency, revision.requested_by_id, revision.approved_by_id) == (True, first.pk, second.pk)

    follow(market)
    expires_ms = max(order_row(order).expires_at_ms for order in orders)
    market.admitted("1.086", at_ms=expires_ms + 1)
    assert settle_due() == 4
    assert {(order_row(order).state, order_row(order).reason) for order in orders} == {("refunded", "revision")}
    assert trader.balance("real") == balance + 3_200
    assert violations() == {}
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def test_orders_are_refunded_though_no_tick_comes_before_they_expire(
    market: Market, trader: Trader, first: User, second: User
) -> None:
    """Rules 3: the new source may stay silent for ever; nothing is stuck and no stale tick decides."""
    order = trader.place(market, "up", duration_s=5)
    approve(market, emergency(market, first), second)
    market.log.terms = replace(market.log.terms, revision=2)

    row = order_row(order)
    market.admitted("1.085", at_ms=row.expires_at_ms + 1)
    settle_due()

    assert (order_row(order).state, order_row(order).reason) == ("refunded", "revision")


def test_what_was_due_before_is_settled_by_its_ticks(market: Market, trader: Trader, first: User, second: User) -> None:
    """Rules 3: an emergency never reaches back to an order whose result the log has fixed."""
    order = trader.place(market, "up", duration_s=2)
    expires_ms = order_row(order).expires_at_ms
    market.admitted("1.08600", at_ms=expires_ms)
    market.admitted("1.08000", at_ms=expires_ms + 1)

    incident = approve(market, emergency(market, first), second)
    settle_due()

    assert incident.orders == 0
    row = order_row(order)
    assert (row.state, row.close_price) == ("won", 108_600)
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def test_an_order_that_waits_for_its_entry_is_counted_apart_and_refunded(
    trader: Trader, first: User, second: User
) -> None:
    """Rules 2 and 3: an entry tick of another revision opens nothing."""
    market = market_open(entry_rule="next_tick/1")
    order = trader.place(market, "up", "10.00", duration_s=60)

    incident = approve(market, emergency(market, first), second)
    follow(market)
    market.admitted("1.086")
    settle_due()

    assert incident.figures["ledgers"][0]["waiting"] == {"orders": 1, "stakes": "10.00"}
    row = order_row(order)
    assert (row.state, row.reason, row.open_price) == ("refunded", "revision", None)
    assert violations() == {}
    assert orders_audit(from_ms=None, to_ms=None).differences == []


def test_a_second_emergency_does_not_count_the_same_orders_again(
    market: Market, trader: Trader, first: User, second: User
) -> None:
    """Rules 1: each incident tells of the orders that it refunds."""
    trader.place(market, "up")
    one = approve(market, emergency(market, first), second)
    follow(market)
    market.admitted("1.086")

    other = approve(market, emergency(market, first, price_scale=4), second)

    assert (one.orders, other.orders) == (1, 0)


def test_an_emergency_waits_for_its_second_person_with_the_market_closed(
    market: Market, trader: Trader, first: User
) -> None:
    """Rules 1: it takes no new orders, and no worker puts it in force when the last order is settled."""
    emergency(market, first)

    assert state(market)[0] == "close_only"
    assert revisions_activate() == 0
    revision_cancel(code=market.code, number=2, by_id=first.pk, now_ms=db_now_ms())
    assert state(market)[0] == "open"


def test_nobody_approves_alone(market: Market, second: User) -> None:
    """S-20, self-approval: not even somebody who may do both."""
    both = operator("change_symbol", "approve_emergency_revision")
    revision = emergency(market, both)

    assert refusal(market, revision, both) == "revision.same_person"
    with pytest.raises(DatabaseError), transaction.atomic():
        SymbolRevision.objects.filter(pk=revision.pk).update(since_ms=1, approved_by_id=both.pk)
    with pytest.raises(DatabaseError), transaction.atomic():
        SymbolRevision.objects.filter(pk=revision.pk).update(since_ms=1)


def test_an_approver_without_the_right_now_is_refused(market: Market, first: User, second: User) -> None:
    """S-20, demoted meanwhile: the right counts at the moment of the approval, and so does the first person's."""
    revision = emergency(market, first)

    assert refusal(market, revision, operator("change_symbol")) == "revision.forbidden"
    User.objects.filter(pk=second.pk).update(is_staff=False)
    assert refusal(market, revision, second) == "revision.forbidden"
    User.objects.filter(pk=second.pk).update(is_staff=True, is_active=False)
    assert refusal(market, revision, second) == "revision.forbidden"
    User.objects.filter(pk=second.pk).update(is_active=True)
    user_ban(email=second.email, reason="Left", now_ms=db_now_ms())
    assert refusal(market, revision, second) == "revision.forbidden"
    first.user_permissions.clear()
    assert refusal(market, revision, operator("approve_emergency_revision")) == "revision.forbidden"


def test_only_who_may_revise_asks_for_an_emergency(market: Market) -> None:
    """S-20: the first person is one, too."""
    with pytest.raises(Problem) as problem:
        emergency(market, operator("view_symbol"))

    assert problem.value.code == "revision.forbidden"


@pytest.mark.parametrize(
    "edit",
    [
        {"price_scale": 4},
        {"reason": "Another one"},
        {"emergency": False},
        {"requested_by_id": None},
        {"approved_by_id": "01a1fdad-7638-7751-ba38-1be262a86553"},
    ],
)
def test_a_request_is_never_edited(market: Market, first: User, edit: dict[str, Any]) -> None:
    """S-20, edited after the request: the database refuses it, whoever asks."""
    revision = emergency(market, first)

    with pytest.raises(DatabaseError, match="frozen"), transaction.atomic():
        SymbolRevision.objects.filter(pk=revision.pk).update(**edit)


def test_it_is_approved_once_and_stays_on_record(market: Market, first: User, second: User) -> None:
    """S-20, approved twice; a withdrawn one cannot be approved; neither can be removed."""
    revision = emergency(market, first)
    approve(market, revision, second)

    with pytest.raises(Problem) as problem:
        approve(market, revision, second)
    assert problem.value.code == "revision.not_waiting"
    for sql in ("DELETE FROM quotes_incident", "UPDATE quotes_incident SET orders = 0"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            db.run(sql)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        db.run("DELETE FROM quotes_symbol_revision WHERE number = 2")

    withdrawn = emergency(market, first, price_scale=2)
    revision_cancel(code=market.code, number=3, by_id=first.pk, now_ms=db_now_ms())
    with pytest.raises(Problem) as again:
        approve(market, withdrawn, second)
    assert again.value.code == "revision.not_waiting"


def test_an_ordinary_revision_is_not_made_an_emergency_by_approving_it(market: Market, second: User) -> None:
    """Rules 1: what waits for the open orders goes on waiting for them."""
    terms = replace(revision_terms(market.symbol), price_scale=3)
    revision_request(code=market.code, terms=terms, reason="Finer", by_id=None, now_ms=db_now_ms())

    with pytest.raises(Problem) as problem:
        revision_emergency_approve(code=market.code, number=2, by_id=second.pk)

    assert problem.value.code == "revision.not_waiting"


def test_incidents_are_public_and_come_in_pages(market: Market, trader: Trader, first: User, second: User) -> None:
    """Rules 1: no log-in is needed to read them; newest first."""
    trader.place(market, "up", "10.00")
    approve(market, emergency(market, first), second)
    approve(market, emergency(market, first, price_scale=4), second)
    client = Client()

    page = client.get("/api/v1/incidents?limit=1").json()
    rest = client.get("/api/v1/incidents", {"limit": "1", "cursor": page["next_cursor"]}).json()

    newest, oldest = page["data"][0], rest["data"][0]
    assert (newest["revision"], newest["orders"], oldest["revision"], oldest["orders"]) == (3, 0, 2, 1)
    assert rest["next_cursor"] is None
    assert oldest["symbol"] == market.code
    assert oldest["reason"] == "Wrong prices"
    assert oldest["price"] == "1.08512"
    assert oldest["before"] == {"feed": "script", "source": market.code, "price_scale": 5, "price_source": "mid"}
    assert oldest["after"] == oldest["before"] | {"price_scale": 3}
    assert oldest["at"].endswith("Z")
    assert oldest["effective_from"].endswith("Z")
    assert oldest["ledgers"][0]["tied"] == {"orders": 1, "stakes": "10.00"}
    assert str(first.pk) not in str(page) + str(rest)
    assert client.get("/api/v1/incidents?offset=1").json()["code"] == "request.invalid"
