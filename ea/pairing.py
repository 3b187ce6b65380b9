"""Pairing codes: given to an owner, redeemed by an expert for a key, once and within ten minutes.

A code has 60 random bits, and only its keyed digest is kept: that is what is looked for, so no secret meets a
comparison, and who reads the table cannot try codes without the platform's own key.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction

from ea import errors
from ea.ciphers import pairing_secrets
from ea.models import Key, Link, Pairing
from ea.selectors import keys_in_force
from ea.services import LIVE_KEYS_MAX, alert_add, key_create
from kernel.metrics import count

LIFE_MS = 600_000
# Crockford's: nothing that is read as something else.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 12
_ALIKE = str.maketrans("OIL", "011")
_NOTHING = re.compile(r"[\s-]+")


@dataclass(frozen=True, slots=True)
class Given:
    """A code as its owner sees it, this once."""

    code: str
    expires_at_ms: int


@transaction.atomic
def pairing_begin(*, link_id: int, ledgers: Collection[str], networks: Sequence[str], now_ms: int) -> Given:
    """Give a code for an installation; an earlier one that is still open ends.

    :raises Problem: ``ea.keys_full`` when the code could not become a key
    """
    Link.objects.select_for_update(no_key=True).get(pk=link_id)
    if len(keys_in_force(link_id, now_ms)) >= LIVE_KEYS_MAX:
        raise errors.keys_full(LIVE_KEYS_MAX)
    Pairing.objects.filter(link_id=link_id, ended_at_ms__isnull=True).update(ended_at_ms=now_ms)
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    pairing = Pairing.objects.create(
        link_id=link_id,
        digest=_digests(letters)[0],
        ledgers=list(ledgers),
        networks=list(networks),
        made_at_ms=now_ms,
        expires_at_ms=now_ms + LIFE_MS,
    )
    count("ea_pairings_begun")
    return Given("-".join(letters[start : start + 4] for start in range(0, _LENGTH, 4)), pairing.expires_at_ms)


@transaction.atomic
def pairing_redeem(*, code: str, account: str, server: str, address: str, now_ms: int) -> tuple[Key, str]:
    """Make the key that a code stands for and return it with its secret; of two at the same time one gets it.

    :raises Problem: ``pairing.unknown``, ``pairing.used``, ``pairing.expired``, ``pairing.account`` (which leaves the
        code as it is), or ``ea.keys_full``
    """
    letters = _NOTHING.sub("", code).upper().translate(_ALIKE)
    if len(letters) != _LENGTH or not letters.isascii():
        raise errors.pairing_unknown()
    known = Pairing.objects.filter(digest__in=_digests(letters))
    # The installation is locked first, as it is where codes are given.
    link = Link.objects.select_for_update(no_key=True).filter(pk__in=known.values("link")).first()
    pairing = known.select_for_update(no_key=True).first() if link else None
    if link is None or pairing is None or (pairing.ended_at_ms is not None and pairing.kid is None):
        raise errors.pairing_unknown()
    if pairing.kid is not None:
        raise errors.pairing_used()
    if now_ms >= pairing.expires_at_ms:
        raise errors.pairing_expired()
    if (account, server) != (link.account, link.server):
        raise errors.pairing_account()
    if len(keys_in_force(link.pk, now_ms)) >= LIVE_KEYS_MAX:
        raise errors.keys_full(LIVE_KEYS_MAX)
    key, secret = key_create(link_id=link.pk, now_ms=now_ms, ledgers=pairing.ledgers, networks=pairing.networks)
    Pairing.objects.filter(pk=pairing.pk).update(ended_at_ms=now_ms, kid=key.kid)
    alert_add(kind="paired", link_id=link.pk, kid=key.kid, address=address, now_ms=now_ms)
    count("ea_pairings_redeemed")
    return key, secret


def _digests(letters: str) -> list[bytes]:
    """Return the digests under which a code may be kept, the present key's first."""
    return [hmac.digest(secret, letters.encode(), "sha256") for secret in pairing_secrets()]
