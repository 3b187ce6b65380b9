"""Users for tests."""

from __future__ import annotations

from itertools import count

from django.contrib.sessions.models import Session
from django.test import Client

from accounts import services
from accounts.models import User
from kernel.clock import wall_ms

PASSWORD = "correct-horse-battery"
_numbers = count(1)


def person(*, email: str = "", staff: bool = False) -> User:
    """Create a user with a verified e-mail."""
    return services.user_create(
        email=email or f"person-{next(_numbers)}-{wall_ms()}@example.com",
        password=PASSWORD,
        verified=True,
        is_staff=staff,
        is_superuser=staff,
    )


def token_of(user: User, *scopes: str, ledgers: list[str] | None = None, ips: tuple[str, ...] = ()) -> str:
    """Return the secret of a new API token."""
    _, secret = services.token_create(
        user_id=user.pk, scopes=scopes or ("read",), ledgers=ledgers, ips=ips, now_ms=wall_ms()
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
