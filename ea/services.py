"""Writes about installations and keys: made, rotated, revoked, switched. What signals become is in the executor."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.domain import network_parsed
from ea import errors
from ea.ciphers import cipher
from ea.domain import LEDGERS, SCOPES, TradingState
from ea.keys import CHANNEL
from ea.models import Alert, Counter, Key, Link, TradingSwitch
from ea.selectors import keys_in_force
from kernel import db
from kernel.errors import field_invalid
from kernel.metrics import count
from ledger.selectors import wallet_of

DAY_MS = 86_400_000
KEY_LIFE_MS = 30 * DAY_MS
OVERLAP_MS = 2 * DAY_MS
LIVE_KEYS_MAX = 2
LINKS_MAX = 50


class WalletUnknownError(ValueError):
    """The user has no such tournament's wallet."""


class KeysFullError(ValueError):
    """An installation has as many keys in force as it may have."""


class KeyEndedError(ValueError):
    """A key is not in force."""


@transaction.atomic
def link_ensure(
    *, user_id: UUID, account: str, server: str, now_ms: int, ledger: str = "demo", wallet_id: UUID | None = None
) -> Link:
    """Return the installation of a user for a terminal's account, registered or told where its orders go.

    :param ledger: where its orders go unless a signal says otherwise
    :param wallet_id: the tournament's wallet; None for the real and demo ledgers
    :raises ValueError: with what is wrong with the terms
    """
    if not account or len(account) > 40 or not server or len(server) > 64:
        raise ValueError("an account has 1 to 40 characters, a server 1 to 64")
    _ledger_checked(user_id, ledger, wallet_id)
    link, _ = _link_made(user_id, account, server, ledger, wallet_id, now_ms)
    if (link.ledger, link.wallet_id) != (ledger, wallet_id):
        link.ledger, link.wallet_id = ledger, wallet_id
        link.save(update_fields=["ledger", "wallet_id"])
    return link


@transaction.atomic
def link_register(
    *, user_id: UUID, account: str, server: str, ledger: str, wallet_id: UUID | None, now_ms: int
) -> tuple[Link, bool]:
    """Register an installation; return it, and whether it is new.

    :raises Problem: ``request.invalid``, ``wallet.unknown``, ``ea.installation_exists`` when it is registered with
        another ledger, ``ea.installations_full``
    """
    _ledger_problem(user_id, ledger, wallet_id)
    # Nobody else registers for this user meanwhile, so that the most is the most.
    db.row("SELECT id FROM accounts_user WHERE id = %s FOR NO KEY UPDATE", [user_id])
    own = Link.objects.filter(user_id=user_id)
    if not own.filter(account=account, server=server).exists() and own.count() >= LINKS_MAX:
        raise errors.installations_full(LINKS_MAX)
    link, made = _link_made(user_id, account, server, ledger, wallet_id, now_ms)
    if (link.ledger, link.wallet_id) != (ledger, wallet_id):
        raise errors.installation_exists()
    return link, made


@transaction.atomic
def link_change(*, link_id: int, terms: Mapping[str, Any]) -> None:
    """Change where an installation's orders go, or what its broker puts around the names of symbols.

    :param terms: any of ``ledger`` with ``wallet_id``, ``prefix``, ``suffix``
    :raises Problem: ``request.invalid`` or ``wallet.unknown``
    """
    link = Link.objects.select_for_update(no_key=True).get(pk=link_id)
    if "ledger" in terms:
        wallet_id = terms.get("wallet_id")
        _ledger_problem(link.user_id, terms["ledger"], wallet_id)
        link.ledger, link.wallet_id = terms["ledger"], wallet_id
    link.prefix, link.suffix = terms.get("prefix", link.prefix), terms.get("suffix", link.suffix)
    link.save(update_fields=["ledger", "wallet_id", "prefix", "suffix"])


def _link_made(
    user_id: UUID, account: str, server: str, ledger: str, wallet_id: UUID | None, now_ms: int
) -> tuple[Link, bool]:
    link, made = Link.objects.get_or_create(
        user_id=user_id,
        account=account,
        server=server,
        defaults={"ledger": ledger, "wallet_id": wallet_id, "made_at_ms": now_ms},
    )
    if made:
        Counter.objects.create(link=link)
    return link, made


def _ledger_checked(user_id: UUID, ledger: str, wallet_id: UUID | None) -> None:
    if ledger not in LEDGERS or (ledger == "tournament") is (wallet_id is None):
        raise ValueError(f"the ledger is one of {', '.join(LEDGERS)}; a tournament is named by its wallet")
    if wallet_id is None:
        return
    wallet = wallet_of(user_id=user_id, wallet_id=wallet_id)
    if wallet is None or not wallet.book.startswith("t:"):
        raise WalletUnknownError("there is no such wallet")


def _ledger_problem(user_id: UUID, ledger: str, wallet_id: UUID | None) -> None:
    try:
        _ledger_checked(user_id, ledger, wallet_id)
    except WalletUnknownError as error:
        raise errors.wallet_unknown() from error
    except ValueError as error:
        raise field_invalid("wallet_id", str(error)) from error


@transaction.atomic
def key_create(
    *,
    link_id: int,
    now_ms: int,
    scopes: Collection[str] = ("source",),
    ledgers: Collection[str] = ("demo",),
    networks: Sequence[str] = (),
    valid_until_ms: int | None = None,
) -> tuple[Key, str]:
    """Make a key of an installation and return it with its secret, which is shown this once.

    :param networks: addresses or CIDR networks that it may be used from; none for everywhere
    :raises ValueError: with what is wrong with the terms; ``KeysFullError`` when the installation has two in force
    """
    if not scopes or set(scopes) - set(SCOPES):
        raise ValueError(f"scopes must be some of {', '.join(SCOPES)}")
    if not ledgers or set(ledgers) - set(LEDGERS):
        raise ValueError(f"ledgers must be some of {', '.join(LEDGERS)}")
    if valid_until_ms is not None and valid_until_ms <= now_ms:
        raise ValueError("the end of its validity must lie ahead")
    Link.objects.select_for_update(no_key=True).get(pk=link_id)
    if len(keys_in_force(link_id, now_ms)) >= LIVE_KEYS_MAX:
        raise KeysFullError(f"an installation has at most {LIVE_KEYS_MAX} keys in force; revoke one")
    secret = secrets.token_hex(32)
    key = Key.objects.create(
        kid=f"ea_{secrets.token_hex(8)}",
        link_id=link_id,
        secret=cipher().encrypt(secret.encode()),
        scopes=sorted(set(scopes)),
        ledgers=sorted(set(ledgers), key=LEDGERS.index),
        networks=[str(network_parsed(text)) for text in networks],
        made_at_ms=now_ms,
        valid_from_ms=now_ms,
        valid_until_ms=valid_until_ms,
    )
    return key, secret


@transaction.atomic
def key_rotate(*, kid: str, now_ms: int, overlap_ms: int = OVERLAP_MS) -> tuple[Key, str]:
    """Make the successor of a key with the same rights; the old one runs out after the overlap.

    :raises ValueError: ``KeyEndedError`` when the key is not in force, ``KeysFullError`` when it has a successor
    """
    old = Key.objects.select_related("link").get(kid=kid)
    if kid not in {key.kid for key in keys_in_force(old.link_id, now_ms)}:
        raise KeyEndedError("the key is not in force")
    key, secret = key_create(
        link_id=old.link_id,
        now_ms=now_ms,
        scopes=old.scopes,
        ledgers=old.ledgers,
        networks=old.networks,
        valid_until_ms=None if old.valid_until_ms is None else now_ms + KEY_LIFE_MS + overlap_ms,
    )
    ends_ms = now_ms + overlap_ms
    if old.valid_until_ms is None or ends_ms < old.valid_until_ms:
        Key.objects.filter(pk=kid).update(valid_until_ms=ends_ms)
    return key, secret


@transaction.atomic
def key_revoke(*, kid: str, now_ms: int) -> bool:
    """End a key at once; gateways close its connections within a second.

    :return: whether it was in force
    """
    ended = Key.objects.filter(pk=kid, revoked_at_ms__isnull=True).update(revoked_at_ms=now_ms)
    if ended:
        db.row(f"SELECT pg_notify('{CHANNEL}', %(kid)s)", {"kid": kid})
        count("ea_keys_revoked")
    return bool(ended)


@transaction.atomic
def trading_switch(
    *, scope: str, name: str, state: TradingState, reason: str, now_ms: int, actor_id: UUID | None = None
) -> None:
    """Set the trading state of everything, an installation, one of its strategies, or a symbol.

    :param name: '' for everything; the installation's id; ``<id>/<strategy>``; the symbol's code
    """
    TradingSwitch.objects.update_or_create(
        scope=scope,
        name=name,
        defaults={"state": state.value, "reason": reason, "actor_id": actor_id, "at_ms": now_ms},
    )


def alert_add(*, kind: str, link_id: int, kid: str, now_ms: int, address: str = "", detail: str = "") -> None:
    """Put on record what the owner of a key should know, and count it."""
    count("ea_alerts", kind=kind)
    Alert.objects.create(kind=kind, link_id=link_id, kid=kid, address=address, detail=detail[:200], at_ms=now_ms)


def alerted_since(*, kid: str, kind: str, since_ms: int) -> bool:
    """Whether the same alert about a key was put on record after an instant."""
    return Alert.objects.filter(kid=kid, kind=kind, at_ms__gt=since_ms).exists()


def address_note(*, link_id: int, kid: str, address: str, now_ms: int) -> None:
    """Put on record that a key is used from an address for the first time."""
    if not Alert.objects.filter(kid=kid, kind="address", address=address).exists():
        alert_add(kind="address", link_id=link_id, kid=kid, address=address, now_ms=now_ms)
