"""Operators' pages of adjustments: asking, deciding by another person, and what each of them sees (I-32, S-20)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from ledger.models import AdjustmentRequest
from tests.books import violations
from tests.ledger.colleagues import approver, asked, clerk, requester
from tests.market import Trader, trader_open

pytestmark = pytest.mark.django_db


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="10.00")


def _seat(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _url(name: str, *args: Any) -> str:
    return reverse(f"admin:ledger_adjustmentrequest_{name}", args=args)


def _text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.headers
    return response.content.decode()


def _wish(trader: Trader, **changes: str) -> dict[str, str]:
    sent = {"email": trader.user.email, "amount": "25.00", "reason_code": "goodwill", "note": "Outage on 3 March"}
    return sent | changes


def _act(client: Client, request: AdjustmentRequest, act: str, **sent: str) -> Any:
    return client.post(_url(act, request.pk), {"_form_submitted": "True", **sent})


def test_one_asks_and_another_one_approves(trader: Trader) -> None:
    """Rules 6: the whole way through the pages; the list, the page and the history tell it."""
    one, two = _seat(requester()), _seat(approver())
    assert one.post(_url("add"), _wish(trader)).status_code == 302
    request = AdjustmentRequest.objects.get()
    assert (request.amount, request.state, request.reason_code) == (2_500, "pending", "goodwill")
    assert trader.balance("real") == 1_000

    shown = _text(two, _url("change", request.pk))
    for words in (trader.user.email, "25.00 USD", "35.00 USD", "Outage on 3 March", bytes(request.payload_hash).hex()):
        assert words in shown
    dialog = _text(two, _url("approve", request.pk))
    for words in ("Approve this adjustment?", "25.00 USD", "Outage on 3 March", bytes(request.payload_hash).hex()):
        assert words in dialog

    assert _act(two, request, "approve", seen=bytes(request.payload_hash).hex()).status_code == 302
    assert (trader.balance("real"), violations()) == (3_500, {})
    assert "approved" in _text(two, _url("changelist"))
    assert "Approved" in _text(two, _url("history", request.pk))
    chief = clerk("view_adjustment", "view_account")
    assert request.requested_by.email in _text(_seat(chief), reverse("admin:ledger_adjustment_changelist"))
    account = reverse("admin:ledger_account_change", args=[trader.wallets["real"]])
    assert "Outage on 3 March" in _text(_seat(chief), account)


def test_a_minus_takes_money_out(trader: Trader) -> None:
    """Rules 6: amounts as people write them."""
    _seat(requester()).post(_url("add"), _wish(trader, amount="-7.5"))
    assert AdjustmentRequest.objects.get().amount == -750


@pytest.mark.parametrize(
    "changes",
    [
        *({"amount": text} for text in ("", "0", "0.00", "-0", "1.001", "1e3", "NaN", "--1", "+1", "1,5", "9" * 16)),
        *({"email": text} for text in ("", "nobody@example.com", "x")),
        *({"note": text} for text in ("", "x" * 201)),
        {"reason_code": "because"},
        {"reason_code": ""},
    ],
    ids=str,
)
def test_a_form_that_means_nothing_is_shown_again(trader: Trader, changes: dict[str, str]) -> None:
    """S-36: told on the page, nothing stored."""
    answer = _seat(requester()).post(_url("add"), _wish(trader, **changes))
    assert answer.status_code == 200
    assert b"errorlist" in answer.content or b"errors" in answer.content
    assert not AdjustmentRequest.objects.exists()


def test_a_note_that_the_service_refuses_is_told(trader: Trader) -> None:
    """A refusal behind the form is words on the page, not an error page."""
    client = _seat(requester())
    answer = client.post(_url("add"), _wish(trader, note="bell\x07bell"), follow=True)
    assert "a note of one line" in answer.content.decode()
    assert not AdjustmentRequest.objects.exists()


def test_whoever_asked_finds_no_way_to_decide(trader: Trader) -> None:
    """S-20: not even somebody with every right; what remains is to withdraw."""
    chief = clerk()
    User.objects.filter(pk=chief.pk).update(is_superuser=True)
    request, client = asked(trader, chief), _seat(chief)
    shown = _text(client, _url("change", request.pk))
    assert _url("approve", request.pk) not in shown
    assert _url("withdraw", request.pk) in shown
    assert client.get(_url("approve", request.pk)).status_code == 403
    assert _act(client, request, "approve", seen=bytes(request.payload_hash).hex()).status_code == 403
    assert _act(client, request, "reject", decision_note="no").status_code == 403
    assert _act(client, request, "withdraw").status_code == 302
    request.refresh_from_db()
    assert (request.state, trader.balance("real")) == ("withdrawn", 1_000)


def test_an_approval_names_what_was_seen(trader: Trader) -> None:
    """I-32: a page of another request, or none, approves nothing."""
    request, other, two = asked(trader, amount=1), asked(trader, amount=900_000), _seat(approver())
    for seen in ("", "zz", "00", bytes(request.payload_hash).hex()):
        answer = _act(two, other, "approve", seen=seen)
        assert answer.status_code in {200, 302}
    other.refresh_from_db()
    assert (other.state, trader.balance("real")) == ("pending", 1_000)


def test_what_the_balance_does_not_cover_is_told(trader: Trader) -> None:
    """I-03: the approver reads why, and the request waits on."""
    request, two = asked(trader, amount=-1_001), _seat(approver())
    assert "does not cover" in _text(two, _url("change", request.pk))
    answer = two.post(
        _url("approve", request.pk),
        {"_form_submitted": "True", "seen": bytes(request.payload_hash).hex()},
        follow=True,
    )
    assert "The balance does not cover this amount." in answer.content.decode()
    assert trader.balance("real") == 1_000


def test_a_rejection_needs_a_reason(trader: Trader) -> None:
    """I-32: the decision is on record with its reason."""
    request, two = asked(trader), _seat(approver())
    assert _act(two, request, "reject", decision_note="").status_code == 200
    assert _act(two, request, "reject", decision_note="not our fault").status_code == 302
    assert "not our fault" in _text(two, _url("change", request.pk))
    assert _act(two, request, "approve", seen=bytes(request.payload_hash).hex()).status_code == 403


def test_a_request_s_page_takes_no_changes(trader: Trader) -> None:
    """S-20: edit after asking, through the page's own form and through actions of the list."""
    request, chief = asked(trader), clerk()
    User.objects.filter(pk=chief.pk).update(is_superuser=True)
    client = _seat(chief)
    assert client.post(_url("change", request.pk), _wish(trader, amount="99.00")).status_code == 403
    assert client.post(_url("delete", request.pk), {"post": "yes"}).status_code == 403
    client.post(_url("changelist"), {"action": "delete_selected", "_selected_action": str(request.pk), "post": "yes"})
    request.refresh_from_db()
    assert (request.amount, request.state) == (2_500, "pending")


def test_a_request_that_waited_too_long_is_shown_as_expired(trader: Trader) -> None:
    """Rules 6: with or without the job that marks it."""
    request, two = asked(trader, now_ms=1), _seat(approver())
    assert "expired" in _text(two, _url("change", request.pk))
    assert two.get(_url("approve", request.pk)).status_code == 403


def test_pages_open_for_those_who_have_a_part_in_it(trader: Trader) -> None:
    """S-01: those who only look cannot ask; those without a right see nothing."""
    asked(trader)
    looker = _seat(clerk("view_adjustmentrequest"))
    assert looker.get(_url("changelist")).status_code == 200
    assert looker.get(_url("add")).status_code == 403
    assert _seat(approver()).get(_url("add")).status_code == 403
    assert _seat(clerk("view_account")).get(_url("changelist")).status_code == 403


def test_the_list_does_not_ask_again_for_each_row(trader: Trader, django_assert_max_num_queries: Any) -> None:
    """Performance: a constant number of statements."""
    client = _seat(requester())
    for _ in range(4):
        asked(trader)
    # The first request of a session notes that it was seen.
    _text(client, _url("changelist"))
    with django_assert_max_num_queries(12):
        _text(client, _url("changelist"))
