"""Adjustments by two persons: who may, what is frozen, what moves, what the client reads (rules 6, I-32, S-20)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from accounts.models import User
from accounts.services import user_ban
from kernel import db
from kernel.errors import Problem
from kernel.ids import uuid7
from ledger import adjustments
from ledger.domain import REQUEST_LIFETIME_MS, AccountKind, ReasonCode, house_account_id
from ledger.invariants import adjustments_approved
from ledger.models import Adjustment, AdjustmentRequest, Transfer
from ledger.selectors import statement
from ledger.services import balance_adjust
from tests.books import fingerprint, violations
from tests.crowd import at_once
from tests.ledger.colleagues import approved, approver, asked, clerk, requester
from tests.logged import statements_logged
from tests.market import Trader, db_now_ms, trader_open
from tests.settlement.test_lock_order import in_order, locks_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="10.00")


def refused(act: Callable[[], object]) -> str:
    """Return the code with which an act is refused, once nothing has changed by it."""
    before = fingerprint()
    with pytest.raises(Problem) as problem:
        act()
    assert fingerprint() == before
    return problem.value.code


# --- the way that it should go --------------------------------------------------------------------


def test_a_request_moves_nothing_and_its_approval_moves_all(trader: Trader) -> None:
    """Rules 6: reason code, second person, journal pair, visible to the client."""
    one, two = requester(), approver()
    request = asked(trader, one, amount=2_500, note="Outage on 3 March")
    assert trader.balance("real") == 1_000

    state = approved(request, two)

    assert (state.wallet.balance, trader.balance("real")) == (3_500, 3_500)
    entry = statement(account_id=trader.wallets["real"], before_no=None, limit=1)[0]
    assert (entry.family, entry.kind, entry.amount, entry.balance_after) == ("adjustment", "credit", 2_500, 3_500)
    assert (entry.reference, entry.note) == (request.pk, "Outage on 3 March")
    request.refresh_from_db()
    assert (request.state, request.requested_by, request.decided_by) == ("approved", one, two)
    assert Adjustment.objects.get(pk=request.pk).origin == "approved"
    assert violations() == {}


def test_money_is_taken_out_by_two_persons_too(trader: Trader) -> None:
    """Rules 6: either direction, never below zero."""
    approved(asked(trader, amount=-1_000, reason_code=ReasonCode.CORRECTION), approver())
    assert trader.balance("real") == 0
    assert violations() == {}


def test_the_client_reads_the_note_and_hears_of_the_balance(trader: Trader) -> None:
    """Contract, entries and balance.changed: the note of an adjustment, null for all else."""
    approved(asked(trader, note="Prize of the week"), approver())

    real = trader.http().get(f"/api/v1/wallets/{trader.wallets['real']}/entries").json()["data"]
    demo = trader.http().get(f"/api/v1/wallets/{trader.wallets['demo']}/entries").json()["data"]

    assert [row["note"] for row in real] == ["Prize of the week", "for tests"]
    assert [(row["kind"], row["note"]) for row in demo] == [("demo.grant", None)]
    told = db.row(
        "SELECT payload->>'cause', payload->>'balance' FROM realtime_event WHERE user_id = %s ORDER BY seq DESC",
        [trader.user.pk],
    )
    assert told == ("adjustment", "35.00")


def test_the_hash_is_the_one_that_the_rules_publish(trader: Trader) -> None:
    """I-32: what is approved is account, amount, reason code and note."""
    request = asked(trader, amount=-7, note="a|b")
    text = f"{trader.wallets['real']}|-7|goodwill|a|b"
    assert bytes(request.payload_hash) == sha256(text.encode()).digest()


def test_an_approval_locks_the_wallet_then_the_event_counter(trader: Trader) -> None:
    """Architecture, lock order: people and the request come before the wallets."""
    request, two = asked(trader), approver()
    with statements_logged() as log:
        approved(request, two)
    locks = locks_of(log)
    assert in_order(locks)
    assert {"wallets", "event_counters"} <= set(locks)
    first = next(number for number, text in enumerate(log) if "FROM ledger_account" in text and "FOR NO KEY" in text)
    before = " ".join(log[:first])
    assert '"ledger_adjustment_request"' in before
    assert '"accounts_user"' in before
    assert not any("FOR UPDATE" in text or "FOR SHARE" in text for text in log)


# --- who may not ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 0}, "adjustment.unfit"),
        ({"note": ""}, "adjustment.unfit"),
        ({"note": " \t "}, "adjustment.unfit"),
        ({"note": "two\nlines"}, "adjustment.unfit"),
        ({"note": "bell\x07"}, "adjustment.unfit"),
        ({"note": "x" * 201}, "adjustment.unfit"),
        ({"wallet_id": UUID(int=404)}, "adjustment.wallet"),
        ({"wallet_id": house_account_id("real", "USD", AccountKind.HOUSE)}, "adjustment.wallet"),
    ],
)
def test_a_request_that_means_nothing_is_refused(trader: Trader, changes: dict[str, Any], code: str) -> None:
    """Rules 6: a reason, an amount, a client's real wallet."""
    one = requester()
    wish = adjustments.Wish(trader.wallets["real"], 1, ReasonCode.OTHER, "fine")
    wish = dataclasses.replace(wish, **changes)
    assert refused(lambda: adjustments.adjustment_request(wish=wish, requester_id=one.pk, now_ms=1)) == code


@pytest.mark.parametrize("kind", ["demo", "stakes"])
def test_only_the_real_wallet_can_be_adjusted(trader: Trader, kind: str) -> None:
    """Rules 6: neither demo money nor the stakes of open orders."""
    found = db.row("SELECT id FROM ledger_account WHERE wallet_id = %s", [trader.wallets["real"]])
    assert found is not None
    target = trader.wallets["demo"] if kind == "demo" else found[0]
    wish, one = adjustments.Wish(target, 1, ReasonCode.OTHER, "fine"), requester()
    act = lambda: adjustments.adjustment_request(wish=wish, requester_id=one.pk, now_ms=1)  # noqa: E731
    assert refused(act) == "adjustment.wallet"


def _without_rights() -> User:
    return clerk()


def _client() -> User:
    user = clerk("request_adjustment", "approve_adjustment")
    User.objects.filter(pk=user.pk).update(is_staff=False)
    return user


def _closed() -> User:
    user = clerk("request_adjustment", "approve_adjustment")
    User.objects.filter(pk=user.pk).update(is_active=False)
    return user


def _banned() -> User:
    user = clerk("request_adjustment", "approve_adjustment")
    user_ban(email=user.email, reason="left", now_ms=db_now_ms())
    return user


OUT_OF_OFFICE = [_without_rights, _client, _closed, _banned]


@pytest.mark.parametrize("who", OUT_OF_OFFICE)
def test_only_operators_in_office_with_the_right_ask_and_decide(trader: Trader, who: Callable[[], User]) -> None:
    """I-32: both active at that time, with the permission."""
    person = who()
    request = asked(trader)
    assert refused(lambda: asked(trader, person)) == "adjustment.not_allowed"
    assert refused(lambda: approved(request, person)) == "adjustment.not_allowed"
    reject = lambda: adjustments.adjustment_reject(  # noqa: E731
        request_id=request.pk, decider_id=person.pk, decision_note="no", now_ms=db_now_ms()
    )
    assert refused(reject) == "adjustment.not_allowed"


def test_the_right_to_ask_is_not_the_right_to_decide(trader: Trader) -> None:
    """I-32: two rights."""
    request, one, two = asked(trader), requester(), approver()
    assert refused(lambda: approved(request, one)) == "adjustment.not_allowed"
    assert refused(lambda: asked(trader, two)) == "adjustment.not_allowed"


def test_nobody_decides_about_an_own_request(trader: Trader) -> None:
    """S-20: self-approval, even by somebody with every right."""
    chief = clerk()
    User.objects.filter(pk=chief.pk).update(is_superuser=True)
    request = asked(trader, chief)
    assert refused(lambda: approved(request, chief)) == "adjustment.same_person"
    reject = lambda: adjustments.adjustment_reject(  # noqa: E731
        request_id=request.pk, decider_id=chief.pk, decision_note="no", now_ms=db_now_ms()
    )
    assert refused(reject) == "adjustment.same_person"


@pytest.mark.parametrize("which", ["requester", "approver"])
@pytest.mark.parametrize("how", ["staff", "active", "right"])
def test_whoever_lost_office_meanwhile_counts_no_more(trader: Trader, which: str, how: str) -> None:
    """S-20: approver demoted meanwhile, and the requester too: both must be in office when the money moves."""
    people = {"requester": requester(), "approver": approver()}
    request = asked(trader, people["requester"])
    demoted = User.objects.filter(pk=people[which].pk)
    if how == "right":
        people[which].user_permissions.clear()
    else:
        demoted.update(**{f"is_{how}": False})
    assert refused(lambda: approved(request, people["approver"])) == "adjustment.not_allowed"


# --- a decision is final, and of what was seen ----------------------------------------------------


def test_a_request_is_approved_once(trader: Trader) -> None:
    """S-20: approve twice."""
    request, two, three = asked(trader), approver(), approver()
    approved(request, two)
    assert refused(lambda: approved(request, two)) == "adjustment.decided"
    assert refused(lambda: approved(request, three)) == "adjustment.decided"
    assert trader.balance("real") == 3_500


@pytest.mark.django_db(transaction=True)
def test_16_approvals_at_once_are_one_transfer() -> None:
    """S-20, I-32: approve twice, at the same moment."""
    trader = trader_open(real="10.00")
    request, people = asked(trader), [approver(), approver()]

    def act(number: int) -> str:
        try:
            approved(request, people[number % 2])
        except Problem as problem:
            return problem.code
        return "approved"

    answers = at_once(16, act)
    assert sorted(set(answers)) == ["adjustment.decided", "approved"]
    assert answers.count("approved") == 1
    assert (trader.balance("real"), violations()) == (3_500, {})


def test_an_approval_of_something_else_is_refused(trader: Trader) -> None:
    """I-32: bound to the exact payload hash: the approver's page showed another request."""
    request, other, two = asked(trader, amount=1), asked(trader, amount=1_000_000), approver()
    seen = bytes(request.payload_hash)
    assert refused(lambda: approved(other, two, seen_hash=seen)) == "adjustment.changed"
    assert refused(lambda: approved(other, two, seen_hash=b"")) == "adjustment.changed"


def test_an_old_request_cannot_be_approved(trader: Trader) -> None:
    """Rules 6: a request lives a day; the last millisecond counts, the next does not."""
    now_ms = db_now_ms()
    first, second = asked(trader, now_ms=now_ms), asked(trader, now_ms=now_ms)
    late, two = now_ms + REQUEST_LIFETIME_MS, approver()
    assert refused(lambda: approved(first, two, now_ms=late)) == "adjustment.expired"
    approved(second, two, now_ms=late - 1)
    assert adjustments.adjustments_expire(now_ms=late - 1) == 0
    assert adjustments.adjustments_expire(now_ms=late) == 1
    assert adjustments.adjustments_expire(now_ms=late) == 0
    first.refresh_from_db()
    assert (first.state, first.decided_by) == ("expired", None)
    assert refused(lambda: approved(first, two)) == "adjustment.decided"


def test_a_request_is_rejected_with_a_reason_and_withdrawn_by_its_author(trader: Trader) -> None:
    """I-32: every end but one moves nothing, and every end is final."""
    one, two = requester(), approver()
    first, second = asked(trader, one), asked(trader, one)

    def reject(note: str) -> None:
        adjustments.adjustment_reject(request_id=first.pk, decider_id=two.pk, decision_note=note, now_ms=db_now_ms())

    def withdraw(by: User) -> None:
        adjustments.adjustment_withdraw(request_id=second.pk, requester_id=by.pk, now_ms=db_now_ms())

    assert refused(lambda: reject(" ")) == "adjustment.unfit"
    assert refused(lambda: withdraw(two)) == "adjustment.same_person"
    reject("not our fault")
    withdraw(one)
    assert refused(lambda: approved(first, two)) == "adjustment.decided"
    assert refused(lambda: approved(second, two)) == "adjustment.decided"
    assert refused(lambda: withdraw(one)) == "adjustment.decided"
    assert (trader.balance("real"), violations()) == (1_000, {})


def test_what_the_balance_does_not_cover_stays_undecided(trader: Trader) -> None:
    """I-03: approval and movement are one; the request waits as if nobody had come."""
    request, two = asked(trader, amount=-1_001), approver()
    assert refused(lambda: approved(request, two)) == "wallet.insufficient_funds"
    request.refresh_from_db()
    assert request.state == "pending"


def test_an_unknown_request_is_told() -> None:
    """Errors are told, never swallowed."""
    two = approver()
    act = lambda: adjustments.adjustment_approve(  # noqa: E731
        request_id=UUID(int=404), approver_id=two.pk, seen_hash=b"", now_ms=1
    )
    assert refused(act) == "adjustment.unknown"


# --- production -----------------------------------------------------------------------------------


def test_in_production_nothing_moves_by_hand_without_a_second_person(trader: Trader) -> None:
    """Rules 6: the way without a request is closed, the way with one is open."""
    with override_settings(DEVELOPMENT=False):
        act = lambda: balance_adjust(wallet_id=trader.wallets["real"], amount=1, reason="quick")  # noqa: E731
        assert refused(act) == "adjustment.needs_request"
        approved(asked(trader), approver())
    assert trader.balance("real") == 3_500


def test_in_production_adjustments_of_development_are_violations(trader: Trader) -> None:
    """I-32: a database that was funded in development is not taken for a sound one; approved ones are sound."""
    approved(asked(trader), approver())
    production, development = adjustments_approved(development=False), adjustments_approved(development=True)
    assert db.row(production) == (1,)
    assert db.row(development) == (0,)


def test_the_check_sees_each_fault(trader: Trader) -> None:
    """I-32: mutants of the request, of the adjustment and of the transfer."""
    request = asked(trader)
    approved(request, approver())
    of_it = f"WHERE id = '{request.pk}'"
    faults = [
        f"UPDATE ledger_adjustment_request SET decided_by_id = requested_by_id {of_it}",
        f"UPDATE ledger_adjustment_request SET state = 'pending' {of_it}",
        f"UPDATE ledger_adjustment_request SET amount = amount + 1 {of_it}",
        f"UPDATE ledger_adjustment_request SET note = 'another' {of_it}",
        f"UPDATE ledger_adjustment_request SET reason_code = 'bonus' {of_it}",
        f"UPDATE ledger_adjustment_request SET decided_at_ms = expires_at_ms {of_it}",
        f"UPDATE ledger_adjustment SET reason = 'another' {of_it}",
        f"UPDATE ledger_adjustment SET amount = -amount {of_it}",
        f"UPDATE ledger_transfer SET amount = amount + 1 WHERE reference = '{request.pk}'",
        f"DELETE FROM ledger_transfer WHERE reference = '{request.pk}'",
    ]
    unseen = []
    for fault in faults:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in ("ledger_adjustment_request", "ledger_adjustment", "ledger_transfer"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for name in ("decided", "hash"):
                cursor.execute(f"ALTER TABLE ledger_adjustment_request DROP CONSTRAINT ledger_request_{name}")
            cursor.execute(fault)
            assert cursor.rowcount == 1, fault
            if db.row(adjustments_approved(development=True)) == (0,):
                unseen.append(fault)
            transaction.set_rollback(True)
    assert unseen == []
    assert db.row(adjustments_approved(development=True)) == (0,)


# --- what the database refuses by itself ----------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "note = 'for me'",
        "reason_code = 'bonus'",
        "payload_hash = sha256('x')",
        "requested_by_id = decided_by_id",
        "expires_at_ms = expires_at_ms + 1",
        "state = 'pending'",
        "state = 'rejected'",
        "decision_note = 'another'",
    ],
)
def test_a_decided_request_never_changes(trader: Trader, change: str) -> None:
    """S-20: edit after approval, by the owner of the tables."""
    approved(asked(trader), approver())
    with pytest.raises(DatabaseError), transaction.atomic():
        db.run(f"UPDATE ledger_adjustment_request SET {change}")
    assert violations() == {}


@pytest.mark.parametrize(
    "change", ["amount = 1", "note = 'x'", "reason_code = 'bonus'", "account_id = requested_by_id"]
)
@pytest.mark.parametrize("with_hash", [False, True])
def test_a_waiting_request_never_changes_in_what_it_asks_for(trader: Trader, change: str, with_hash: bool) -> None:
    """S-20: edit before approval, with and without a fitting hash."""
    asked(trader)
    fitting = (
        ", payload_hash = sha256(convert_to(account_id::text || '|1|' || reason_code || '|' || note, 'UTF8'))"
        if with_hash
        else ""
    )
    with pytest.raises(DatabaseError), transaction.atomic():
        db.run(f"UPDATE ledger_adjustment_request SET {change}{fitting}")


def test_the_database_itself_wants_two_persons_in_office(trader: Trader) -> None:
    """S-20: a bulk statement that approves, around the service."""
    one, client = requester(), trader.user
    request = asked(trader, one)
    for by in (one, client):
        with pytest.raises(DatabaseError), transaction.atomic():
            AdjustmentRequest.objects.filter(pk=request.pk).update(state="approved", decided_by=by, decided_at_ms=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        AdjustmentRequest.objects.filter(pk=request.pk).update(state="approved", decided_at_ms=1)
    late = request.expires_at_ms
    with pytest.raises(DatabaseError, match="expired"), transaction.atomic():
        AdjustmentRequest.objects.filter(pk=request.pk).update(
            state="approved", decided_by=approver(), decided_at_ms=late
        )


def test_a_request_is_not_born_decided(trader: Trader) -> None:
    """S-20: an approved row put in ready-made."""
    request, two = asked(trader), approver()
    request.pk, request.state, request.decided_by, request.decided_at_ms = uuid7(), "approved", two, 1
    with pytest.raises(DatabaseError, match="starts as pending"), transaction.atomic():
        request.save(force_insert=True)


def test_an_adjustment_is_exactly_what_was_approved(trader: Trader) -> None:
    """I-32: neither an adjustment without its request nor a transfer without its adjustment can be stored."""
    request = asked(trader)
    row = {"account_id": request.account_id, "amount": request.amount, "reason": request.note, "at_ms": 1}
    for changes in ({}, {"request": request, "id": request.pk}):
        with pytest.raises(DatabaseError, match="no approved request"), transaction.atomic():
            Adjustment.objects.create(**row, **changes, origin="approved")
    movement = {
        "entry_id": uuid7(),
        "family": "adjustment",
        "kind": "credit",
        "reference": request.pk,
        "debit_account_id": house_account_id("real", "USD", AccountKind.ADJUSTMENT),
        "credit_account_id": request.account_id,
        "amount": request.amount,
        "book": "real",
        "currency": "USD",
        "credit_no": 2,
        "credit_after": 1,
        "at_ms": 1,
    }
    with pytest.raises(DatabaseError, match="no adjustment"), transaction.atomic():
        Transfer.objects.create(**movement)
    told = Adjustment.objects.create(**row, origin="development")
    with pytest.raises(DatabaseError, match="no adjustment"), transaction.atomic():
        Transfer.objects.create(**movement | {"reference": told.pk, "amount": request.amount + 1})
    Transfer.objects.create(**movement | {"reference": told.pk})


def test_the_rights_exist_and_nobody_may_add_or_change_by_default() -> None:
    """I-32: the table has three rights, none of which edits it."""
    found = Permission.objects.filter(content_type__app_label="ledger", content_type__model="adjustmentrequest")
    assert set(found.values_list("codename", flat=True)) == {
        *("view_adjustmentrequest", "request_adjustment", "approve_adjustment"),
    }
