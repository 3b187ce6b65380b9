"""Mails in development: kept in the database and shown at /dev/mail instead of being sent."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import DevMail
from kernel.clock import rfc3339, wall_ms
from kernel.http import json_response

_SHOWN_MAX = 200


class DevelopmentBackend(BaseEmailBackend):
    """Keep each mail, once per recipient."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Store the mails and return how many there were."""
        now_ms = wall_ms()
        DevMail.objects.bulk_create(
            DevMail(to=to, subject=str(mail.subject), body=str(mail.body), at_ms=now_ms)
            for mail in email_messages
            for to in mail.recipients()
        )
        return len(email_messages)


@require_GET
def mail_page(request: HttpRequest) -> HttpResponse:
    """Show the mails, newest first, as a page or with ``?format=json`` as data."""
    mails = DevMail.objects.order_by("-id")
    if to := request.GET.get("to"):
        mails = mails.filter(to__iexact=to)
    shown = [
        {"to": mail.to, "subject": mail.subject, "body": mail.body, "at": rfc3339(mail.at_ms)}
        for mail in mails[:_SHOWN_MAX]
    ]
    if request.GET.get("format") == "json":
        return json_response({"data": shown})
    return render(request, "accounts/dev_mail.html", {"mails": shown})
