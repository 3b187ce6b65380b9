"""What the database itself refuses about people."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from accounts import hooks, services
from accounts.errors import EmailTakenError, UnknownUserError
from accounts.models import AccessTrail, ApiToken, Consent, User
from kernel.clock import wall_ms
from tests.accounts.people import email_new, person, token_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "change",
    [
        lambda user: User.objects.filter(pk=user.pk).update(email="Upper@Example.com"),
        lambda user: User.objects.filter(pk=user.pk).update(country="de"),
        lambda user: User.objects.filter(pk=user.pk).update(level=-1),
        lambda user: User.objects.filter(pk=user.pk).update(banned_at_ms=1),
        lambda user: User.objects.filter(pk=user.pk).update(ban_reason="without a ban"),
        lambda user: ApiToken.objects.filter(user=user).update(scopes=[]),
        lambda user: ApiToken.objects.filter(user=user).update(scopes=["root"]),
        lambda user: ApiToken.objects.filter(user=user).update(ledgers=[]),
        lambda user: ApiToken.objects.filter(user=user).update(secret_hash=b"short"),
        lambda user: ApiToken.objects.filter(user=user).update(expires_at_ms=1),
        lambda user: AccessTrail.objects.filter(user=user).update(ip="192.0.2.1"),
        lambda user: AccessTrail.objects.filter(user=user).delete(),
        lambda user: Consent.objects.filter(user=user).update(version="2"),
        lambda user: Consent.objects.filter(user=user).delete(),
    ],
)
def test_database_refuses(change: Callable[[User], object]) -> None:
    """Rules 12: what SQL can hold is a constraint, and the trail and consents are append-only."""
    user = person()
    token_of(user.pk)
    services.access_record(
        user_id=user.pk, kind=AccessTrail.Kind.LOG_IN, ip=None, country="", user_agent="", now_ms=wall_ms()
    )
    services.consent_record(user_id=user.pk, version="1", now_ms=wall_ms())
    with pytest.raises(IntegrityError), transaction.atomic():
        change(user)


def test_a_user_without_what_hooks_open_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interfaces: hooks run in the creating transaction; when one fails there is no user either."""
    email = email_new()

    def fail(_user: User) -> None:
        raise RuntimeError

    monkeypatch.setattr(hooks, "on_user_created", [*hooks.on_user_created, fail])
    with pytest.raises(RuntimeError):
        person(email=email)
    assert not User.objects.filter(email=email).exists()


def test_one_user_for_one_email_whatever_its_case() -> None:
    """Rules 12: the e-mail is the log-in name, in lower case; ``user_ensure`` finds instead of failing."""
    user = person(email=email_new())
    with pytest.raises(EmailTakenError):
        person(email=user.email.upper())
    assert services.user_ensure(email=f" {user.email.upper()} ", password="other-password") == user
    assert User.objects.get_by_natural_key(user.email.upper()) == user
    assert User.objects.get(pk=user.pk).check_password("correct-horse-battery")


def test_ban_keeps_its_first_reason_and_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract, commands: ban and unban are idempotent; upper apps are told in the same transaction."""
    told: list[int] = []
    monkeypatch.setattr(services, "on_user_banned", [lambda _user, now_ms: told.append(now_ms)])
    user = person()
    assert services.user_ban(email=user.email, reason="first", now_ms=1)
    assert not services.user_ban(email=user.email.upper(), reason="second", now_ms=2)
    user.refresh_from_db()
    assert (user.ban_reason, user.banned_at_ms, told) == ("first", 1, [1])
    assert services.user_unban(email=user.email)
    assert not services.user_unban(email=user.email)
    with pytest.raises(UnknownUserError):
        services.user_ban(email="nobody@example.com", reason="x", now_ms=1)
    with pytest.raises(ValueError, match="reason"):
        services.user_ban(email=user.email, reason="  ", now_ms=1)
