"""Writes of this app: users, bans, own limits, tokens, the trail."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts import errors, hooks
from accounts.callers import token_hash
from accounts.domain import LEDGERS, SCOPES, network_parsed
from accounts.errors import EmailTakenError, UnknownUserError
from accounts.limits import (
    LIMITS,
    LOOSEN_WAIT_MS,
    UNCHANGED,
    Act,
    LimitState,
    break_end_ms,
    exclusion_end_ms,
    limit_decided,
)
from accounts.models import AccessTrail, ApiToken, Ban, Consent, Limit, LimitChange, User
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
def user_ban(*, email: str, reason: str, now_ms: int, until_ms: int | None = None, by_id: UUID | None = None) -> bool:
    """Ban a user: tokens are suspended, sockets close within seconds, open orders settle as always.

    :param until_ms: when the ban lapses by itself; None for a ban without an end
    :param by_id: the operator; None for the command line
    :return: whether anything changed; a second ban keeps the first one's instant, reason and end
    :raises UnknownUserError: when nobody has that e-mail
    :raises ValueError: without a reason, or with an end that does not lie ahead
    """
    if not reason.strip():
        raise ValueError("a ban needs a reason")
    if until_ms is not None and until_ms <= now_ms:
        raise ValueError("the end of a ban must lie ahead")
    user = _user_locked(email)
    if user.is_banned and (user.banned_until_ms is None or user.banned_until_ms > now_ms):
        return False
    # One that has ended, but that the scheduler did not lift yet, must not swallow a new one.
    _bans_lift([user.pk], now_ms=now_ms, by_id=None)
    user.banned_at_ms, user.banned_until_ms, user.ban_reason = now_ms, until_ms, reason.strip()
    user.save(update_fields=["banned_at_ms", "banned_until_ms", "ban_reason"])
    Ban.objects.create(user=user, reason=user.ban_reason, from_ms=now_ms, until_ms=until_ms, by_id=by_id)
    for told in on_user_banned:
        told(user, now_ms)
    return True


@transaction.atomic
def user_unban(*, email: str, now_ms: int | None = None, by_id: UUID | None = None) -> bool:
    """Lift a ban; tokens work again.

    :param by_id: the operator; None for the command line
    :return: whether anything changed
    :raises UnknownUserError: when nobody has that e-mail
    """
    user = _user_locked(email)
    if not user.is_banned:
        return False
    _bans_lift([user.pk], now_ms=wall_ms() if now_ms is None else now_ms, by_id=by_id)
    return True


@transaction.atomic
def bans_lapse(*, now_ms: int) -> int:
    """Lift the bans whose end has come; a repeat, or another scheduler at the same time, does no harm.

    :return: how many were lifted
    """
    ended = User.objects.filter(banned_until_ms__lte=now_ms).order_by("pk")
    users = list(ended.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True))
    _bans_lift(users, now_ms=now_ms, by_id=None)
    return len(users)


def _bans_lift(users: Sequence[UUID], *, now_ms: int, by_id: UUID | None) -> None:
    """Lift the bans of locked users and close their lines of the history."""
    User.objects.filter(pk__in=users).update(banned_at_ms=None, banned_until_ms=None, ban_reason="")
    Ban.objects.filter(user_id__in=users, lifted_at_ms__isnull=True).update(lifted_at_ms=now_ms, lifted_by_id=by_id)


@dataclass(frozen=True, slots=True)
class LimitDecision:
    """What became of a request for one limit."""

    name: str
    act: Act
    state: LimitState


@transaction.atomic
def limits_set(
    *, user_id: UUID, wanted: Mapping[str, int | None], now_ms: int, wait_ms: int = LOOSEN_WAIT_MS
) -> list[LimitDecision]:
    """Set own limits: what protects applies at once, what loosens waits and is confirmed (rules, section 12).

    :param wanted: by the limit's name: minor units of the real wallet's currency, a count, or minutes; None for none
    :param wait_ms: how long a loosening waits before it can be confirmed
    :return: what became of each, in the order of :data:`accounts.limits.LIMITS`
    """
    User.objects.select_for_update(no_key=True).get(pk=user_id)
    rows = {row.name: row for row in Limit.objects.filter(user_id=user_id)}
    decided = []
    for name in (name for name in LIMITS if name in wanted):
        row = rows.setdefault(name, Limit(user_id=user_id, name=name))
        old = row.state
        state, act = limit_decided(old, wanted=wanted[name], now_ms=now_ms, wait_ms=wait_ms)
        decided.append(LimitDecision(name, act, state))
        if act not in UNCHANGED:
            row.state, row.set_at_ms = state, now_ms
            row.save()
            _limit_change_record(row, old, act, now_ms)
    User.objects.filter(pk=user_id).update(limits_set=any(row.value is not None for row in rows.values()))
    return decided


def _limit_change_record(row: Limit, old: LimitState, act: Act, now_ms: int) -> None:
    waits = row.state.loosening
    LimitChange.objects.create(
        user_id=row.user_id,
        name=row.name,
        act=act,
        old_value=old.value,
        new_value=row.value if waits is None else waits.value,
        confirm_from_ms=row.pending_from_ms,
        at_ms=now_ms,
    )


@transaction.atomic
def break_begin(*, user_id: UUID, days: int, now_ms: int) -> int:
    """Stop a user's own trading for some days, at once; nobody can end it early.

    :return: its end in Unix milliseconds
    :raises Problem: ``limit.break_shorter`` when a break that runs already ends later
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    until_ms = break_end_ms(days=days, now_ms=now_ms)
    if user.break_until_ms is not None and until_ms <= user.break_until_ms:
        raise errors.break_shorter(user.break_until_ms)
    _break_record(user_id, "break", user.break_until_ms, until_ms, now_ms)
    User.objects.filter(pk=user_id).update(break_until_ms=until_ms)
    return until_ms


@transaction.atomic
def exclusion_begin(*, user_id: UUID, months: int, now_ms: int) -> int:
    """Exclude a user from trading for some months, at once; nobody can end it early.

    :return: its end in Unix milliseconds
    :raises Problem: ``limit.exclusion_shorter`` when an exclusion that runs already ends later
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    until_ms = exclusion_end_ms(months=months, now_ms=now_ms)
    if user.excluded_until_ms is not None and until_ms <= user.excluded_until_ms:
        raise errors.exclusion_shorter(user.excluded_until_ms)
    _break_record(user_id, "exclusion", user.excluded_until_ms, until_ms, now_ms)
    User.objects.filter(pk=user_id).update(excluded_until_ms=until_ms)
    return until_ms


def _break_record(user_id: UUID, name: str, old_ms: int | None, until_ms: int, now_ms: int) -> None:
    LimitChange.objects.create(
        user_id=user_id, name=name, act=Act.SET, old_value=old_ms, new_value=until_ms, at_ms=now_ms
    )


def token_create(
    *,
    user_id: UUID,
    scopes: Collection[str],
    now_ms: int,
    name: str = "",
    ledgers: Collection[str] | None = None,
    ips: Sequence[str] = (),
    expires_at_ms: int | None = None,
    stake_day_cap: int | None = None,
    loss_day_cap: int | None = None,
) -> tuple[ApiToken, str]:
    """Create an API token and return it with its secret, which is kept nowhere.

    :param ledgers: None for all
    :param ips: addresses or CIDR networks it may be used from; none for everywhere
    :param stake_day_cap: the most that its orders may stake in 24 hours, in minor units; None for no cap
    :param loss_day_cap: the most that its orders may lose in 24 hours, in minor units; None for no cap
    :raises ValueError: with what is wrong with the terms
    """
    if not scopes or set(scopes) - set(SCOPES):
        raise ValueError(f"scopes must be some of {', '.join(SCOPES)}")
    if ledgers is not None and (not ledgers or set(ledgers) - set(LEDGERS)):
        raise ValueError(f"ledgers must be some of {', '.join(LEDGERS)}")
    if expires_at_ms is not None and expires_at_ms <= now_ms:
        raise ValueError("the expiry must lie ahead")
    if any(cap is not None and cap <= 0 for cap in (stake_day_cap, loss_day_cap)):
        raise ValueError("a cap must be above zero")
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
        stake_day_cap=stake_day_cap,
        loss_day_cap=loss_day_cap,
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
