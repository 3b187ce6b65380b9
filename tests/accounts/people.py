"""Users for tests."""

from __future__ import annotations

from itertools import count
from uuid import UUID

from django.contrib.sessions.models import Session
from django.test import Client

from accounts import services
from accounts.models import User
from kernel.clock import wall_ms
from kernel.ids import uuid7
from realtime.services import event_counter_open

PASSWORD = "correct-horse-battery"
_numbers = count(1)


def email_new() -> str:
    """Return an e-mail that nobody has."""
    return f"person-{next(_numbers)}-{uuid7().hex[-12:]}@example.com"


def person(*, email: str = "", staff: bool = False, verified: bool = True) -> User:
    """Create a user with a verified e-mail, as sign-up does."""
    return services.user_create(
        email=email or email_new(),
        password=PASSWORD,
        verified=verified,
        is_staff=staff,
        is_superuser=staff,
    )


def reader() -> User:
    """Create a user whose event log is empty: no wallets were opened."""
    user = User(email=email_new(), level=User.Level.EMAIL_VERIFIED)
    user.set_password(PASSWORD)
    user.save(force_insert=True)
    event_counter_open(user.pk)
    return user


def token_of(user_id: UUID, *scopes: str, ledgers: list[str] | None = None, ips: tuple[str, ...] = ()) -> str:
    """Return the secret of a new API token."""
    _, secret = services.token_create(
        user_id=user_id, scopes=scopes or ("read",), ledgers=ledgers, ips=ips, now_ms=wall_ms()
    )
    return secret


def session_of(user: User) -> str:
    """Log a user in and return the session's key."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    key = client.session.session_key
    assert key is not None
    assert Session.objects.filter(pk=key).exists()
    return key
