"""Writes of this app: users, bans, tokens, the trail."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts import hooks
from accounts.callers import token_hash
from accounts.domain import LEDGERS, SCOPES, network_parsed
from accounts.errors import EmailTakenError, UnknownUserError
from accounts.models import AccessTrail, ApiToken, Consent, User
from kernel.clock import wall_ms
from kernel.ids import uuid7

# Upper apps append to these in AppConfig.ready; see `accounts.hooks`.
on_user_created = hooks.on_user_created
on_user_banned = hooks.on_user_banned


@transaction.atomic
def user_create(
    *,
    email: str,
    password: str | None,
    verified: bool = False,
    country: str = "",
    is_staff: bool = False,
    is_superuser: bool = False,
    now_ms: int | None = None,
) -> User:
    """Create a user with wallets and event counter, in one transaction.

    :param verified: whether the e-mail is known to be the user's own
    :raises EmailTakenError: when another user has that e-mail
    """
    address = email.strip().lower()
    if User.objects.filter(email=address).exists():
        raise EmailTakenError(address)
    user = User.objects.create_user(
        address,
        password,
        country=country,
        level=User.Level.EMAIL_VERIFIED if verified else User.Level.NONE,
        is_staff=is_staff,
        is_superuser=is_superuser,
        created_at_ms=wall_ms() if now_ms is None else now_ms,
    )
    if verified:
        EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
    return user


@transaction.atomic
def user_ensure(
    *, email: str, password: str, verified: bool = True, is_staff: bool = False, is_superuser: bool = False
) -> User:
    """Return the user with that e-mail, created when missing; an existing one is left as it is."""
    found = User.objects.filter(email=email.strip().lower()).first()
    return found or user_create(
        email=email, password=password, verified=verified, is_staff=is_staff, is_superuser=is_superuser
    )


@transaction.atomic
def user_verify(*, user_id: UUID) -> None:
    """Record that the user's e-mail is the user's own."""
    User.objects.filter(pk=user_id, level__lt=User.Level.EMAIL_VERIFIED).update(level=User.Level.EMAIL_VERIFIED)


@transaction.atomic
def user_ban(*, email: str, reason: str, now_ms: int) -> bool:
    """Ban a user: tokens are suspended, sockets close within seconds, open orders settle as always.

    :return: whether anything changed; a second ban keeps the first one's instant and reason
    :raises UnknownUserError: when nobody has that e-mail
    """
    if not reason.strip():
        raise ValueError("a ban needs a reason")
    user = _user_locked(email)
    if user.is_banned:
        return False
    user.banned_at_ms, user.ban_reason = now_ms, reason.strip()
    user.save(update_fields=["banned_at_ms", "ban_reason"])
    for told in on_user_banned:
        told(user, now_ms)
    return True


@transaction.atomic
def user_unban(*, email: str) -> bool:
    """Lift a ban; tokens work again.

    :return: whether anything changed
    :raises UnknownUserError: when nobody has that e-mail
    """
    user = _user_locked(email)
    if not user.is_banned:
        return False
    user.banned_at_ms, user.ban_reason = None, ""
    user.save(update_fields=["banned_at_ms", "ban_reason"])
    return True


def token_create(
    *,
    user_id: UUID,
    scopes: Collection[str],
    now_ms: int,
    name: str = "",
    ledgers: Collection[str] | None = None,
    ips: Sequence[str] = (),
    expires_at_ms: int | None = None,
) -> tuple[ApiToken, str]:
    """Create an API token and return it with its secret, which is kept nowhere.

    :param ledgers: None for all
    :param ips: addresses or CIDR networks it may be used from; none for everywhere
    :raises ValueError: with what is wrong with the terms
    """
    if not scopes or set(scopes) - set(SCOPES):
        raise ValueError(f"scopes must be some of {', '.join(SCOPES)}")
    if ledgers is not None and (not ledgers or set(ledgers) - set(LEDGERS)):
        raise ValueError(f"ledgers must be some of {', '.join(LEDGERS)}")
    if expires_at_ms is not None and expires_at_ms <= now_ms:
        raise ValueError("the expiry must lie ahead")
    prefix = secrets.token_hex(4)
    secret = f"fs_{prefix}_{secrets.token_hex(32)}"
    token = ApiToken.objects.create(
        id=uuid7(),
        user_id=user_id,
        name=name,
        prefix=prefix,
        secret_hash=token_hash(secret),
        scopes=sorted(set(scopes), key=SCOPES.index),
        ledgers=None if ledgers is None else sorted(set(ledgers), key=LEDGERS.index),
        ips=[str(network_parsed(text)) for text in ips],
        created_at_ms=now_ms,
        expires_at_ms=expires_at_ms,
    )
    return token, secret


def token_revoke(*, user_id: UUID, token_id: UUID, now_ms: int) -> bool:
    """Revoke a user's token for ever.

    :return: whether there was such a token of that user still in force
    """
    in_force = ApiToken.objects.filter(pk=token_id, user_id=user_id, revoked_at_ms__isnull=True)
    return in_force.update(revoked_at_ms=now_ms) == 1


def access_record(
    *, user_id: UUID | None, kind: AccessTrail.Kind, ip: str | None, country: str, user_agent: str, now_ms: int
) -> None:
    """Add a line to the trail of access."""
    AccessTrail.objects.create(
        user_id=user_id, kind=kind, ip=ip, country=country, user_agent=user_agent[:300], at_ms=now_ms
    )


def consent_record(*, user_id: UUID, version: str, now_ms: int) -> None:
    """Record the consent to one version of the terms and of the risk warning; a repeat changes nothing."""
    Consent.objects.bulk_create(
        [Consent(user_id=user_id, document=document, version=version, at_ms=now_ms) for document in Consent.Document],
        ignore_conflicts=True,
    )


def _user_locked(email: str) -> User:
    found = User.objects.select_for_update(no_key=True).filter(email=email.strip().lower()).first()
    if found is None:
        raise UnknownUserError(email)
    return found
