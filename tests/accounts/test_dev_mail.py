"""/dev/mail: what development keeps instead of sending."""

from __future__ import annotations

import pytest
from django.core.mail import send_mail
from django.test import Client
from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _kept(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "accounts.mail.DevelopmentBackend"


def test_mails_are_listed_newest_first() -> None:
    """Contract, HTTP: every mail is shown, once per recipient, newest first."""
    send_mail("First", "one", None, ["a@example.com"])
    send_mail("Second", "two", None, ["b@example.com", "c@example.com"])
    data = Client().get("/dev/mail?format=json").json()["data"]
    assert [(mail["to"], mail["subject"], mail["body"]) for mail in data] == [
        ("c@example.com", "Second", "two"),
        ("b@example.com", "Second", "two"),
        ("a@example.com", "First", "one"),
    ]
    assert data[0]["at"].endswith("Z")
    assert len(Client().get("/dev/mail?format=json&to=A@example.com").json()["data"]) == 1


def test_page_shows_text_as_text() -> None:
    """S-34: what a mail holds is never markup of the page; the page needs no script."""
    send_mail("<script>alert(1)</script>", "<b>bold</b>", None, ["a@example.com"])
    page = Client().get("/dev/mail").content.decode()
    assert "<script" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_empty_page_says_so() -> None:
    """Development: an empty list explains itself."""
    assert "No mail yet" in Client().get("/dev/mail").content.decode()
