"""How the log-in library creates users, sends mails and finds addresses here."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as request_context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMessage
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest
from django.template.loader import render_to_string

from accounts import services
from accounts.callers import address_of
from accounts.ciphers import cipher
from accounts.models import User

# Mails that only say what changed share one text.
_CHANGES = {
    "email_changed": "Your e-mail address was changed.",
    "email_confirm": "Your e-mail address was confirmed.",
    "email_deleted": "An e-mail address was removed from your account.",
    "password_changed": "Your password was changed.",
    "password_reset": "Your password was reset.",
    "password_set": "A password was set for your account.",
    "recovery_codes_generated": "New recovery codes were made; the old ones no longer work.",
    "totp_activated": "Codes from an authenticator app are now asked for when you log in.",
    "totp_deactivated": "Codes from an authenticator app are no longer asked for when you log in.",
    "webauthn_added": "A passkey was added to your account.",
    "webauthn_removed": "A passkey was removed from your account.",
}
_TEXTS = {
    "email_confirmation": "email_code",
    "email_confirmation_signup": "email_code",
    "password_reset_code": "password_code",
    "account_already_exists": "already_registered",
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up opens wallets and event counter in one transaction; mails are plain and short."""

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        """Create the user with everything that each user has.

        :param commit: always true here; an unsaved user would lack its wallets
        """
        data = form.cleaned_data
        user.email = data["email"].strip().lower()
        user.country = data.get("country", "")
        if data.get("password"):
            user.set_password(data["password"])
        else:
            user.set_unusable_password()
        with transaction.atomic():
            User.objects.enrol(user)
            if data.get("terms_accepted"):
                services.consent_record(user_id=user.pk, version=settings.TERMS_VERSION, now_ms=user.created_at_ms)
        return user

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        """Write a mail: the first line of its template is the subject, the rest the text."""
        name = template_prefix.rsplit("/", 1)[-1]
        told = context | {"change": _CHANGES.get(name, ""), "host": request_context.request.get_host()}
        template = "change" if name in _CHANGES else _TEXTS[name]
        subject, _, body = render_to_string(f"accounts/mails/{template}.txt", told).strip().partition("\n")
        to = [email] if isinstance(email, str) else email
        return EmailMessage(subject.strip(), body.strip() + "\n", self.get_from_email(), to, headers=headers)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the client's address, by our own list of proxies.

        :raises PermissionDenied: when the connection tells none
        """
        address = address_of(request)
        if address is None:
            raise PermissionDenied("the client's address is unknown")
        return str(address)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors, whose secrets are stored encrypted."""

    def encrypt(self, text: str) -> str:
        """Encrypt a secret with a key that the database does not hold."""
        return cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Undo :meth:`encrypt`."""
        return cipher().decrypt(encrypted_text.encode()).decode()
