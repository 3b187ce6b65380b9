"""Operators' pages about statistics, waiting facts and jobs: they show, and only a given-up fact can be retried."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from kernel.facts import ATTEMPTS_MAX, facts_apply
from kernel.ids import uuid7
from kernel.jobs import MINUTE_MS, job_once
from kernel.models import FactBatch, JobRun
from settlement.models import DailySymbol, DailyUser
from tests.accounts.people import person
from tests.market import Market, db_now_ms, market_open, settle_due, trader_open

pytestmark = pytest.mark.django_db

NOW_MS = 1_700_000_000_000


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(person(staff=True), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def market() -> Market:
    """Return a market on which a day's orders were settled: the house has made 10.00 - 8.50 on the real ledger."""
    market, trader = market_open(), trader_open(real="50.00")
    expires_ms = db_now_ms() + 3_000
    for ledger, direction in (("real", "up"), ("real", "down"), ("demo", "down")):
        trader.place(market, direction, ledger=ledger, duration_s=None, expires_at_ms=expires_ms)
    market.admitted("1.08600", at_ms=expires_ms)
    market.admitted("1.08600", at_ms=expires_ms + 1)
    settle_due()
    facts_apply(10)
    return market


def page(operator: Client, name: str, *args: Any, **query: str) -> str:
    response = operator.get(reverse(f"admin:{name}", args=args), query)
    assert response.status_code == 200, response.headers
    return html.unescape(response.content.decode())


def charts(text: str) -> list[dict[str, Any]]:
    """Return what the page's charts draw."""
    return [json.loads(data) for data in re.findall(r'data-value="(\{.*?\})"', text)]


@pytest.mark.parametrize("table", ["dailysymbol", "dailyuser"])
def test_days_are_listed_and_drawn(operator: Client, market: Market, table: str) -> None:
    """Rules 14: statistics of orders and the house's result as charts, money to the minor unit."""
    text = page(operator, f"settlement_{table}_changelist")
    assert "1.50 USD" in text
    assert ("EURUSD" if table == "dailysymbol" else "trader-") in text
    orders, house = charts(text)
    assert [(one["label"], one["data"]) for one in orders["datasets"]] == [("real orders", [2]), ("demo orders", [1])]
    assert [(one["label"], one["data"]) for one in house["datasets"]] == [("USD", ["1.50"])]
    for model in (DailySymbol, DailyUser):
        shown = page(operator, f"settlement_{model.__name__.lower()}_change", model.objects.get(book_kind="real").pk)
        assert 'type="submit" name="_save"' not in shown


def test_pages_without_rows_say_so(operator: Client) -> None:
    """A fresh platform's pages open."""
    assert "Nothing has been settled yet." in page(operator, "settlement_dailysymbol_changelist")
    for name in ("settlement_dailyuser", "kernel_factbatch", "kernel_jobrun"):
        assert page(operator, f"{name}_changelist")


def test_days_of_a_user_are_found_by_e_mail(operator: Client, market: Market) -> None:
    """Rules 14: support looks a client up."""
    row = DailyUser.objects.filter(book_kind="real").get()
    email = User.objects.get(pk=row.user_id).email
    assert f"dailyuser/{row.pk}/" in page(operator, "settlement_dailyuser_changelist", q=email.upper())
    assert f"dailyuser/{row.pk}/" not in page(operator, "settlement_dailyuser_changelist", q="nobody@example.com")
    assert f"dailyuser/{row.pk}/" in page(operator, "settlement_dailyuser_changelist", q=str(row.user_id))


def test_the_newest_run_of_each_job_is_shown(operator: Client) -> None:
    """Architecture, scheduler: operators see what ran and what failed."""
    job_once("sweep", MINUTE_MS, NOW_MS, lambda: "an older run")
    job_once("sweep", MINUTE_MS, NOW_MS + MINUTE_MS, lambda: "seven swept")

    def broken() -> str:
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="disk"):
        job_once("archive", MINUTE_MS, NOW_MS, broken)
    text = page(operator, "kernel_jobrun_changelist")
    assert text.count("seven swept") == 2
    assert text.count("an older run") == 1
    assert text.count("ValueError: the disk is full") == 2
    run = JobRun.objects.filter(name="archive").get()
    assert "failed" in page(operator, "kernel_jobrun_change", run.pk)


def test_an_operator_has_given_up_facts_tried_again(operator: Client) -> None:
    """Never lost: what was given up can be applied after its cause was mended; nobody can remove it."""
    waiting, given_up = (
        FactBatch.objects.create(
            subscriber="nobody",
            fact="something.happened",
            references=[uuid7()],
            at_ms=NOW_MS,
            attempts=attempts,
            retry_at_ms=NOW_MS,
            failed_reason="ValueError: no luck",
        )
        for attempts in (3, ATTEMPTS_MAX)
    )
    text = page(operator, "kernel_factbatch_changelist")
    assert "given up" in text
    assert "put off" in text
    assert "ValueError: no luck" in page(operator, "kernel_factbatch_change", given_up.pk)
    retry = reverse("admin:kernel_factbatch_retry")
    assert "Mend the cause first" in operator.get(retry).content.decode()
    given_up.refresh_from_db()
    assert given_up.attempts == ATTEMPTS_MAX
    assert operator.post(retry, {"_form_submitted": "1"}).status_code == 302
    waiting.refresh_from_db()
    given_up.refresh_from_db()
    assert (waiting.attempts, given_up.attempts, given_up.failed_reason) == (3, 0, "")
    assert operator.post(reverse("admin:kernel_factbatch_delete", args=[waiting.pk])).status_code == 403


def test_only_who_may_change_them_has_facts_tried_again(client: Client) -> None:
    """Rules 14: the auditor reads everything and does nothing."""
    auditor = person(staff=True)
    auditor.is_superuser = False
    auditor.save()
    auditor.user_permissions.add(Permission.objects.get(codename="view_factbatch"))
    client.force_login(auditor, backend="django.contrib.auth.backends.ModelBackend")
    text = page(client, "kernel_factbatch_changelist")
    assert "Try given-up batches again" not in text
    assert client.post(reverse("admin:kernel_factbatch_retry"), {"_form_submitted": "1"}).status_code == 403
