"""Recorders that listen to what the log-in libraries report."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as factor_signals
from django.contrib.auth import signals as auth_signals
from django.http import HttpRequest

from accounts import services
from accounts.callers import address_of
from accounts.models import AccessTrail, User
from kernel.clock import wall_ms


def connect() -> None:
    """Connect the recorders of the access trail and of verified e-mails."""
    # Django's own signals also cover the admin's log-in; the library's log-in raises them, too.
    auth_signals.user_logged_in.connect(_logged_in, dispatch_uid="accounts.trail.log_in")
    auth_signals.user_login_failed.connect(_log_in_failed, dispatch_uid="accounts.trail.log_in_failed")
    factor_signals.authentication_failed.connect(_factor_failed, dispatch_uid="accounts.trail.factor_failed")
    account_signals.user_signed_up.connect(_signed_up, dispatch_uid="accounts.trail.sign_up")
    account_signals.email_confirmed.connect(_email_confirmed, dispatch_uid="accounts.verified")


def _signed_up(*, request: HttpRequest, user: User, **_: Any) -> None:
    _record(request, AccessTrail.Kind.SIGN_UP, user)


def _logged_in(*, request: HttpRequest, user: User, **_: Any) -> None:
    _record(request, AccessTrail.Kind.LOG_IN, user)


def _log_in_failed(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    if request is None:
        return
    email = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    _record(request, AccessTrail.Kind.LOG_IN_FAILED, User.objects.filter(email=email).first())


def _factor_failed(*, request: HttpRequest, user: User, **_: Any) -> None:
    _record(request, AccessTrail.Kind.LOG_IN_FAILED, user)


def _email_confirmed(*, email_address: Any, **_: Any) -> None:
    services.user_verify(user_id=email_address.user_id)


def _record(request: HttpRequest, kind: AccessTrail.Kind, user: User | None) -> None:
    address = address_of(request)
    services.access_record(
        user_id=None if user is None else user.pk,
        kind=kind,
        ip=None if address is None else str(address),
        country="",
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
        now_ms=wall_ms(),
    )
